"""Describe the progress of a plan in training, and the report at its end."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from taskaffinity.errors import printable
from taskaffinity.runs.heartbeat import Heartbeat
from taskaffinity.runs.spec import RunSpec

_MANY = 8
"""Runs that failed for one reason, above which they have one line together: those of a cluster that is gone."""


@dataclass(frozen=True)
class EndedRun:
    """One run that ended."""

    name: str
    seconds: float | None = None
    """Duration of the run; None if it failed."""
    dev: Mapping[str, float] = field(default_factory=dict)
    """Best dev score of each task, as a fraction."""
    reason: str | None = None
    """Why it failed; None if it is done."""


@dataclass(frozen=True)
class Progress:
    """State of a plan."""

    total: int
    done: int
    """Finished runs, including those of earlier commands."""
    running: tuple[str, ...]
    """Names of the running runs."""
    failed: int
    seconds_left: float | None
    """Expected seconds until all runs are done; None while unknown."""
    heartbeats: Mapping[str, Heartbeat] = field(default_factory=dict)
    """Progress of the running runs, by name; a run without one is loading or evaluating test."""
    ended: tuple[EndedRun, ...] = ()
    """Runs that ended since the last ``Progress``."""


@dataclass
class Report:
    """Result of training a plan."""

    planned: int = 0
    """Requested runs, finished ones included."""
    trained: list[RunSpec] = field(default_factory=list)
    """Runs trained by this process."""
    found: list[RunSpec] = field(default_factory=list)
    """Runs that another process finished during this training."""
    failed: dict[RunSpec, str] = field(default_factory=dict)
    """Failed runs and their reasons."""
    seconds: float = 0.0
    workers: int = 1
    """Number of runs at once."""


def duration(seconds: float) -> str:
    """Format seconds: ``42 s``, ``3 min 20 s``, ``2 h 05 min``.

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


def about(seconds: float) -> str:
    """Format seconds of a forecast, rounded: ``about 40 s``, ``about 3 min 30 s``, ``about 2 h 10 min``.

    Examples
    --------
    >>> about(4), about(61), about(200), about(610), about(7200), about(7900)
    ('about 10 s', 'about 1 min', 'about 3 min 30 s', 'about 10 min', 'about 2 h', 'about 2 h 10 min')
    """
    step = next(step for limit, step in ((120, 10), (600, 30), (3600, 60), (math.inf, 600)) if seconds < limit)
    return f"about {duration(max(1, round(seconds / step)) * step).removesuffix(' 00 s').removesuffix(' 00 min')}"


def describe_scores(scores: Mapping[str, float]) -> str:
    """Format dev scores in points: ``dev mednli 71.3, i2b2 80.2``; empty without scores.

    Examples
    --------
    >>> describe_scores({"mednli": 0.7131})
    'dev mednli 71.3'
    """
    return f"dev {', '.join(f'{name} {100 * score:.1f}' for name, score in scores.items())}" if scores else ""


def describe_heartbeat(beat: Heartbeat) -> str:
    """Format the progress of a run: ``epoch 2/10, 43%, dev mednli 71.3, 120 examples/s``.

    Examples
    --------
    >>> describe_heartbeat(Heartbeat(2, 10, 0.43, 119.7, {"mednli": 0.7131}))
    'epoch 2/10, 43%, dev mednli 71.3, 120 examples/s'
    >>> describe_heartbeat(Heartbeat(5, 10, 0.43, continued_in=4))
    'epoch 5/10, 43%, continued from epoch 4'
    """
    speed = f"{beat.examples_per_second:.0f} examples/s" if beat.examples_per_second else ""
    continued = f"continued from epoch {beat.continued_in}" if beat.continued_in else ""
    parts = (
        f"epoch {beat.epoch}/{beat.epochs}",
        f"{100 * beat.share:.0f}%",
        describe_scores(beat.dev),
        speed,
        continued,
    )
    return ", ".join(part for part in parts if part)


def describe_progress(progress: Progress) -> str:
    """Return one line: runs done, running and failed, and the expected time left."""
    parts = [f"{progress.done}/{progress.total} runs done"]
    if progress.running:
        parts.append(f"{len(progress.running)} running")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if progress.seconds_left:
        parts.append(f"about {duration(progress.seconds_left)} left")
    return ", ".join(parts)


def describe_ended(ended: EndedRun) -> str:
    """Return one line: a run's name, duration and dev scores, or why it failed."""
    if ended.reason is not None:
        return f"failed: {ended.name}: {printable(ended.reason)}"
    spent = f" in {duration(ended.seconds)}" if ended.seconds is not None else ""
    scores = describe_scores(ended.dev)
    return f"done: {ended.name}{spent}{f': {scores}' if scores else ''}"


def describe_failures(failed: Mapping[RunSpec, str], root: Path) -> list[str]:
    """One line for each failed run of the results folder ``root``; one line for many that failed for one reason.

    Examples
    --------
    >>> describe_failures({}, Path("results"))
    []
    """
    counts = Counter(failed.values())
    lines = dict[RunSpec | str, str]()
    for spec, reason in failed.items():
        is_common = counts[reason] > _MANY
        what = f"{counts[reason]} runs in {root / 'runs'}" if is_common else str(root / "runs" / spec.run_id)
        lines[reason if is_common else spec] = f"failed: {what}: {printable(reason)}"
    return list(lines.values())
