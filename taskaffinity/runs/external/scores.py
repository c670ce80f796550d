"""A table of scores: one row per target, source and seed of runs that were trained elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, get_args

from taskaffinity.errors import InputError, input_error, meant, named, quoted
from taskaffinity.runs.external.keys import Key, first_test_sets, key_of, renamed, target_of
from taskaffinity.runs.external.rows import has_column, read_rows
from taskaffinity.runs.study import EvaluateAfter, InitFrom
from taskaffinity.tasks.given_score import SMALLEST_DIFFERENCE
from taskaffinity.tasks.numbers import finite_number

Scale = Literal["fraction", "point"]

COLUMNS = ("target", "source", "seed", "score")
STATED = ("evaluated_after", "init_from", "synthetic")
"""Optional columns that say how the runs were trained; each has one value."""
NEGATED = "smaller_is_better"
"""Key of ``Scores.stated`` with the targets whose scores were negated, joined by commas."""
_LEGAL: Mapping[str, tuple[str, ...]] = {
    "evaluated_after": get_args(EvaluateAfter),
    "init_from": get_args(InitFrom),
    "synthetic": ("false", "true"),
}
POINTS = 100.0


def negated_tasks(stated: Mapping[str, str]) -> list[str]:
    """Return the targets whose scores were negated, from ``Study.stated``."""
    return stated[NEGATED].split(", ") if NEGATED in stated else []


@dataclass(frozen=True)
class Scores:
    """The scores of a table."""

    by_key: Mapping[Key, float]
    """As fractions: accuracy in [0, 1], a correlation in [-1, 1]; larger is better. On a further test set the target is
    ``rte@notes``."""
    places: Mapping[Key, str]
    """The row of each, for messages."""
    scale: Scale
    """Unit of the scores in the table."""
    is_scale_given: bool
    stated: Mapping[str, str] = field(default_factory=dict)
    """Values of the columns ``STATED`` that the table has, and ``NEGATED``."""
    first: Mapping[str, str] = field(default_factory=dict)
    """By target, its first test set, as the table names it: ``rte@notes``."""

    def step(self, target: str) -> float:
        """Return the smallest difference of two scores of a target; 0 if all are equal."""
        scores = sorted(score for key, score in self.by_key.items() if key[0] == target)
        gaps = (after - before for before, after in pairwise(scores))
        return min((gap for gap in gaps if gap > SMALLEST_DIFFERENCE), default=0.0)

    def negated(self, targets: Collection[str]) -> Scores:
        """Return the scores with another sign for targets whose smaller scores are better, such as errors.

        Raises
        ------
        InputError
            If a target has no scores.
        """
        known = tuple(dict.fromkeys(target_of(key[0]) for key in self.by_key))
        for name in targets:
            if name not in known:
                raise InputError(f"--smaller-is-better {quoted(name)}: no scores of this task{meant(name, known)}")
        if not targets:
            return self
        by_key = {key: -score if target_of(key[0]) in targets else score for key, score in self.by_key.items()}
        names = ", ".join(name for name in known if name in targets)
        return replace(self, by_key=by_key, stated={**self.stated, NEGATED: names})

    def describe_scale(self) -> str:
        """One line that says in which unit and direction the scores were read."""
        unit = (
            "shares of 1, and a point is 0.01" if self.scale == "fraction" else "points, the unit of gains and margins"
        )
        why = "none is above 1" if self.scale == "fraction" else "some are above 1, and none above 100"
        line = f"scores are read as {unit} ({'as asked' if self.is_scale_given else why}); larger scores are better"
        names = self.stated.get(NEGATED)
        return f"{line}, except for {names}, whose scores are negated" if names else line


def read_scores(table: Any, scale: Scale | None = None) -> Scores:
    """Read a table with the columns target, source, seed and score.

    ``test_set`` may name the test set, and the columns ``STATED`` may say how the runs were trained.

    Parameters
    ----------
    table : path or DataFrame
    scale : {"fraction", "point"}, optional
        Unit of the scores. Default: fractions if no score is above 1, else points.

    Raises
    ------
    InputError
        If a cell cannot be read, a row occurs twice, or a score is out of range.
    """
    given: dict[Key, float] = {}
    places: dict[Key, str] = {}
    same: dict[str, str] = {}
    optional = [name for name in STATED if has_column(table, name)]
    for where, (target, source, seed, text, test_set, *more) in read_rows(table, COLUMNS, ("test_set", *optional)):
        key = key_of(where, target, source, seed, test_set)
        score = finite_number(text)
        if score is None:
            raise input_error(f"{where}: score", named(text, ("nan",)), "a finite number")
        if key in given:
            first = places[key].rpartition(": ")[2]
            raise input_error(where, f"the target, source and seed of {first} again", "one row for each")
        given[key], places[key] = score, where
        for name, value in zip(optional, more, strict=True):
            if value != same.setdefault(name, value):
                what = name.replace("_", " ")
                raise input_error(where, f"a second {what}", f"one {what}: give each a file and a results folder")
    first_sets = first_test_sets(key[0] for key in given)
    given = {renamed(key, first_sets): score for key, score in given.items()}
    places = {renamed(key, first_sets): where for key, where in places.items()}
    unit = scale or _scale_of(given)
    _check(given, places, unit)
    factor = POINTS if unit == "point" else 1.0
    stated = {name: _stated(name, same[name]) for name in STATED if same.get(name)}
    by_key = {key: score / factor for key, score in given.items()}
    return Scores(by_key, places, unit, scale is not None, stated, first_sets)


def _stated(name: str, value: str) -> str:
    found = value.lower()  # a data frame has True
    if found not in _LEGAL[name]:
        raise input_error(f"scores: {name}", named(value, _LEGAL[name]), " or ".join(_LEGAL[name]))
    return found


def _scale_of(given: Mapping[Key, float]) -> Scale:
    """Return the unit that the scores show.

    Raises
    ------
    InputError
        If no score of one target is above 1 and one of another is.
    """
    largest: dict[str, float] = {}
    for key, score in given.items():
        largest[key[0]] = max(abs(score), largest.get(key[0], 0.0))
    small, large = ([name for name, most in largest.items() if (most > 1) == above] for above in (False, True))
    if small and large:
        raise InputError(
            f"scores of {small[0]} are within 1, and scores of {large[0]} are above; give all in one unit, or say that "
            "this is one with --scale point"
        )
    return "point" if large else "fraction"


def _check(given: Mapping[Key, float], places: Mapping[Key, str], unit: Scale) -> None:
    most = POINTS if unit == "point" else 1.0
    for key, score in given.items():
        if abs(score) > most:
            raise input_error(f"{places[key]}: score", named(f"{score:g}", ()), f"a {unit} from {-most:g} to {most:g}")
