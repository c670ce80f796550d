"""Divide one file into parts of exact sizes, with the class shares of the whole.

Rows of one document stay together, and so do rows with equal texts, unless that would chain many documents. Such rows
are a *unit*. Large units are placed first, and each goes where it adds least to the squared differences between the
counts of the parts and their targets.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from taskaffinity.tasks.compared_text import whole_input
from taskaffinity.tasks.kinds import Kind
from taskaffinity.tasks.rows import names_in
from taskaffinity.tasks.task import Example, Split

_ALL = ""
"""Stands for all examples among the classes; no class has this name."""


@dataclass(frozen=True)
class _Unit:
    """Examples that must be in one part."""

    ids: tuple[str, ...]
    counts: Mapping[str, int]
    """Number of examples, or of mentions, by class; and of all examples."""

    @property
    def size(self) -> int:
        return self.counts[_ALL]


def draw_parts(examples: Sequence[Example], percent: Mapping[Split, int], kind: Kind) -> dict[str, Split]:
    """Return the part of each example, by id; the order of the examples does not matter.

    Parameters
    ----------
    percent : mapping of split to int
        Shares that add up to 100.
    """
    sizes = _sizes(len(examples), percent)
    units = _units(examples, kind, limit=min(sizes.values()))
    totals: Counter[str] = Counter()
    for unit in units:
        totals.update(unit.counts)
    parts = [_Part(part, share / 100, sizes[part]) for part, share in percent.items()]
    drawn: dict[str, Split] = {}
    placed: Counter[str] = Counter()
    for unit in sorted(units, key=lambda unit: _order(unit, totals)):
        fitting = [part for part in parts if part.room >= unit.size]
        placed.update(unit.counts)
        best = min(fitting, key=lambda part: part.cost(unit, totals, placed)) if fitting else max(parts, key=_room)
        best.take(unit)
        drawn.update(dict.fromkeys(unit.ids, best.name))
    return drawn


@dataclass
class _Part:
    """A part that is filled."""

    name: Split
    share: float
    room: int
    """Number of examples that it lacks."""
    counts: dict[str, int] = field(default_factory=dict)
    """Number of its examples or mentions by class, and of all its examples."""

    def cost(self, unit: _Unit, totals: Mapping[str, int], placed: Mapping[str, int]) -> float:
        """Return what the unit adds to the squared relative differences from the targets.

        A target is the share of what is placed so far, this unit included.
        """
        added = 0.0
        for name, n in unit.counts.items():
            added += n * (n + 2 * (self.counts.get(name, 0) - self.share * placed[name])) / totals[name]
        return added

    def take(self, unit: _Unit) -> None:
        """Place the unit here."""
        self.room -= unit.size
        for name, n in unit.counts.items():
            self.counts[name] = self.counts.get(name, 0) + n


def _room(part: _Part) -> int:
    return part.room


def _order(unit: _Unit, totals: Mapping[str, int]) -> tuple[int, int, list[str], bytes]:
    """Large units first, then those of rare classes; units of the same classes by a hash."""
    rarest = min(totals[name] for name in unit.counts)
    return -unit.size, rarest, sorted(unit.counts), hashlib.sha256(min(unit.ids).encode()).digest()


def _sizes(n: int, percent: Mapping[Split, int]) -> dict[Split, int]:
    """Return the size of each part: rounded down, and the rest to the largest remainders."""
    sizes = {part: n * share // 100 for part, share in percent.items()}
    by_remainder = sorted(percent, key=lambda part: -(n * percent[part] % 100))
    for part in by_remainder[: n - sum(sizes.values())]:
        sizes[part] += 1
    return sizes


def _units(examples: Sequence[Example], kind: Kind, limit: int) -> list[_Unit]:
    """Join the examples of a document, and those with equal texts.

    Equal texts may chain documents, in the end all of them. They join documents only to units of ``limit`` examples.
    """
    parent = list(range(len(examples)))
    size = [1] * len(examples)

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def join(numbers: Iterable[int]) -> None:
        first, *others = sorted({root(number) for number in numbers})
        for other in others:
            parent[other] = first
            size[first] += size[other]

    documents, texts = _places(example.document for example in examples), _places(map(whole_input, examples))
    documents.pop("", None)
    for numbers in documents.values():
        join(numbers)
    for _, numbers in sorted(texts.items()):
        has_document = any(examples[number].document for number in numbers)
        if not has_document or sum(size[one] for one in {root(number) for number in numbers}) <= limit:
            join(numbers)
    members: dict[int, list[Example]] = {}
    for number, example in enumerate(examples):
        members.setdefault(root(number), []).append(example)
    return [_unit(of_unit, kind) for of_unit in members.values()]


def _places(names: Iterable[str]) -> dict[str, list[int]]:
    """Return the places of each name."""
    found: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        found.setdefault(name, []).append(number)
    return found


def _unit(examples: Sequence[Example], kind: Kind) -> _Unit:
    counts = Counter(name for example in examples for name in names_in(example, kind))
    counts[_ALL] = len(examples)
    return _Unit(tuple(example.id for example in examples), counts)
