"""Tails of t distributions, and upper quantiles of mixtures of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, ndtr, stdtr

FloatArray = npt.NDArray[np.float64]

_MOST_STEPS = 300
_FREE_STEPS = 30
"""Steps after which a bracketed root is only bisected. Halley's method usually takes four."""
_CUBE_ROOT = 1e-4
"""Step after which Halley's method, whose error is that of the step cubed, is exact to 1e-11."""
_NEAR = 1e-3
"""Largest relative error of the tail before such a last step."""
_EXACT = 1e-12
_LARGE_DF = 200.0
_SERIES_DF = 15.0
_LOG_NORMAL = np.log(2 * np.pi) / 2
_FARTHEST = 1e6
"""Deviates beyond it have a tail of 0."""


def upper_quantile(
    start: FloatArray, spread: FloatArray, df: FloatArray, weight: FloatArray, tail: float
) -> FloatArray:
    """Return the logarithms of the distances beyond which mixtures of t distributions have this probability.

    Halley's method on the logarithms finds them in a few steps. It can cycle where a narrow and a wide distribution
    meet, so the root is kept between bounds, as the tail is monotone. A step that leaves them is replaced: by half of
    what they leave, or by a growing step while one of them is unknown. A root is only returned where the tail has the
    probability; otherwise it is NaN. Arrays leave the iteration as they converge, because tails of t distributions are
    expensive.

    Parameters
    ----------
    start : (n,)
        Logarithms of first guesses. Those that are not finite are returned as they are.
    spread, df, weight : (n, n_points)
        Scale, degrees of freedom and share of each t distribution.
    tail : float
        At most one half.
    """
    log_half = start.copy()
    low, high = np.full_like(log_half, -np.inf), np.full_like(log_half, np.inf)
    norm, goal = log_density_at_zero(df), np.log(tail)
    moving = np.flatnonzero(np.isfinite(log_half))
    for number in range(_MOST_STEPS):
        if not len(moving):
            break
        at, now = (moving, slice(None)), log_half[moving]
        value, step = _halley_step(now, spread[at], df[at], weight[at], norm[at], goal)
        below = low[moving] = np.where(value >= 0, now, low[moving])
        above = high[moving] = np.where(value <= 0, now, high[moving])
        to, size = now + step, np.abs(step)
        ends = (size <= _CUBE_ROOT) & (np.abs(value) <= _NEAR)
        stays = ends & (to >= below) & (to <= above) | (to > below) & (to < above) & (size <= number + 1)
        if number >= _FREE_STEPS or not stays.all():
            to = np.where(stays & (number < _FREE_STEPS), to, _replacement(now, value, below, above, number + 1.0))
            ends = ends & stays & (number < _FREE_STEPS) | (np.abs(value) <= _EXACT) | np.isnan(value)
            ends |= above - below <= _EXACT
        log_half[moving] = to
        moving = moving[~ends]
    log_half[moving] = np.nan
    return log_half


def _replacement(now: FloatArray, value: FloatArray, low: FloatArray, high: FloatArray, reach: float) -> FloatArray:
    """Return where to go on from ``now`` without Halley's step: between the bounds, or further by ``reach``."""
    with np.errstate(invalid="ignore"):  # infinite bounds
        middle = low + (high - low) / 2
    to = np.where(np.isfinite(low) & np.isfinite(high), middle, now + np.copysign(reach, value))
    return np.where(np.abs(value) <= _EXACT, now, np.where(np.isnan(value), np.nan, to))


def _halley_step(
    log_half: FloatArray, spread: FloatArray, df: FloatArray, weight: FloatArray, norm: FloatArray, goal: float
) -> tuple[FloatArray, FloatArray]:
    """Return ``log(tail) - goal`` at ``log_half``, and the step towards its root; the tail is a mean over the points.

    A step can be NaN, and it can be wrong.
    """
    z = np.exp(log_half)[:, None] / spread
    tail = (t_tail(df, z) * weight).sum(axis=1)
    density = np.exp(norm - (df + 1) / 2 * np.log1p(z * z / df)) * z * weight
    first = density.sum(axis=1)  # minus the derivative of the tail
    second = (density * (1 - (df + 1) * z * z / (df + z * z))).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, slope = np.log(tail) - goal, -first / tail
        curve = -second / tail - slope**2
        return value, -2 * value * slope / (2 * slope**2 - value * curve)


def log_density_at_zero(df: FloatArray) -> FloatArray:
    """Return the logarithms of the densities of t distributions at 0, exact to 1e-7.

    It is ``log(gamma(x + 1/2) / gamma(x) / sqrt(2 pi x))`` with ``x = df / 2``, by a series in ``1 / x`` if all are
    large. A step of Halley's method needs no more.
    """
    if not df.min(initial=_LARGE_DF) >= _SERIES_DF:  # also if one is NaN
        return np.asarray(gammaln((df + 1) / 2) - gammaln(df / 2) - np.log(df * np.pi) / 2)
    v = 1 / (4 * df)
    return np.asarray(np.log1p(v * (-1 + v * (0.5 + v * (2.5 - 2.625 * v)))) - _LOG_NORMAL)


def t_tail(df: Any, t: Any) -> FloatArray:
    """Return the upper tails of t distributions.

    With many degrees of freedom it is the normal tail at the equivalent deviate of Hill (1970, algorithm 395), which is
    exact to 1e-11 above 1e-15 and takes a sixth of the time of ``stdtr``.
    """
    df, t = np.broadcast_arrays(np.asarray(df, dtype=np.float64), t)
    is_large = df >= _LARGE_DF
    if is_large.all():
        return _tail_of_large(df, t)
    tail = np.empty(t.shape)
    tail[is_large] = _tail_of_large(df[is_large], t[is_large])
    tail[~is_large] = stdtr(df[~is_large], -t[~is_large])
    return tail


def _tail_of_large(df: FloatArray, t: FloatArray) -> FloatArray:
    a = df - 0.5
    b = 48 * a * a
    t = np.clip(t, -_FARTHEST, _FARTHEST)
    square = a * np.log1p(t * t / df)
    series = (((4 * square + 33) * square + 240) * square + 855) / (10 * b * (b + 0.8 * square * square + 100))
    deviate = np.copysign(np.sqrt(square), t) * (1 + (square + 3) / b - series)
    return np.asarray(ndtr(-deviate))
