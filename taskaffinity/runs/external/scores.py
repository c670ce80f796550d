"""A table of scores: one row per target, source and seed of runs that were trained elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from taskaffinity.errors import InputError, input_error, named
from taskaffinity.runs.external.rows import has_column, read_rows
from taskaffinity.runs.limits import MOST_SEED, MOST_SEEDS
from taskaffinity.tasks.numbers import finite_number, whole_number
from taskaffinity.tasks.task import A_NAME, is_name

Scale = Literal["fraction", "point"]

COLUMNS = ("target", "source", "seed", "score")
POINTS = 100.0
SMALLEST = 1e-9
"""Scores that differ by less are equal: programs add in different orders."""

Key = tuple[str, str, int]
"""Target, source (empty for a single-task run) and seed."""


@dataclass(frozen=True)
class Scores:
    """The scores of a table."""

    by_key: Mapping[Key, float]
    """As fractions: accuracy in [0, 1], a correlation in [-1, 1]."""
    places: Mapping[Key, str]
    """The row of each, for messages."""
    scale: Scale
    """Unit of the scores in the table."""
    is_scale_given: bool

    @property
    def tasks(self) -> tuple[str, ...]:
        """Targets in the order of the table, then sources that are no target."""
        return tuple(dict.fromkeys([*(key[0] for key in self.by_key), *(key[1] for key in self.by_key if key[1])]))

    def step(self, target: str) -> float:
        """Return the smallest difference of two scores of a target; 0 if all are equal."""
        scores = sorted(score for key, score in self.by_key.items() if key[0] == target)
        gaps = (after - before for before, after in pairwise(scores))
        return min((gap for gap in gaps if gap > SMALLEST), default=0.0)

    def describe_scale(self) -> str:
        """One line that says in which unit the scores were taken."""
        if self.is_scale_given:
            return f"scores are taken as {self.scale}s, as asked"
        why = "none is above 1" if self.scale == "fraction" else "some are above 1, and none above 100"
        return f"scores are taken as {self.scale}s, because {why}"


def key_of(where: str, target: str, source: str, seed: str) -> Key:
    """Return the target, source and seed of a row.

    Raises
    ------
    InputError
        If a name is no name of a task, the source is the target, or the seed is no whole number.
    """
    if "+" in source:
        raise input_error(f"{where}: source", "several tasks", "one task: only pairs give arrows")
    for column, name in (("target", target), ("source", source)):
        if not is_name(name) and (name or column == "target"):
            raise input_error(f"{where}: {column}", named(name, ()), A_NAME)
    if source == target:
        raise input_error(where, "a source that is the target", "another task, or nothing for a single-task run")
    number = whole_number(seed.removesuffix(".0"))  # a column with missing cells is of floats in pandas
    if number is None or number > MOST_SEED:
        raise input_error(f"{where}: seed", named(seed, ()), f"a whole number from 0 to {MOST_SEED}")
    return target, source, number


def read_scores(table: Any, scale: Scale | None = None) -> Scores:
    """Read a table with the columns target, source, seed and score; ``test_set`` may name one test set.

    Parameters
    ----------
    table : path or DataFrame
    scale : {"fraction", "point"}, optional
        Unit of the scores. Default: fractions if no score is above 1, else points.

    Raises
    ------
    InputError
        If a cell cannot be read, a row occurs twice, a score is out of range, there are several test sets or fewer than
        two tasks, or a target has no single-task row.
    """
    given: dict[Key, float] = {}
    places: dict[Key, str] = {}
    test_sets: set[str] = set()
    optional = ("test_set",) if has_column(table, "test_set") else ()
    for where, (target, source, seed, text, *more) in read_rows(table, COLUMNS, optional):
        key = key_of(where, target, source, seed)
        score = finite_number(text)
        if score is None:
            raise input_error(f"{where}: score", named(text, ("nan",)), "a finite number")
        if key in given:
            first = places[key].rpartition(": ")[2]
            raise input_error(where, f"the target, source and seed of {first} again", "one row for each")
        given[key], places[key] = score, where
        test_sets.update(more)
        if len(test_sets) > 1:
            raise input_error(where, "a second test set", "one test set: give each a file and a results folder")
    unit = scale or _scale_of(given)
    _check(given, places, unit)
    factor = POINTS if unit == "point" else 1.0
    scores = Scores(
        {key: score / factor for key, score in given.items()},
        places,
        unit,
        scale is not None,
    )
    _check_tasks(scores)
    return scores


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


def _check_tasks(scores: Scores) -> None:
    if not scores.by_key:
        raise InputError("scores: found no row; expected a row per target, source and seed")
    if len(scores.tasks) < 2:
        raise InputError(f"scores: found one task ({scores.tasks[0]}); expected two or more, and rows with a source")
    singles = {target for target, source, _ in scores.by_key if not source}
    for target in dict.fromkeys(key[0] for key in scores.by_key):
        if target not in singles:
            raise InputError(f"scores: found no single-task row of {target}; expected some, with an empty source")
    for source in dict.fromkeys(key[1] for key in scores.by_key):
        _check_number(source, len({key[2] for key in scores.by_key if key[1] == source}))
    if all(not source for _, source, _ in scores.by_key):
        raise InputError("scores: found no row with a source; expected pairs to compare with the single-task rows")


def _check_number(source: str, n_seeds: int) -> None:
    if n_seeds > MOST_SEEDS:
        what = f"with source {source}" if source else "of single-task rows"
        raise InputError(f"scores: found {n_seeds} seeds {what}; expected at most {MOST_SEEDS}")


def seeds_of(keys: Sequence[Key], *, single: bool) -> tuple[int, ...]:
    """Return the sorted seeds of the single-task rows, or of the rows with a source."""
    return tuple(sorted({seed for _, source, seed in keys if bool(source) != single}))
