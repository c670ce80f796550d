"""How a study stands, from its results folder alone: what is done, running, failed and to do, and about how long it
takes yet. Nothing is written, and no process that trains is disturbed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

State = Literal["done", "running", "failed", "to do"]

STATES: tuple[State, ...] = ("done", "running", "failed", "to do")


@dataclass(frozen=True)
class Status:
    """How some runs of a study stand."""

    states: dict[RunSpec, State]
    """In the plan's order. *Running* is a run whose folder a process holds; *to do* includes one that was begun and
    stopped."""
    running_for: dict[RunSpec, float]
    """Seconds since each running one was begun, the longest first."""
    failures: dict[RunSpec, str]
    """The plain reason of each that failed."""
    seconds_left: float | None
    """Expected for what is running and to do, with as many runs at once as now, or one; None before a run ends."""

    def arms(self) -> dict[str, Counter[State]]:
        """How many runs of each arm are in each state."""
        found: dict[str, Counter[State]] = {}
        for spec, state in self.states.items():
            found.setdefault(spec.arm, Counter())[state] += 1
        return found

    def count(self, state: State) -> int:
        return sum(found == state for found in self.states.values())


def status_of(study: Study, store: RunStore, plan: Iterable[RunSpec], waiting: Collection[RunSpec]) -> Status:
    """Look at every run of ``plan``.

    Parameters
    ----------
    waiting
        Those of them that are not done.

    Raises
    ------
    ValueError
        If a ``result.json`` is broken.
    """
    waiting, now = set(waiting), time.time()
    states: dict[RunSpec, State] = {}
    running: dict[RunSpec, float] = {}
    failures: dict[RunSpec, str] = {}
    for spec in plan:
        state: State = "to do" if spec in waiting else "done"
        if state == "to do" and (at := store.claimed_at(spec)) is not None and store.is_held(spec):
            state, running[spec] = "running", max(0.0, now - at)
        elif state == "to do" and (reason := store.failure(spec)) is not None:
            state, failures[spec] = "failed", reason
        states[spec] = state
    longest = dict(sorted(running.items(), key=lambda entry: -entry[1]))
    return Status(states, longest, failures, _seconds_left(study, store, states, running))


def _seconds_left(
    study: Study, store: RunStore, states: dict[RunSpec, State], running: dict[RunSpec, float]
) -> float | None:
    """From the seconds of finished runs: the mean of those of the same arm and tasks, else by the number of examples,
    of the same arm if one of it is finished."""
    seconds = {spec: found for spec, state in states.items() if state == "done" and (found := store.seconds(spec))}
    if not seconds:
        return None
    alike: dict[tuple[str, ...], list[float]] = {}
    for spec, found in seconds.items():
        alike.setdefault((spec.arm, *spec.task_names), []).append(found)

    def expected(spec: RunSpec) -> float:
        if same := alike.get((spec.arm, *spec.task_names)):
            return fmean(same)
        near = [other for other in seconds if other.arm == spec.arm] or list(seconds)
        return study.cost(spec) * sum(seconds[other] for other in near) / sum(study.cost(other) for other in near)

    left = sum(expected(spec) for spec, state in states.items() if state == "to do")
    left += sum(max(0.0, expected(spec) - spent) for spec, spent in running.items())
    return left / max(1, len(running))
