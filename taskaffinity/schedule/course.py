"""Follow a plan in training: ended runs, running runs, and the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from taskaffinity.runs.heartbeat import Heartbeat
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule.progress import EndedRun, Progress, Report
from taskaffinity.schedule.time_left import TimeLeft
from taskaffinity.schedule.worker import FOUND_DONE, Event, Finished

_READ_SECONDS = 1.0
"""Shortest time between two reads of the heartbeats, in seconds."""


class Course:
    """Follows the events of an executor and gives the progress of the plan."""

    def __init__(
        self,
        report: Report,
        pending: Sequence[RunSpec],
        store: RunStore,
        cost: Callable[[RunSpec], float],
        *,
        is_seconds: bool,
    ) -> None:
        self._report, self._store = report, store
        self._n_before = report.planned - len(pending)
        self._costs = {spec.run_id: cost(spec) for spec in pending}
        self._ended_cost = 0.0
        self._running: tuple[str, ...] = ()
        self._ended: list[EndedRun] = []
        self._beats: dict[str, Heartbeat] = {}
        self._before: dict[str, float] = {}
        """Share of a run that was done before this command: that of its first heartbeat if it was resumed."""
        self._read_at = 0.0
        self._left = TimeLeft(sum(self._costs.values()), is_seconds=is_seconds)

    def take(self, event: Event) -> None:
        """Take an event: a run that ended, or the running runs."""
        if not isinstance(event, Finished):
            self._running = event
            return
        spec, reason = event.spec, event.reason
        cost = self._costs[spec.run_id] * (1 - self._before.get(spec.run_id, 0.0))
        if reason is None:
            self._ended_cost += cost
        else:
            self._left.drop(cost)  # this machine has not trained it, so it says nothing on its speed
        self._running = tuple(name for name in self._running if name != spec.run_id)
        if reason is None:
            self._report.trained.append(spec)
            self._ended.append(self._trained(spec))
        elif reason == FOUND_DONE:
            self._report.found.append(spec)
        else:
            self._report.failed[spec] = reason
            self._ended.append(EndedRun(spec.run_id, reason=reason))

    def progress(self) -> Progress:
        """Return the progress now; a run that ended is in one ``Progress`` only."""
        self._read_heartbeats()
        beats = {name: beat for name, beat in self._beats.items() if name in self._running}
        done_cost = self._ended_cost + sum(self._costs[name] * self._share_here(name) for name in beats)
        report, ended = self._report, tuple(self._ended)
        self._ended.clear()
        n_done = self._n_before + len(report.trained) + len(report.found)
        left = self._left.update(done_cost, report.workers)
        return Progress(report.planned, n_done, self._running, len(report.failed), left, beats, ended)

    def _read_heartbeats(self) -> None:
        now = time.monotonic()
        if now - self._read_at < _READ_SECONDS:
            return
        self._read_at = now
        read = {name: Heartbeat.read(self._store.root / "runs" / name) for name in self._running}
        self._beats = {name: beat for name, beat in read.items() if beat is not None}
        for name, beat in self._beats.items():
            if name not in self._before:
                self._before[name] = beat.share_of_run if beat.continued_in is not None else 0.0
                self._left.drop(self._costs[name] * self._before[name])

    def _share_here(self, name: str) -> float:
        """Return the share of a running run that this command has trained."""
        return max(0.0, self._beats[name].share_of_run - self._before[name])

    def _trained(self, spec: RunSpec) -> EndedRun:
        if spec.probe is not None:
            return EndedRun(spec.run_id)
        try:
            result = self._store.get(spec)
        except (ValueError, OSError):  # analysis reports it; the other runs continue
            result = None
        if result is None:
            return EndedRun(spec.run_id)
        dev = {name: outcome.dev_score for name, outcome in result.outcomes.items()}
        return EndedRun(spec.run_id, result.work.get("total_seconds"), dev)
