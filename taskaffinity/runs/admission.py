"""Which pairs a sequential design measures, if estimates decide: a part of the study, so that it never changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from taskaffinity.errors import STRICT
from taskaffinity.runs.spec import RunSpec, TaskName
from taskaffinity.runs.stored.json_files import Amount

MOST_ERRORS = 100.0
"""Largest bound of an admission, in standard errors."""


@dataclass(frozen=True)
class RankedPair:
    """A pair of tasks and how far its estimates are from zero."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    tasks: tuple[TaskName, TaskName]
    """In the order of the suite."""
    errors: Amount | None
    """Standard errors from zero to the estimate, of the arrow that is further away. None if an arrow has no usable
    estimate."""
    admitted: bool
    """Whether the design measures the pair. If not, it is *deferred*."""


@dataclass(frozen=True)
class Admission:
    """The pairs that a sequential design measures, and those that it defers."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    at: Annotated[float, Field(ge=0, le=MOST_ERRORS)]
    """A pair is admitted if one of its estimates is this many standard errors from zero, or has no error."""
    pairs: tuple[RankedPair, ...]
    """Every pair: the furthest from zero first, then those without a usable estimate."""

    @property
    def admitted(self) -> tuple[RankedPair, ...]:
        """The pairs that the design measures, in the order of ``pairs``."""
        return tuple(pair for pair in self.pairs if pair.admitted)

    @property
    def deferred(self) -> tuple[RankedPair, ...]:
        """The other pairs."""
        return tuple(pair for pair in self.pairs if not pair.admitted)

    @cached_property
    def _place(self) -> dict[frozenset[str], int]:
        return {frozenset(pair.tasks): place for place, pair in enumerate(self.pairs)}

    @cached_property
    def _deferred(self) -> frozenset[frozenset[str]]:
        return frozenset(frozenset(pair.tasks) for pair in self.deferred)

    def defers(self, source: str, target: str) -> bool:
        """Whether the pair of these tasks is deferred."""
        return frozenset((source, target)) in self._deferred

    def runs(self, specs: tuple[RunSpec, ...]) -> tuple[RunSpec, ...]:
        """Return the runs of a study without those of deferred pairs.

        Parents come first. The runs of pairs follow all others, those of the first pair of ``pairs`` first.
        """
        kept = [spec for spec in specs if _pair_of(spec) not in self._deferred]
        return tuple(sorted(kept, key=lambda spec: (len(spec.lineage), self._place.get(_pair_of(spec), -1))))


def _pair_of(spec: RunSpec) -> frozenset[str]:
    """Return the tasks of a run and its partner; a run of a pair, and its compute-matched baselines, have two."""
    return frozenset((*spec.task_names, *((spec.partner[0],) if spec.partner else ())))


def admission_content(admission: Admission | None) -> dict[str, object] | None:
    """Return the object that ``--json`` prints; None if estimates decide nothing."""
    if admission is None:
        return None
    groups = {"admitted": admission.admitted, "deferred": admission.deferred}
    return {
        "at": admission.at,
        **{word: [{"tasks": list(one.tasks), "errors": one.errors} for one in pairs] for word, pairs in groups.items()},
    }
