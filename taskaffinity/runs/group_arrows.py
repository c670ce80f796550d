"""Group arrows: what tasks add to a target, alone or beside the rest of the set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from taskaffinity.errors import STRICT, InputError, meant, quoted
from taskaffinity.runs.spec import TaskName

LEAVE_ONE_OUT = "leave-one-out"
"""Word for the arrows from every task to every other, given all others."""


@dataclass(frozen=True)
class GroupArrow:
    """What ``sources`` add to the score of ``target`` if ``given`` are trained with it in both arms.

    Without ``given`` and with one source it is the arrow of a pair.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    sources: Annotated[tuple[TaskName, ...], Field(min_length=1)]
    """In the order of the suite."""
    target: TaskName
    given: tuple[TaskName, ...] = ()
    """In the order of the suite."""

    @property
    def with_sources(self) -> frozenset[str]:
        """Tasks of the arm with the sources."""
        return frozenset((*self.sources, *self.given, self.target))

    @property
    def without_sources(self) -> frozenset[str]:
        """Tasks of the arm that it is compared with."""
        return frozenset((*self.given, self.target))

    @property
    def name(self) -> str:
        """``A+B>t``; with ``given``, ``A>t|C+D``."""
        return f"{'+'.join(self.sources)}>{self.target}{'|' * bool(self.given)}{'+'.join(self.given)}"


def leave_one_out(tasks: Sequence[str]) -> tuple[GroupArrow, ...]:
    """Return what each task adds to each other, given all the rest.

    Examples
    --------
    >>> [arrow.name for arrow in leave_one_out(["a", "b", "c"])][:3]
    ['a>b|c', 'a>c|b', 'b>a|c']
    >>> [arrow.name for arrow in leave_one_out(["a", "b"])]
    ['a>b', 'b>a']
    """
    return tuple(
        GroupArrow((source,), target, tuple(name for name in tasks if name not in (source, target)))
        for source in tasks
        for target in tasks
        if source != target
    )


def parse_groups(texts: Sequence[str], tasks: Sequence[str]) -> tuple[GroupArrow, ...]:
    """Return the arrows that texts ask for, each once: ``leave-one-out``, or ``A+B>t`` with names of tasks.

    Raises
    ------
    InputError
        If a text is neither, or names no task of the suite.

    Examples
    --------
    >>> parse_groups(["b+a>c"], ["a", "b", "c"])[0].sources
    ('a', 'b')
    """
    found: list[GroupArrow] = []
    for text in texts:
        if text.strip() == LEAVE_ONE_OUT:
            found += leave_one_out(tasks)
            continue
        left, arrow, target = (part.strip() for part in text.partition(">"))
        sources = [name.strip() for name in left.split("+")]
        if not arrow or not target or "" in sources:
            hint = meant(text, [LEAVE_ONE_OUT]) or f", such as {'+'.join(tasks[:2])}>{tasks[-1]}"
            raise InputError(f"--groups: found {quoted(text)}; expected {LEAVE_ONE_OUT}, or A+B>T with tasks{hint}")
        for name in (*sources, target):
            if name not in tasks:
                there = f"there are {', '.join(tasks)}{meant(name, tasks)}"
                raise InputError(f"--groups {text}: no task {quoted(name)}; {there}")
        if len({*sources, target}) < len(sources) + 1:
            raise InputError(f"--groups {text}: a task is named twice")
        found.append(GroupArrow(tuple(name for name in tasks if name in sources), target))
    return tuple(dict.fromkeys(found))
