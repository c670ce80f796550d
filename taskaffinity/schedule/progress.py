"""How a plan stands, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from taskaffinity.runs.spec import RunSpec

if TYPE_CHECKING:
    pass


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


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 20 s``, ``2 h 05 min``.

    Examples
    --------
    >>> duration(200)
    '3 min 20 s'
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
