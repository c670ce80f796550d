"""The tables of runs that were trained elsewhere: scores, predictions, or both."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from taskaffinity.errors import InputError, input_error, meant, quoted
from taskaffinity.runs.external.facts import Facts, read_facts
from taskaffinity.runs.external.keys import (
    Key,
    check_keys,
    describe_key,
    seeds_of,
    target_of,
    tasks_of,
    test_set_of,
)
from taskaffinity.runs.external.packed_runs import TargetRuns
from taskaffinity.runs.external.predictions import TargetRows, read_predictions, runs_of_rows, scores_of
from taskaffinity.runs.external.scores import Scale, Scores, read_scores
from taskaffinity.runs.external.scoring import Scoring
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.rule import Estimand, Rule, check_margins
from taskaffinity.runs.spec import EXTERNAL
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import GIVEN_SCORE
from taskaffinity.tasks.splits import differ_in_case, split_of

UNKNOWN: Literal["unknown"] = "unknown"
ROUNDING = 5e-4
"""Largest difference of a given score from that of the predictions, because tables round to three digits."""

_NOT_USED = "metric: not used, because there are no predictions; the scores are taken as they are"


@dataclass(frozen=True, eq=False)
class Tables:
    """The runs of one or two tables, which make a study of pairs."""

    name: str
    """Of the first file; ``scores`` for data frames."""
    tasks: tuple[StudiedTask, ...]
    """Targets in the order of the first table, then sources that are no target."""
    targets: Mapping[str, TargetRuns]
    stated: Mapping[str, str]
    """How the runs were trained, if the table of scores says it: ``scores.STATED``."""
    notices: tuple[str, ...]
    """Lines that say how the tables were read."""
    facts: Facts = field(default_factory=Facts)
    """Facts of a third table; those of single tasks are in ``tasks``."""
    files: tuple[Path, ...] = ()
    """The files that were read; none for data frames."""

    @property
    def has_scores_alone(self) -> bool:
        """Whether nothing is known of the examples of some target."""
        return any(runs.metric == GIVEN_SCORE for runs in self.targets.values())

    @property
    def estimand(self) -> Estimand:
        """What the verdicts can hold for: other test sets need predictions of every target."""
        return "test-set" if self.has_scores_alone else "population"

    def study(self, rule: Rule | None = None, name: str | None = None) -> Study:
        """Return the study of these runs.

        Parameters
        ----------
        rule : Rule, optional
            Default: the default rule with ``estimand``.
        name : str, optional
            Default: that of the tables.

        Raises
        ------
        InputError
            If the estimand of the rule needs predictions, or if a margin is for a metric of no task.
        """
        rule = rule or Rule(estimand=self.estimand)
        check_margins(rule.margins, [task.metric for task in self.tasks])
        if rule.estimand == "population" and self.has_scores_alone:
            raise InputError(
                "--estimand population: only scores are known, and no predictions; expected test-set, or --predictions"
            )
        keys = [
            (target, source, seed)
            for target, runs in self.targets.items()
            for source, seed in zip(runs.sources, runs.seeds, strict=True)
        ]
        return Study(
            suite=name or self.name,
            tasks=self.tasks,
            encoder=EXTERNAL,
            recipe=Recipe(),
            seeds=seeds_of(keys, single=False),
            seeds_single=seeds_of(keys, single=True),
            rule=rule,
            synthetic=self.stated.get("synthetic") == "true",
            stated=self.stated,
            leaks=tuple(self.facts.leaks),
            undertrained=self.facts.undertrained(),
        )


def read_tables(
    scores: Any = None,
    predictions: Any = None,
    scoring: Scoring | None = None,
    scale: Scale | None = None,
    smaller_is_better: str | Sequence[str] | None = None,
    facts: Any = None,
) -> Tables:
    """Read a table of scores, one of predictions, or both, and perhaps one of facts.

    Targets with predictions are scored by them, and their given scores are checked. Of other targets the given scores
    are all that is known.

    Parameters
    ----------
    scores, predictions : path or DataFrame, optional
    scoring : Scoring, optional
        The metrics of predictions.
    scale : {"fraction", "point"}, optional
        Unit of the scores. Default: fractions if no score is above 1, else points.
    smaller_is_better : str or sequence of str, optional
        Targets whose scores are errors or losses; they are negated.
    facts : path or DataFrame, optional
        Facts of tasks, as ``external.facts`` reads them.

    Raises
    ------
    InputError
        If a row cannot be used, the tables contradict each other, or they make no study of pairs.
    """
    known = Facts() if facts is None else read_facts(facts)
    asked = scoring is not None and bool(scoring.metrics)
    scoring = known.scoring(scoring or Scoring())
    if scores is None and predictions is None:
        raise InputError("scores: found none; expected a table of scores, or --predictions and --metric")
    negated = (smaller_is_better,) if isinstance(smaller_is_better, str) else tuple(smaller_is_better or ())
    given = None if scores is None else read_scores(scores, scale).negated(negated)
    if predictions is None:
        scoring.check_tasks(())
    rows: dict[str, TargetRows] = {}
    first = dict(given.first) if given else {}
    if predictions is not None:
        rows, first = read_predictions(predictions, scoring, first)
    _check_negated(negated, given, rows)
    keys = [*(given.by_key if given else ()), *(key for of_target in rows.values() for key in of_target.runs)]
    check_keys(dict.fromkeys(keys))
    known.check_tasks(tasks_of(keys))
    targets: dict[str, TargetRuns] = {}
    cards: dict[str, StudiedTask] = {}
    for name, of_target in rows.items():
        cards[name], targets[name] = runs_of_rows(of_target, scoring)
        if given:
            _check_scores(given, scores_of(targets[name], name), of_target)
    if given:
        targets |= given_runs(given, without=rows)
    files = tuple(Path(table) for table in (scores, predictions, facts) if isinstance(table, str | Path))
    name = files[0].stem if isinstance(predictions if scores is None else scores, str | Path) else "scores"
    notices = [
        *([given.describe_scale()] if given else []),
        *_describe_test_sets(targets, first),
        *_describe_names(keys),
        *([_NOT_USED] if predictions is None and asked else []),
    ]
    tasks = tuple(known.card(_card(task, targets, cards)) for task in tasks_of(keys))
    if one := differ_in_case(name for card in tasks for name in card.test_sets):
        raise InputError(f"test_set: found {' and '.join(one)}; expected names that differ in more than case")
    return Tables(name, tasks, targets, given.stated if given else {}, tuple(notices), known, files)


def _check_negated(negated: Sequence[str], given: Scores | None, rows: Collection[str]) -> None:
    """Raise ``InputError`` if a metric scores one of the targets whose scores are negated."""
    if by_metric := [name for name in negated if given is None or name in rows]:
        raise InputError(
            f"--smaller-is-better {quoted(by_metric[0])}: its metric scores it; expected a task of scores alone"
        )


def _card(task: str, targets: Mapping[str, TargetRuns], cards: Mapping[str, StudiedTask]) -> StudiedTask:
    """Return what is known of a task, with all its test sets.

    Raises
    ------
    InputError
        If only some of its test sets have predictions.
    """
    names = [name for name in targets if target_of(name) == task]
    metrics = {targets[name].metric for name in names}
    if len(metrics) > 1:
        without = next(name for name in names if targets[name].metric == GIVEN_SCORE)
        raise InputError(f"predictions: found none of {without}; expected some of every test set of {task}, or of none")
    known = [cards[name] for name in names if name in cards]
    if not known:
        sizes = {split_of(test_set_of(name)): 0 for name in names if test_set_of(name)}
        return StudiedTask(task, task, UNKNOWN, GIVEN_SCORE, UNKNOWN, sizes)
    first = next(card for card in known if "test" in card.sizes)
    sizes = {split: size for card in (first, *known) for split, size in card.sizes.items()}
    prints = [first.fingerprint, *(card.fingerprint for card in known if card is not first)]
    fingerprint = prints[0] if len(prints) == 1 else sha256(json.dumps(prints).encode()).hexdigest()[:16]
    return replace(first, sizes=sizes, fingerprint=fingerprint)


def _describe_test_sets(targets: Collection[str], first: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each target that has several test sets."""
    for task in dict.fromkeys(map(target_of, targets)):
        further = [test_set_of(name) for name in targets if target_of(name) == task and test_set_of(name)]
        if further:
            name = test_set_of(first[task])
            shown = f"test set {name}" if name else "the test set without a name"
            yield f"{task}: edges.csv and the graph show {shown}; further test sets: {', '.join(further)}"


def _describe_names(keys: Iterable[Key]) -> Iterator[str]:
    """Yield a line for each source of one run only that resembles another task: it may be misspelt."""
    runs = dict.fromkeys(keys)
    targets, of_source = (
        {target_of(target) for target, _, _ in runs},
        Counter(source for _, source, _ in runs if source),
    )
    for source, n_runs in of_source.items():
        if n_runs == 1 and source not in targets and (hint := meant(source, {*targets, *of_source} - {source})):
            yield f"source {source}: only one run has it{hint}"


def given_runs(scores: Scores, without: Collection[str] = ()) -> dict[str, TargetRuns]:
    """Return the runs of each target of which only scores are known: the counts are one row with the score."""
    keys: dict[str, list[Key]] = {}
    for key in scores.by_key:
        if key[0] not in without:
            keys.setdefault(key[0], []).append(key)
    targets = {}
    for target, of_target in keys.items():
        step = scores.step(target)
        counts = np.array([[[scores.by_key[key], 1.0, step]] for key in of_target])
        _, sources, seeds = zip(*of_target, strict=True)
        targets[target] = TargetRuns(GIVEN_SCORE, sources, seeds, {GIVEN_SCORE: counts})
    return targets


def _check_scores(given: Scores, computed: Mapping[Key, float], rows: TargetRows) -> None:
    """Raise ``InputError`` unless both tables have the same runs of a target, with the same scores."""
    for key, score in computed.items():
        if key not in given.by_key:
            raise input_error(rows.places[key], f"predictions of {describe_key(key)}", "a row of its score, too")
        if abs(given.by_key[key] - score) > ROUNDING:
            found = f"{given.by_key[key]:.4f}, but the predictions give {rows.metric or 'counts of'} {score:.4f}"
            raise input_error(f"{given.places[key]}: score", found, "the score of the predictions")
    for key, where in given.places.items():
        if key[0] == rows.name and key not in computed:
            raise input_error(where, f"a score of {describe_key(key)} without predictions", "predictions of it, too")
