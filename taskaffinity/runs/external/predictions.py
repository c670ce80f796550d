"""A table of predictions: one row per example of each run that was trained elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from taskaffinity.errors import input_error, shown
from taskaffinity.runs.external.example_counts import Cell, check_like, parse_cell, stack_counts
from taskaffinity.runs.external.keys import (
    Key,
    describe_key,
    first_test_sets,
    key_of,
    renamed,
    target_of,
    test_set_of,
)
from taskaffinity.runs.external.packed_runs import TargetRuns
from taskaffinity.runs.external.rows import read_rows
from taskaffinity.runs.external.scoring import ANSWERS, TAGGED, Scoring, classes_of, parse_label
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.tasks.count_checks import compact
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.secondary_metrics import documents_of, secondary_metrics
from taskaffinity.tasks.splits import split_of
from taskaffinity.tasks.task import SCORE_KINDS, Kind, Label

COLUMNS = ("target", "source", "seed", "id", "gold", "predicted")


@dataclass
class TargetRows:
    """The rows of one target and test set: its examples, and what each run predicts."""

    name: str
    """Of the target; on a further test set such as ``rte@notes``."""
    metric: str
    """Empty if the rows have counts, which name it."""
    numbers: dict[str, int] = field(default_factory=dict)
    """Number of each example, by id, in the order of the table."""
    gold: list[Label] = field(default_factory=list)
    gold_texts: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    predicted: dict[Key, dict[int, Label]] = field(default_factory=dict)
    """By run, by number of the example."""
    places: dict[Key, str] = field(default_factory=dict)
    """The first row of each run, for messages."""
    counted: dict[Key, dict[int, Cell]] = field(default_factory=dict)
    """Counts in the place of labels: by run, by number of the example."""
    _labels: dict[str, Label] = field(default_factory=dict)
    _cells: dict[str, Cell] = field(default_factory=dict)

    @property
    def runs(self) -> Mapping[Key, Mapping[int, object]]:
        """What is known of each run, by number of the example: its labels or its counts."""
        return self.predicted if self.metric else self.counted

    def add(self, where: str, key: Key, cells: Sequence[str]) -> None:
        """Add a row: id, gold, predicted, document and counts.

        Raises
        ------
        InputError
            If a label cannot be read, the run has the id already, or another row of the id has another gold label or
            document.
        """
        name, gold, predicted, document, counts = cells
        if bool(counts) == bool(self.metric):
            found, form = ("counts", "labels") if counts else ("labels", "counts")
            raise input_error(where, found, f"{form}, as in the first row of {self.name}")
        number = self.numbers.get(name)
        if number is None:
            if not name:
                raise input_error(f"{where}: id", "nothing", "an id of the example, equal in all runs")
            number = self.numbers[name] = len(self.gold)
            self.gold.append(self._label(f"{where}: gold", gold) if self.metric else "")
            self.gold_texts.append(gold)
            self.documents.append(document)
        for what, found, known in (("gold label", gold, self.gold_texts), ("document", document, self.documents)):
            if found != known[number]:
                raise input_error(where, f"another {what} of {shown(name)} than before", f"one for all of {self.name}")
        if number in self.runs.get(key, ()):
            raise input_error(where, f"id {shown(name)} again", f"one row of {describe_key(key)} for each id")
        self.places.setdefault(key, where)
        if counts:
            self._add_counts(where, self.counted.setdefault(key, {}), number, counts)
            return
        of_run = self.predicted.setdefault(key, {})
        if self.metric in ANSWERS:  # one text, which may contain the sign between gold answers
            of_run[number] = (predicted.strip(),) if predicted.strip() else ()
            return
        of_run[number] = label = self._label(f"{where}: predicted", predicted)
        if self.metric in TAGGED and (n_tags := _n_tags(label)) != (n_gold := _n_tags(self.gold[number])):
            raise input_error(f"{where}: predicted", f"{n_tags} tags", f"{n_gold}, as in gold")

    def _add_counts(self, where: str, of_run: dict[int, Cell], number: int, text: str) -> None:
        cell = self._cells.get(text)  # equal texts share one, which saves memory and time
        if cell is None:
            cell = self._cells[text] = parse_cell(where, text)
            check_like(where, cell, next(iter(self._cells.values())))
        of_run[number] = cell

    def renamed(self, first: Mapping[str, str]) -> TargetRows:
        """Return the rows under the name of the target alone if they are of its first test set."""
        name = renamed((self.name, "", 0), first)[0]
        predicted = {renamed(key, first): of_run for key, of_run in self.predicted.items()}
        counted = {renamed(key, first): of_run for key, of_run in self.counted.items()}
        places = {renamed(key, first): where for key, where in self.places.items()}
        return replace(self, name=name, predicted=predicted, counted=counted, places=places)

    def _label(self, where: str, text: str) -> Label:
        """Return a label; equal texts share one, which saves memory."""
        label = self._labels.get(text)
        if label is None:
            label = parse_label(where, text, self.metric)
            if self.metric != "pearson":
                self._labels[text] = label
        return label

    def check(self) -> None:
        """Raise ``InputError`` if a run lacks examples, or no prediction is a gold label."""
        for key, of_run in self.runs.items():
            if len(of_run) < len(self.gold):
                found = f"{len(of_run)} predictions of {describe_key(key)}, from this row on"
                raise input_error(self.places[key], found, f"{len(self.gold)}, one for each id of {self.name}")
        if self.metric in ("accuracy", "micro_f1", "macro_f1"):
            gold = set(self.gold)
            if not any(label in gold for of_run in self.predicted.values() for label in of_run.values()):
                raise input_error(
                    f"predictions of {self.name}", "no predicted label that is a gold label", "both in one spelling"
                )


def read_predictions(
    table: Any, scoring: Scoring, first: Mapping[str, str] | None = None
) -> tuple[dict[str, TargetRows], dict[str, str]]:
    """Read a table with the columns target, source, seed, id, gold and predicted.

    ``document`` may name a group, and ``test_set`` the test set.

    Parameters
    ----------
    table : path or DataFrame
    first : mapping, optional
        The first test set of each target, if a table of scores has it.

    Returns
    -------
    targets : dict of str to TargetRows
        By target, and by names such as ``rte@notes`` for further test sets.
    first : dict of str to str
        By target, its first test set as the tables name it.

    Raises
    ------
    InputError
        If a row cannot be used, a run lacks examples that another one has, or a target has no metric.
    """
    targets: dict[str, TargetRows] = {}
    keys: dict[tuple[str, ...], Key] = {}
    for where, (target, source, seed, *cells, test_set) in read_rows(
        table, COLUMNS, ("document", "counts", "test_set")
    ):
        key = keys.get((target, source, seed, test_set))
        if key is None:
            key = keys[target, source, seed, test_set] = key_of(where, target, source, seed, test_set)
            if key[0] not in targets:
                targets[key[0]] = TargetRows(key[0], "" if cells[-1] else scoring.metric_of(target))
        targets[key[0]].add(where, key, cells)
    scoring.check_tasks({target_of(name) for name in targets})
    for rows in targets.values():
        rows.check()
    found = first_test_sets(targets) | dict(first or {})
    read: dict[str, TargetRows] = {}
    for name, rows in targets.items():
        of_test_set = rows.renamed(found)
        if of_test_set.name in read:
            both = f"rows of {target_of(name)} with the test set {test_set_of(found[of_test_set.name])} and without one"
            raise input_error("predictions", both, "one name of the first test set")
        read[of_test_set.name] = of_test_set
    return read, found


def runs_of_rows(rows: TargetRows, scoring: Scoring) -> tuple[StudiedTask, TargetRuns]:
    """Return what a study knows of a target, and the counts of its runs by its metric and by secondary ones.

    The scored classes are those that occur, gold or predicted, without the negative class.

    Raises
    ------
    InputError
        If the negative class does not occur.
    """
    target, documents = target_of(rows.name), documents_of("", list(rows.numbers), rows.documents)
    if not rows.metric:
        return _runs_of_counts(rows, scoring, documents)
    kind, negative = scoring.kind_of(target, rows.metric), scoring.negative_of(target)
    every = [*rows.gold, *(label for of_run in rows.predicted.values() for label in of_run.values())]
    classes = classes_of(every, rows.metric)
    if negative is not None and negative not in classes:
        raise input_error(f"--negative {target}", "a class that no row has", "one of its classes")
    scored = [name for name in classes if name != negative]
    if not scored and rows.metric not in (*TAGGED, *ANSWERS, "pearson"):
        raise input_error(f"predictions of {rows.name}", "no class that is scored", "some, gold or predicted")
    may_abstain = kind == "spans" and not all(rows.gold)
    metrics = (rows.metric, *secondary_metrics(kind, rows.metric, missed_are_known=False, may_abstain=may_abstain))
    counts: dict[str, list[np.ndarray[Any, Any]]] = {metric: [] for metric in metrics}
    for of_run in rows.predicted.values():
        predicted = [of_run[number] for number in range(len(rows.gold))]
        for metric in metrics:
            counts[metric].append(compact(METRICS[metric].tally(rows.gold, predicted, scored)))
    _, sources, seeds = zip(*rows.predicted, strict=True)
    stacked = {metric: np.stack(of_runs) for metric, of_runs in counts.items()}
    card = _card(rows, kind, rows.metric, negative)
    return card, TargetRuns(rows.metric, sources, seeds, stacked, documents)


def _runs_of_counts(
    rows: TargetRows, scoring: Scoring, documents: npt.NDArray[np.int64] | None
) -> tuple[StudiedTask, TargetRuns]:
    target = target_of(rows.name)
    order = range(len(rows.gold))
    counts = stack_counts({rows.places[key]: [of[number] for number in order] for key, of in rows.counted.items()})
    metric = next(iter(counts))
    if (given := scoring.given_metric(target)) not in (None, metric):
        raise input_error(f"counts of {target}", f"{metric} first, as its metric", f"{given}, as said elsewhere")
    _, sources, seeds = zip(*rows.counted, strict=True)
    card = _card(rows, scoring.kind_of(target, metric), metric, scoring.negative_of(target))
    return card, TargetRuns(metric, sources, seeds, counts, documents)


def _card(rows: TargetRows, kind: Kind, metric: str, negative: str | None) -> StudiedTask:
    target = target_of(rows.name)
    return StudiedTask(
        *(target, target, kind, metric, _fingerprint(rows, negative)),
        sizes={split_of(test_set_of(rows.name)): len(rows.gold)},
        has_negative=None if kind in ("ner", *SCORE_KINDS) else negative is not None,
    )


def scores_of(runs: TargetRuns, name: str) -> Mapping[Key, float]:
    """Return the score of each run from its counts."""
    by = METRICS[runs.metric]
    return {
        (name, source, seed): float(by.score_examples(array.astype(np.float64)))
        for source, seed, array in zip(runs.sources, runs.seeds, runs.counts[runs.metric], strict=True)
    }


def _n_tags(label: Label) -> int:
    return len(label) if isinstance(label, tuple) else 0


def _fingerprint(rows: TargetRows, negative: str | None) -> str:
    """Return a hash of what all runs of the target share; a hash reveals no text."""
    digest = hashlib.sha256(json.dumps([rows.name, rows.metric, negative]).encode())
    for row in zip(rows.numbers, rows.gold_texts, rows.documents, strict=True):
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()[:16]
