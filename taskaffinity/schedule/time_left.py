"""Estimate the time left of a plan smoothly, from the observed speed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_PRIOR_SECONDS = 60.0
"""Weight of a cost model, in observed seconds."""
_FIRST_SHARE = 0.02
"""Share of the total cost before the first estimate without a cost model. Until then, workers start up."""
_SMOOTHING_SECONDS = 20.0
"""Time constant, in seconds, of the smoothing of the shown value."""
_MEMORY_SECONDS = 300.0
"""Least time constant, in seconds, with which older progress loses its weight in the speed."""
_MEMORY_SHARE = 0.25
"""The same, as a share of the time spent: a long plan is measured over a longer time."""
_SLOWEST = 0.25
"""Least speed, as a share of the mean speed since the start: a pause says little about what follows."""


class TimeLeft:
    """Estimates the time left; the value falls with the clock and follows new estimates smoothly.

    The speed is a mean in which older progress has less weight, so that it follows a machine that becomes slower.

    Parameters
    ----------
    total : float
        Cost of all runs, in any unit.
    is_seconds : bool
        Whether costs are seconds of one run by itself. Then an estimate exists before any progress.
    """

    def __init__(self, total: float, *, is_seconds: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._clock = total, clock
        self._began: float | None = None
        self._last = 0.0
        self._weight = _PRIOR_SECONDS if is_seconds else 0.0
        self._done = 0.0
        self._recent_done, self._recent_seconds, self._recent_weight = 0.0, 0.0, self._weight
        self._shown: float | None = None

    def drop(self, cost: float) -> None:
        """Take a run, or a part of it, out of the total: it failed, or another command has trained it."""
        self._total -= cost

    def update(self, done: float, workers: int) -> float | None:
        """Return the seconds left after ``done`` of the total cost; None while unknown.

        The first call starts the clock.
        """
        now = self._clock()
        if self._began is None:
            self._began = self._last = now
        elapsed, self._last = now - self._last, now
        self._observe(done, elapsed, now - self._began)
        if done >= self._total * (1 - 1e-9):
            self._shown = 0.0
        elif (estimate := self._estimate(done, now - self._began, workers)) is not None:
            if self._shown is None:
                self._shown = estimate
            else:
                expected = max(0.0, self._shown - elapsed)
                self._shown = expected + (1 - math.exp(-elapsed / _SMOOTHING_SECONDS)) * (estimate - expected)
        return self._shown

    def _observe(self, done: float, elapsed: float, spent: float) -> None:
        kept = math.exp(-elapsed / max(_MEMORY_SECONDS, _MEMORY_SHARE * spent))
        self._recent_done = kept * self._recent_done + max(0.0, done - self._done)
        self._recent_seconds = kept * self._recent_seconds + elapsed
        self._recent_weight *= kept
        self._done = done

    def _estimate(self, done: float, spent: float, workers: int) -> float | None:
        if not self._weight and (not spent or done < _FIRST_SHARE * self._total):
            return None
        mean = (done + self._weight * workers) / (spent + self._weight)
        recent = (self._recent_done + self._recent_weight * workers) / (self._recent_seconds + self._recent_weight)
        return (self._total - done) / max(recent, _SLOWEST * mean)
