"""The order in which runs are submitted, and how many are submitted at once."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence

from taskaffinity.runs.spec import RunSpec

_PER_SLOT = 2
"""Submitted runs per run that can be trained at once: the next one is there when one ends."""
_LEAST = 100
"""Submitted runs at least; a cluster that grows with its queue sees this demand."""


def submission_order(runs: Iterable[RunSpec], cost_of: Callable[[RunSpec], float]) -> list[RunSpec]:
    """The runs, those that start from no other first; among these the costliest first."""
    return sorted(runs, key=lambda spec: (len(spec.lineage), -cost_of(spec)))


def window_size(n_slots: int) -> int:
    """Number of runs that are submitted at once where ``n_slots`` runs can be trained at once."""
    return max(_LEAST, _PER_SLOT * n_slots)


class Window:
    """The runs that are submitted and have not ended: at most ``size``.

    A run enters in the order given, once, and not before the run that it starts from has ended. Runs that wait for
    another one take no place.

    Parameters
    ----------
    runs : sequence of RunSpec
        Without repeats.
    size : int
        May be changed at any time.
    """

    def __init__(self, runs: Sequence[RunSpec], size: int) -> None:
        self.size = size
        self._runs = runs
        self._submitted: set[RunSpec] = set()
        self._waiting: dict[RunSpec, list[int]] = {}
        self._ready: list[int] = []  # a heap of places in the order
        unfinished = set(runs)
        for place, spec in enumerate(runs):
            if spec.parent is not None and spec.parent in unfinished:
                self._waiting.setdefault(spec.parent, []).append(place)
            else:
                self._ready.append(place)

    def fill(self) -> list[RunSpec]:
        """The runs to submit now; they are submitted from here on."""
        room = self.size - len(self._submitted)
        entering = [self._runs[heapq.heappop(self._ready)] for _ in range(min(room, len(self._ready)))]
        self._submitted.update(entering)
        return entering

    def end(self, spec: RunSpec) -> None:
        """Take out a run that was trained, found or failed.

        Raises
        ------
        KeyError
            If it is not submitted.
        """
        self._submitted.remove(spec)
        for place in self._waiting.pop(spec, ()):
            heapq.heappush(self._ready, place)
