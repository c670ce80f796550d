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


class TimeLeft:
    """Estimates the time left; the value falls with the clock and follows new estimates smoothly.

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
        """Return the seconds left after ``done`` of the total cost; None while unknown.

        The first call starts the clock.
        """
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
