"""A table of facts about the tasks of runs that were trained elsewhere: one row per fact.

Nobody needs it. It gives the notes on the training and the data that a study of this toolkit prints, and the metrics.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from taskaffinity.errors import has_controls, input_error, meant, named, quoted
from taskaffinity.runs.external.rows import read_rows
from taskaffinity.runs.external.scoring import SCORED_HERE, Scoring
from taskaffinity.runs.limits import MOST_EXAMPLES
from taskaffinity.runs.studied_task import Leak, StudiedTask, Undertrained
from taskaffinity.tasks.metrics import GIVEN_SCORE
from taskaffinity.tasks.numbers import finite_number, whole_number
from taskaffinity.tasks.reading import LEAST_LENGTH, MOST_LENGTH, Reading
from taskaffinity.tasks.splits import SPLITS, is_test, split_of
from taskaffinity.tasks.task import KINDS, METRICS_OF_KIND

COLUMNS = ("task", "fact", "of", "value")
FACTS: Mapping[str, str] = {
    "title": "",
    "kind": "",
    "metric": "",
    "negative": "",
    "size": "split",
    "used": "split",
    "long": "split",
    "unknown": "split",
    "repeated": "split",
    "max_length": "",
    "undertrained": "fault",
    "leak": "task",
}
"""Fact -> what its column ``of`` names."""
_LONGEST_TITLE = 200
_LEAK = re.compile(
    r"leak: (?P<number>[1-9][0-9,]{0,14}) (?:texts?|rows?) of (?P<task>\S+) (?P<split>\S+) "
    r"(?:whose documents? (?:is|are) )?also in (?P<other>\S+) (?P<other_split>\S+)"
)
_RANGES: Mapping[Literal["hardly", "climbing"], tuple[float, float]] = {"hardly": (-1e9, 10), "climbing": (2, 200)}
"""Fall of a loss in percent (a loss may rise), and rise of a score in points, from which a study says it. That every
score is 0 follows from the scores."""

Place = tuple[str, str, str]
"""Task, fact and what it is of."""


@dataclass(frozen=True)
class Facts:
    """The facts of a table."""

    values: Mapping[Place, Any] = field(default_factory=dict)
    """Task, fact and what it is of (a split, a fault; empty for others) -> value."""
    leaks: Sequence[Leak] = ()
    places: Mapping[Place, str] = field(default_factory=dict)
    """The row of each fact, and of the first leak from one task to another, for messages."""

    def scoring(self, given: Scoring) -> Scoring:
        """Return the metrics, kinds and negative classes of the tasks; what an option says holds."""
        metrics, negatives, kinds = (
            {task: value for (task, fact, _), value in self.values.items() if fact == what}
            for what in ("metric", "negative", "kind")
        )
        found = replace(given, known_metrics=metrics, known_negatives=negatives, kinds=kinds)
        for task, kind in kinds.items():
            metric = found.given_metric(task)
            if metric is not None and metric not in METRICS_OF_KIND[kind]:
                where = self.places[task, "kind", ""]
                raise input_error(
                    where, f"kind {kind} with the metric {metric}", f"{' or '.join(METRICS_OF_KIND[kind])}"
                )
        return found

    def check_tasks(self, tasks: Collection[str]) -> None:
        """Raise ``InputError`` if a fact is of a task that the other tables lack."""
        for (task, fact, of), where in self.places.items():
            for name in (task, of) if fact == "leak" else (task,):
                if name not in tasks:
                    raise input_error(where, f"task {quoted(name)}", f"a task of the other tables{meant(name, tasks)}")

    def card(self, card: StudiedTask) -> StudiedTask:
        """Return what is known of a task with its facts.

        Raises
        ------
        InputError
            If a split is none of the task, or its sizes contradict each other or the number of predictions.
        """
        splits = (*SPLITS, *map(split_of, card.test_sets))
        for (task, fact, of), where in self.places.items():
            if task == card.name and FACTS[fact] == "split" and of not in splits:
                raise input_error(f"{where}: of", f"split {named(of, splits)}", f"one of {', '.join(splits)}")
        sizes, used, long_rows = (self._by_split(card.name, fact) for fact in ("size", "used", "long"))
        for split, number in used.items():
            if number > sizes.get(split, -1):
                size = f"{sizes[split]:,} in all" if split in sizes else "no size of it"
                raise input_error(self.places[card.name, "used", split], f"{number:,} used of {split}, {size}", "fewer")
        for split, n_rows in card.sizes.items():
            if n_rows and used.get(split, n_rows) != n_rows:
                found, expected = f"{used[split]:,} used of {split}", f"{n_rows:,}, as there are predictions"
                raise input_error(self.places[card.name, "used", split], found, expected)
            if n_rows > sizes.get(split, n_rows):  # studies of older versions do not say how many were used
                found, expected = (
                    f"{sizes[split]:,} examples of {split}",
                    f"{n_rows:,} or more, as there are predictions",
                )
                raise input_error(self.places[card.name, "size", split], found, expected)
        self._check_leaks(card.name, splits, sizes)
        max_length = self.values.get((card.name, "max_length", ""))
        if long_rows and max_length is None:
            where = self.places[card.name, "long", next(iter(long_rows))]
            raise input_error(where, "long rows without a length", f"a row with the fact max_length of {card.name}")
        kind = card.kind if card.metric == GIVEN_SCORE else self.values.get((card.name, "kind", ""), card.kind)
        return replace(
            card,
            title=self.values.get((card.name, "title", ""), card.title),
            kind=kind,
            sizes=sizes | {split: size for split, size in card.sizes.items() if split not in sizes},
            used=used,
            long_rows=long_rows,
            unknown_tokens=self._by_split(card.name, "unknown"),
            repeated=self._by_split(card.name, "repeated"),
            reading=Reading(max_length=max_length),
        )

    def _check_leaks(self, task: str, splits: Collection[str], sizes: Mapping[str, int]) -> None:
        for leak in self.leaks:
            found = _LEAK.fullmatch(leak.line)
            if leak.task != task or found is None:
                continue
            where, number = self.places[task, "leak", leak.other], int(found["number"].replace(",", ""))
            if found["split"] not in splits:
                raise input_error(where, f"a leak to split {named(found['split'], splits)}", f"{', '.join(splits)}")
            if number > sizes.get(found["split"], number):
                raise input_error(where, f"{number:,} leaked of {found['split']}", f"{sizes[found['split']]:,} at most")

    def undertrained(self) -> tuple[Undertrained, ...]:
        """Return the tasks that were not trained to their end."""
        found = []
        for fault in _RANGES:
            rows = ((task, value) for (task, *fact), value in self.values.items() if fact == ["undertrained", fault])
            found += [Undertrained(task, fault, value) for task, value in rows]
        return tuple(found)

    def _by_split(self, task: str, what: str) -> dict[str, Any]:
        return {of: value for (name, fact, of), value in self.values.items() if (name, fact) == (task, what)}


def read_facts(table: Any) -> Facts:
    """Read a table with the columns task, fact, of and value.

    Parameters
    ----------
    table : path or DataFrame

    Raises
    ------
    InputError
        If a fact is unknown, is given twice, or has a value that it cannot have.
    """
    values: dict[Place, Any] = {}
    leaks: list[Leak] = []
    places: dict[Place, str] = {}
    for where, (task, fact, of, value) in read_rows(table, COLUMNS, ()):
        if fact not in FACTS:
            raise input_error(f"{where}: fact", named(fact, FACTS), f"one of {', '.join(FACTS)}{meant(fact, FACTS)}")
        if bool(of) != bool(FACTS[fact]):
            expected = f"a {FACTS[fact]}" if FACTS[fact] else f"nothing, for {fact}"
            raise input_error(f"{where}: of", named(of, ()) if of else "nothing", expected)
        key, found = (task, fact, of), _PARSERS[fact](f"{where}: value", task, of, value)
        if fact == "leak":
            leaks.append(Leak(task, of, found))
        elif key in values or (fact == "undertrained" and any((task, fact, one) in values for one in _RANGES)):
            raise input_error(where, f"{fact} of {quoted(task)} again", "it once")
        else:
            values[key] = found
        places.setdefault(key, where)
    return Facts(values, leaks, places)


def _title(where: str, task: str, of: str, value: str) -> str:
    if not value or len(value) > _LONGEST_TITLE or has_controls(value):
        raise input_error(where, named(value, ()), f"a title of 1 to {_LONGEST_TITLE} printable characters")
    return value


def _label(where: str, task: str, of: str, value: str) -> str:
    if not value:
        raise input_error(where, "nothing", "the class that F1 does not score")
    return value


def _one_of(legal: Collection[str]) -> Callable[[str, str, str, str], str]:
    def parse(where: str, task: str, of: str, value: str) -> str:
        if value not in legal:
            raise input_error(where, named(value, legal), f"one of {', '.join(legal)}{meant(value, legal)}")
        return value

    return parse


def _whole(least: int, most: int) -> Callable[[str, str, str, str], int]:
    def parse(where: str, task: str, of: str, value: str) -> int:
        number = whole_number(value.removesuffix(".0"))
        if number is None or not least <= number <= most:
            raise input_error(where, named(value, ()), f"a whole number from {least} to {most}")
        return number

    return parse


def _share(where: str, task: str, of: str, value: str) -> float:
    number = finite_number(value)
    if number is None or not 0 <= number <= 1:
        raise input_error(where, named(value, ()), "a share from 0 to 1")
    return number


def _factor(where: str, task: str, of: str, value: str) -> float:
    number = finite_number(value)
    if number is None or not 1 <= number <= MOST_EXAMPLES:
        raise input_error(where, named(value, ()), f"a number from 1 to {MOST_EXAMPLES}")
    return number


def _fault(where: str, task: str, of: str, value: str) -> float:
    least, most = next((legal for fault, legal in _RANGES.items() if fault == of), (0, 0))
    if not most:
        raise input_error(f"{where.removesuffix('value')}of", named(of, _RANGES), " or ".join(_RANGES))
    number = finite_number(value)
    if number is None or not least <= number <= most:
        raise input_error(where, named(value, ()), f"a number from {least:g} to {most:g}")
    return number


def _leak(where: str, task: str, of: str, value: str) -> str:
    found = _LEAK.fullmatch(value)
    is_of_both = found is not None and (found["task"], found["other"]) == (task, of)
    from_dev = found is not None and task == of and found["other_split"] == "dev" and is_test(found["split"])
    if found is None or not is_of_both or not (from_dev or found["other_split"] == "train"):
        raise input_error(where, "another text", f"the line of `data inspect` on a leak between {task} and {of}")
    return value


_PARSERS: Mapping[str, Callable[[str, str, str, str], Any]] = {
    "title": _title,
    "kind": _one_of(KINDS),
    "metric": _one_of(SCORED_HERE),
    "negative": _label,
    "size": _whole(0, MOST_EXAMPLES),
    "used": _whole(0, MOST_EXAMPLES),
    "long": _share,
    "unknown": _share,
    "repeated": _factor,
    "max_length": _whole(LEAST_LENGTH, MOST_LENGTH),
    "undertrained": _fault,
    "leak": _leak,
}


def facts_of(card: StudiedTask, max_length: int, negative: str | None) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of one task of a study."""
    rows: list[tuple[str, str, object]] = [("title", "", card.title)] * (card.title != card.name)
    if card.metric in SCORED_HERE and card.kind in KINDS:
        rows += [("kind", "", card.kind), ("metric", "", card.metric)]
    rows += [("negative", "", negative)] * (negative is not None)
    of_splits = {"size": card.sizes, "used": card.used, "long": card.long_rows}
    of_splits |= {"unknown": card.unknown_tokens, "repeated": card.repeated}
    rows += [(fact, split, value) for fact, by_split in of_splits.items() for split, value in by_split.items()]
    rows += [("max_length", "", card.reading.max_length or max_length)] * bool(card.long_rows)
    return ((card.name, fact, of, str(value)) for fact, of, value in rows)
