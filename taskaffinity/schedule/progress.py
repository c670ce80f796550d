"""How a plan stands, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from taskaffinity.runs.spec import RunSpec


@dataclass(frozen=True)
class Progress:
    """How a plan stands."""

    total: int
    done: int
    """Of ``total``, those found finished at the start included."""
    running: tuple[str, ...]
    """Names of runs under way."""
    failed: int
    seconds_left: float | None
    """Expected, from what is finished; before that from a forecast, or None."""


@dataclass
class Report:
    """What came of a plan."""

    planned: int = 0
    """Runs asked for, those found finished included."""
    trained: list[RunSpec] = field(default_factory=list)
    """Here; what another process finished meanwhile is in ``found``."""
    found: list[RunSpec] = field(default_factory=list)
    failed: dict[RunSpec, str] = field(default_factory=dict)
    """The plain reason of each."""
    seconds: float = 0.0
    workers: int = 1
    """Runs that went at once."""
