"""Read the state of a study from its results folder.

The state has finished, running, failed and pending runs, and the remaining time.

Nothing is written, and no process that trains is disturbed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

from taskaffinity.runs.heartbeat import Heartbeat, last_heartbeat
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

State = Literal["done", "running", "failed", "to do"]

STATES: tuple[State, ...] = ("done", "running", "failed", "to do")

_SILENT_SECONDS = 3600.0
"""Without a sign of life for so long, a run is not running, though its folder is held: a machine that is gone may leave
a lock on a file system that others share."""

_LATEST = 5
"""Finished runs in ``Status.latest``."""


@dataclass(frozen=True)
class DoneRun:
    """A finished run."""

    spec: RunSpec
    seconds: float | None
    """Duration of the run; None if its result does not say."""
    dev: Mapping[str, float]
    """Best dev score of each task, as a fraction."""


@dataclass(frozen=True)
class Status:
    """The state of some runs of a study."""

    states: dict[RunSpec, State]
    """In the plan's order. A run is *running* while a process holds its folder and has given a sign of life within the
    last hour. An interrupted run is *to do*."""
    running_for: dict[RunSpec, float]
    """Seconds since each running run began, the longest first."""
    failures: dict[RunSpec, str]
    """The reason of each failed run."""
    seconds_left: float | None
    """Expected seconds for the running and pending runs, with as many runs at once as now, at least one. None until a
    run has finished or reports its progress."""
    heartbeats: dict[RunSpec, Heartbeat] = field(default_factory=dict)
    """Progress of the running runs that report it."""
    latest: tuple[DoneRun, ...] = ()
    """The runs that finished last, newest first."""

    def arms(self) -> dict[str, Counter[State]]:
        """Return the number of runs of each arm in each state."""
        counts: dict[str, Counter[State]] = {}
        for spec, state in self.states.items():
            counts.setdefault(spec.arm, Counter())[state] += 1
        return counts

    def count(self, state: State) -> int:
        """Return the number of runs in a state."""
        return sum(other == state for other in self.states.values())


def status_of(study: Study, store: RunStore, plan: Iterable[RunSpec], pending: Collection[RunSpec]) -> Status:
    """Read the state of every run of ``plan``.

    Parameters
    ----------
    pending
        The runs of the plan that are not done.

    Raises
    ------
    ValueError
        If a ``result.json`` is broken.
    """
    pending, now = set(pending), time.time()
    states: dict[RunSpec, State] = {}
    running: dict[RunSpec, float] = {}
    failures: dict[RunSpec, str] = {}
    for spec in plan:
        state: State = "to do" if spec in pending else "done"
        if state == "to do" and (at := store.claimed_at(spec)) is not None and _is_running(store, spec, at, now):
            state, running[spec] = "running", max(0.0, now - at)
        elif state == "to do" and (reason := store.failure(spec)) is not None:
            state, failures[spec] = "failed", reason
        states[spec] = state
    running = dict(sorted(running.items(), key=lambda entry: -entry[1]))
    beats = {spec: beat for spec in running if (beat := Heartbeat.read(store.folder(spec))) is not None}
    left = _seconds_left(study, store, states, running, beats)
    return Status(states, running, failures, left, beats, _latest(store, states))


def _is_running(store: RunStore, spec: RunSpec, began: float, now: float) -> bool:
    sign = max(began, last_heartbeat(store.folder(spec)) or 0.0)
    return now - sign < _SILENT_SECONDS and store.is_held(spec)


def _latest(store: RunStore, states: dict[RunSpec, State]) -> tuple[DoneRun, ...]:
    ended = []
    for spec, state in states.items():
        if state == "done":
            try:
                ended.append(((store.folder(spec) / "result.json").stat().st_mtime, spec))
            except FileNotFoundError:
                continue
    latest = sorted(ended, key=lambda entry: -entry[0])[:_LATEST]
    runs = []
    for _, spec in latest:
        try:
            result = store.get(spec)
        except ValueError:  # analysis reports it; the status of the other runs is still valid
            continue
        if result is not None:
            dev = {name: outcome.dev for name, outcome in result.outcomes.items() if outcome.dev is not None}
            runs.append(DoneRun(spec, result.work.get("total_seconds"), dev))
    return tuple(runs)


def _seconds_left(
    study: Study,
    store: RunStore,
    states: dict[RunSpec, State],
    running: dict[RunSpec, float],
    beats: dict[RunSpec, Heartbeat],
) -> float | None:
    """Return the expected seconds, from the durations of finished runs.

    A run is expected to take the mean of the finished runs of its arm and tasks. Without such runs, its duration is
    proportional to its number of examples, as in the finished runs of its arm, or in all finished runs. The duration of
    a running run with a heartbeat follows from its share and its time so far.
    """
    seconds = {spec: spent for spec, state in states.items() if state == "done" and (spent := store.seconds(spec))}
    projected = {spec: running[spec] / beat.share_of_run for spec, beat in beats.items() if beat.has_pace}
    known = seconds or projected
    if not known:
        return None
    alike: dict[tuple[str, ...], list[float]] = {}
    near: dict[str | None, tuple[float, float]] = {}
    """Sums of the durations and of the costs of each arm's finished runs; of all of them under None."""
    for spec, spent in known.items():
        alike.setdefault((spec.arm, *spec.task_names), []).append(spent)
        for arm in (spec.arm, None):
            sum_spent, sum_cost = near.get(arm, (0.0, 0.0))
            near[arm] = sum_spent + spent, sum_cost + study.cost(spec)

    def expected(spec: RunSpec) -> float:
        if spec in projected:
            return projected[spec]
        if same := alike.get((spec.arm, *spec.task_names)):
            return fmean(same)
        sum_spent, sum_cost = near.get(spec.arm) or near[None]
        return study.cost(spec) * sum_spent / sum_cost

    left = sum(expected(spec) for spec, state in states.items() if state == "to do")
    for spec, spent in running.items():  # a resumed run began anew, so its time so far says nothing on its share
        is_resumed = spec in beats and beats[spec].continued_in is not None
        left += expected(spec) * (1 - beats[spec].share_of_run) if is_resumed else max(0.0, expected(spec) - spent)
    return left / max(1, len(running))
