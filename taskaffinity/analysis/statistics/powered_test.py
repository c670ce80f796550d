"""Compute the gain that a test detects with a stated power."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from taskaffinity.analysis.statistics.gain_error import FloatArray, GainError

_MOST_STEPS = 60
_EXACT = 1e-12
_NEAR = 0.5
"""Longest step of Newton's method that is believed, as a part of the distance."""


@dataclass(frozen=True)
class PoweredTest:
    """A test with a power: a normal gain must exceed the half width of an interval at this level.

    A repetition of the study estimates another standard error, and the half width follows it. For a t test this is the
    noncentral t distribution.
    """

    level: float
    power: float
    two_sided: bool = False
    """Whether a gain on either side counts, and none where the half width is larger."""

    def least(self, error: GainError) -> Any:
        """Return the distance that a gain exceeds with the power."""
        bounds, weight = self._bounds(error)
        shape = bounds.shape[:-1]
        bounds, weight = bounds.reshape(-1, bounds.shape[-1]), weight.reshape(-1, bounds.shape[-1])
        low, high = np.zeros(len(bounds)), bounds.max(axis=-1) + 10.0
        at = self._as_normal(bounds, weight)
        moving = np.arange(len(bounds))
        for _ in range(_MOST_STEPS):  # Newton's steps, halved where they leave what is known to hold the distance
            now = at[moving]
            reached, newton = self._reached(now, bounds[moving], weight[moving])
            low[moving] = np.where(reached < self.power, now, low[moving])
            high[moving] = np.where(reached < self.power, high[moving], now)
            is_exact = np.abs(newton - now) <= _EXACT * now
            inside = (newton > low[moving]) & (newton < high[moving])
            at[moving] = np.where(inside | is_exact, newton, (low[moving] + high[moving]) / 2)
            moving = moving[~is_exact]
            if not len(moving):
                break
        return (at.reshape(shape) * np.asarray(error.se))[()]

    def suffices(self, error: GainError, distance: FloatArray) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """Return whether a gain exceeds these distances with the power, and about the least distances that it does.

        The second is nearly exact close to the first, which is all that a search needs.
        """
        bounds, weight = self._bounds(error)
        at = distance / error.se
        reached, newton = self._reached(at, bounds, weight)
        near = np.abs(newton - at) <= _NEAR * at
        return reached >= self.power, np.where(near, newton, self._as_normal(bounds, weight)) * error.se

    def _bounds(self, error: GainError) -> tuple[FloatArray, FloatArray]:
        """Return the half widths of repetitions in standard errors, and their weights, along a new last axis."""
        scale, weight = error.repeated()
        bounds = np.asarray(error.half_width(self.level))[..., None] * scale / np.asarray(error.se)[..., None]
        return bounds, np.broadcast_to(weight, bounds.shape)

    def _as_normal(self, bounds: FloatArray, weight: FloatArray) -> FloatArray:
        """Return the distances for bounds of a normal distribution."""
        mean = (bounds * weight).sum(axis=-1)
        variance = ((bounds - mean[..., None]) ** 2 * weight).sum(axis=-1)
        return np.asarray(mean + ndtri(self.power) * np.sqrt(1 + variance))

    def _reached(self, at: FloatArray, bounds: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the power at distances in standard errors, and the distances after a step of Newton's method."""
        z = at[..., None] - bounds
        counted = z > 0 if self.two_sided else np.ones_like(z, dtype=bool)
        reached = (np.where(counted, ndtr(z), 0.5 if self.two_sided else 0.0) * weight).sum(axis=-1)
        slope = (np.where(counted, np.exp(-z * z / 2), 0.0) * weight).sum(axis=-1) / math.sqrt(2 * math.pi)
        return reached, at + (self.power - reached) / np.maximum(slope, 1e-12)
