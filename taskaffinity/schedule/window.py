"""Choose in which order, and how many at once, runs are submitted."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence

from taskaffinity.runs.spec import RunSpec

_PER_SLOT = 2
"""Submitted runs per run that can be trained at once, so that the next one is ready when one ends."""
_LEAST = 100
"""The smallest number of submitted runs. A cluster that grows with its queue sees this demand."""


def submission_order(runs: Iterable[RunSpec], cost_of: Callable[[RunSpec], float]) -> list[RunSpec]:
    """Sort runs: first those that start from no other run, the costliest first."""
    return sorted(runs, key=lambda spec: (len(spec.lineage), -cost_of(spec)))


def window_size(n_slots: int) -> int:
    """Return how many runs are submitted if ``n_slots`` runs can be trained at once."""
    return max(_LEAST, _PER_SLOT * n_slots)


class Window:
    """The submitted runs that have not ended, at most ``size``.

    A run enters once, in the given order, and only after the run that it starts from has ended. Runs that wait for
    another run take no place. A postponed run enters again.

    Parameters
    ----------
    runs : sequence of RunSpec
        Distinct runs.
    size : int
        The size may change at any time.
    """

    def __init__(self, runs: Sequence[RunSpec], size: int) -> None:
        self.size = size
        self._runs = runs
        self._places = {spec: place for place, spec in enumerate(runs)}
        self._submitted: set[RunSpec] = set()
        self._waiting: dict[RunSpec, list[int]] = {}
        self._ready: list[int] = []  # a heap of positions in the order
        unfinished = set(runs)
        for place, spec in enumerate(runs):
            if spec.parent is not None and spec.parent in unfinished:
                self._waiting.setdefault(spec.parent, []).append(place)
            else:
                self._ready.append(place)

    def fill(self) -> list[RunSpec]:
        """Return the runs to submit now; from now on they count as submitted."""
        room = self.size - len(self._submitted)
        entering = [self._runs[heapq.heappop(self._ready)] for _ in range(min(room, len(self._ready)))]
        self._submitted.update(entering)
        return entering

    def postpone(self, spec: RunSpec) -> None:
        """Take out a submitted run, until ``put_back``; runs that start from it still wait.

        Raises
        ------
        KeyError
            If the run is not submitted.
        """
        self._submitted.remove(spec)

    def put_back(self, spec: RunSpec) -> None:
        """Let a postponed run enter again, in its place of the order."""
        heapq.heappush(self._ready, self._places[spec])

    def end(self, spec: RunSpec) -> None:
        """Remove a run that ended.

        Raises
        ------
        KeyError
            If the run is not submitted.
        """
        self._submitted.remove(spec)
        for place in self._waiting.pop(spec, ()):
            heapq.heappush(self._ready, place)
