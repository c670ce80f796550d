"""The expected time left of a plan, from the observed speed, without jumps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_PRIOR_SECONDS = 60.0
"""Weight of a cost model: its speed counts as much as this number of observed seconds."""
_FIRST_SHARE = 0.02
"""Share of the total cost that is done before the first estimate, without a cost model; workers start up before."""
_SMOOTHING_SECONDS = 20.0
"""Time constant with which the shown value follows the estimate."""


class TimeLeft:
    """Estimates the time left; its value falls with the clock and moves smoothly to a new estimate.

    Parameters
    ----------
    total : float
        Cost of all runs, in any unit.
    is_seconds : bool
        Whether costs are seconds of one run by itself. Then an estimate exists before any progress.
    """

    def __init__(self, total: float, *, is_seconds: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._is_seconds, self._clock = total, is_seconds, clock
        self._began: float | None = None
        self._last = 0.0
        self._shown: float | None = None

    def update(self, done: float, workers: int) -> float | None:
        """Seconds left after ``done`` of the total cost; None while unknown. The first call starts the clock."""
        now = self._clock()
        if self._began is None:
            self._began = self._last = now
        elapsed, self._last = now - self._last, now
        if done >= self._total * (1 - 1e-9):
            self._shown = 0.0
        elif (estimate := self._estimate(done, now - self._began, workers)) is not None:
            if self._shown is None:
                self._shown = estimate
            else:
                expected = max(0.0, self._shown - elapsed)
                self._shown = expected + (1 - math.exp(-elapsed / _SMOOTHING_SECONDS)) * (estimate - expected)
        return self._shown

    def _estimate(self, done: float, spent: float, workers: int) -> float | None:
        weight = _PRIOR_SECONDS if self._is_seconds else 0.0
        if not weight and (not spent or done < _FIRST_SHARE * self._total):
            return None
        speed = (done + weight * workers) / (spent + weight)
        return (self._total - done) / speed
