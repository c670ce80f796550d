"""The runs of a study as the tables that ``taskaffinity verdicts`` reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from taskaffinity.analysis.cautions.undertrained import find_undertrained
from taskaffinity.errors import InputError
from taskaffinity.runs.external.example_counts import write_counts
from taskaffinity.runs.external.facts import COLUMNS as OF_FACTS
from taskaffinity.runs.external.facts import facts_of
from taskaffinity.runs.external.predictions import COLUMNS as OF_EXAMPLES
from taskaffinity.runs.external.predictions import read_predictions, runs_of_rows
from taskaffinity.runs.external.scores import COLUMNS as SCORES
from taskaffinity.runs.external.scores import STATED
from taskaffinity.runs.external.scoring import Scoring
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.tasks.count_checks import gold_side
from taskaffinity.tasks.kinds import ONE_CLASS, TRAITS
from taskaffinity.tasks.metrics import GIVEN_SCORE, Counts
from taskaffinity.tasks.splits import Split, split_of

PREDICTIONS = (*OF_EXAMPLES, "document")
_TEST_SET = "test_set"
_COUNTS = "counts"
_LABELS = ["id", "gold", "predicted"]


@dataclass(frozen=True, eq=False)
class _Scored:
    """One run of a target on one of its test sets."""

    target: StudiedTask
    source: str
    seed: int
    test_set: str
    score: float
    run: RunResult
    labels: pd.DataFrame | None
    """Id, gold and predicted of its examples; None if the run stores no predictions."""

    @property
    def counts(self) -> dict[str, Counts]:
        """Counts by metric, the official one first; those of pairs of mentions are left out."""
        key = f"{self.target.name}/{split_of(self.test_set)}"
        official = self.run.counts[key]
        beside = {
            name.removeprefix(f"{key}/"): of for name, of in self.run.counts.items() if name.startswith(f"{key}/")
        }
        rows = {name: of for name, of in beside.items() if len(of) == len(official) and name != "document_f1"}
        return {self.target.metric: official, **rows}

    def frame(self, labels: pd.DataFrame | None) -> pd.DataFrame:
        """Return the rows of a table of predictions: with labels, or else with counts."""
        if labels is not None:
            rows = labels.assign(counts="")
        else:
            cells = write_counts(self.counts)
            ids = [str(n) for n in range(len(cells))] if self.labels is None else self.labels["id"]
            rows = pd.DataFrame({"id": ids, "gold": "", "predicted": "", _COUNTS: cells})
        documents = self.run.documents.get(f"{self.target.name}/{split_of(self.test_set)}")
        rows = rows.assign(document="" if documents is None else documents.astype(str))
        return rows.assign(target=self.target.name, source=self.source, seed=self.seed, test_set=self.test_set)


def run_tables(study: Study, store: RunStore) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores and the predictions of the runs that gains are made of; rows are sorted by target.

    The rows of a target have counts in the place of labels if some run stores no predictions, or if its counts do not
    follow from them (answers in a text, classes that no test example has). A target of which only scores are known has
    scores only. Documents are numbers. If tasks have several test sets, the column ``test_set`` is empty for the split
    ``test``.

    Raises
    ------
    InputError
        If the baseline is not ``single``, the design is sequential, or a file of the store is broken.
    """
    scored = _scored(study, store)
    stated: list[object] = [study.evaluate_after, study.init_from, study.synthetic]
    if study.is_external:
        stated = [study.stated.get(name, "") for name in STATED]
    further = [_TEST_SET] * bool(study.test_sets)
    scores = [
        (one.target.name, one.source, one.seed, one.score, *stated, one.test_set)
        for of in scored.values()
        for one in of
    ]
    frames = [frame for of in scored.values() for frame in _examples(of)]
    has_counts = any((frame[_COUNTS] != "").any() for frame in frames)
    columns = [*PREDICTIONS, *[_COUNTS] * has_counts, *further]
    return (
        pd.DataFrame(scores, columns=[*SCORES, *STATED, _TEST_SET])[[*SCORES, *STATED, *further]],
        pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns),
    )


def facts_frame(study: Study, store: RunStore) -> pd.DataFrame:
    """Return what ``verdicts`` needs beside the runs to give the same notes: one row per fact.

    Raises
    ------
    InputError
        As for ``run_tables``.
    """
    rows: list[tuple[str, str, str, str]] = []
    for of_target in _scored(study, store).values():
        card = of_target[0].target
        rows += facts_of(card, study.recipe.max_length, negative_of(card, of_target[0]))
    names = {row[0] for row in rows}
    for one in find_undertrained(study, store):
        if one.fault not in ("zero", "majority"):  # these follow from scores and predictions
            rows.append((one.task, "undertrained", one.fault, repr(one.value)))
    rows += [(leak.task, "leak", leak.other, leak.line) for leak in study.leaks if {leak.task, leak.other} <= names]
    return pd.DataFrame(rows, columns=list(OF_FACTS))


def _scored(study: Study, store: RunStore) -> Mapping[str, list[_Scored]]:
    """Return the runs that gains are made of, by target; targets without a run are left out."""
    if study.baseline != "single" or study.interim_seeds:
        design = "sequential" if study.interim_seeds else study.baseline
        raise InputError(f"to_tables: found the design {design}; expected fixed seeds and the baseline single")
    cards = {card.name: card for card in study.tasks}
    found: dict[str, list[_Scored]] = {name: [] for name in cards}
    for spec in study.plan:
        trained = spec.trained_as
        is_read = (spec.stage == "finetune") == (study.evaluate_after == "finetune")
        run = store.get(spec) if is_read and trained.arm in ("single", "pair") else None
        if run is None:
            continue
        table = store.predictions(spec)
        frame = None if table is None else table.to_pandas()
        for target, outcome in run.outcomes.items():
            source = "".join(name for name in trained.task_names if name != target)
            for test_set, score in {"": outcome.test, **outcome.test_sets}.items():
                labels = None if frame is None else _labels(frame, target, split_of(test_set))
                found[target].append(_Scored(cards[target], source, spec.seed, test_set, score, run, labels))
    return {name: runs for name, runs in found.items() if runs}


def _labels(table: pd.DataFrame, target: str, split: Split) -> pd.DataFrame:
    return table[(table["task"] == target) & (table["split"] == split)][_LABELS].reset_index(drop=True)


def _examples(runs: list[_Scored]) -> Iterator[pd.DataFrame]:
    """Yield the rows of predictions of one target's runs."""
    if runs[0].target.metric == GIVEN_SCORE:
        return
    frames = [one.frame(one.labels) for one in runs if one.labels is not None]
    if len(frames) == len(runs) and _follow(runs, pd.concat(frames)):
        yield from frames
    else:
        yield from (one.frame(None) for one in runs)


def _follow(runs: list[_Scored], labels: pd.DataFrame) -> bool:
    """Return whether the official counts of a target follow from its labels, as ``verdicts`` reads them."""
    card = runs[0].target
    if (
        card.kind == "unknown" or TRAITS[card.kind].label == "answers"
    ):  # its runs store the places of answers, and no texts
        return False
    negative = negative_of(card, runs[0])
    scoring = Scoring({card.name: card.metric}, {} if negative is None else {card.name: negative})
    try:
        rows, _ = read_predictions(labels, scoring)
        read = {name: runs_of_rows(of_target, scoring)[1] for name, of_target in rows.items()}
    except InputError:
        return False
    for one in runs:
        found = read[card.name + f"@{one.test_set}" * bool(one.test_set)]
        place = list(zip(found.sources, found.seeds, strict=True)).index((one.source, one.seed))
        if not _are_equal(found.counts[card.metric][place].astype(np.float64), one.counts[card.metric]):
            return False
    return True


def _are_equal(read: Counts, stored: Counts) -> bool:
    """Return whether counts are equal; classes may be in another order."""
    if read.shape != stored.shape or read.shape[1] % 3:
        return bool(np.array_equal(read, stored))
    by_class = (
        sorted(of.reshape(len(of), -1, 3)[:, c].tobytes() for c in range(of.shape[1] // 3)) for of in (read, stored)
    )
    return next(by_class) == next(by_class)


def negative_of(card: StudiedTask, run: _Scored) -> str | None:
    """Return the class that F1 does not score; None if the stored predictions do not show one.

    Its examples have no gold item.
    """
    f1 = next((metric for metric in run.counts if metric.endswith("_f1")), None)
    if f1 is None or run.labels is None or card.kind not in ONE_CLASS:
        return None
    without = run.labels["gold"][gold_side(f1, run.counts[f1]).sum(axis=1) == 0].unique()
    return str(without[0]) if len(without) == 1 else None
