"""How the gain of a task in a group follows from its gains in pairs, fitted to one trained group: all tasks together.

With n partners the predicted gain is the mean of the gains in pairs times ``n ** exponent``. The exponent is in [0, 1]:
0 is the mean and 1 the sum. The model's error is what it leaves of the gains that it was fitted to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from taskaffinity.grouping.gains import FloatArray

LEAST_TARGETS = 2
"""Gains of the full set from which the exponent is fitted, at least: one gain leaves no residual."""


@dataclass(frozen=True)
class GroupModel:
    """The gain of a task in a group of three or more; in a pair the gain is the measured one."""

    exponent: float = 0.0
    error: float = math.nan
    """Standard deviation of the full set's gains around the model, in points; NaN if unknown."""
    noise: float = 0.0
    """The part of ``error ** 2`` that known errors of measurement explain, in squared points."""
    df: float = math.nan
    """Degrees of freedom of ``error``."""

    @property
    def is_fitted(self) -> bool:
        """Whether the error is known; if not, the model is the mean."""
        return not math.isnan(self.error)

    def factor(self, partners: int) -> float:
        """Return the predicted gain over the mean of the gains in pairs, for a number of partners of 1 or more."""
        return float(partners**self.exponent)

    def half_width(self, partners: int, se: float, df: float, alpha: float, other_se: float = 0.0) -> float:
        """Return half the ``1 - alpha`` interval of a predicted gain, in points.

        The variance is ``max(error ** 2 + own - noise, error ** 2, own)``. ``own`` is the variance that comes from the
        gains in pairs. The residuals hold such errors too (``noise``), so they count once. If the error of the model
        is unknown, and in a pair, the variance is ``own``.

        Parameters
        ----------
        partners : int
            1 or more.
        se, df : float
            Standard error of the mean of the gains in pairs, in points, and its degrees of freedom.
        other_se : float
            Standard error of what the prediction is compared with, in points. ``df`` counts for both.
        """
        spread = self.factor(partners) * se
        if partners > 1 and self.is_fitted and not math.isnan(spread):
            square, own = self.error**2, spread**2
            spread, df = math.sqrt(max(square + own - self.noise, square, own)), min(df, self.df)
        return float(-stdtrit(df, alpha / 2) * math.hypot(spread, other_se))


@dataclass(frozen=True, eq=False)
class SeedVariances:
    """Variances of mean scores over seeds, by target, in squared points; (n_tasks,) each."""

    full: FloatArray
    """Of the mean score with all other tasks."""
    pairs: FloatArray
    """Of the mean over the pairs."""
    single: FloatArray
    """Of the mean single-task score, which all gains of a target share."""

    def of_residual(self, factor: float) -> FloatArray:
        """Return the variance of the gain with all tasks less ``factor`` times the mean of the gains in pairs."""
        return np.asarray(self.full + factor**2 * self.pairs + (factor - 1) ** 2 * self.single)


def fitted_model(mean: FloatArray, gain: FloatArray, variances: SeedVariances | None = None) -> GroupModel:
    """Fit the exponent to the gains of all tasks that were trained together, by least squares.

    Parameters
    ----------
    mean, gain : (n_tasks,)
        Mean of the gains in pairs of every task, and its gain with all other tasks, in points. NaN if unknown.
    variances : SeedVariances, optional
        Default: the gains have no known error.

    Returns
    -------
    GroupModel
        The mean with an unknown error, if there are fewer than three tasks or fewer than ``LEAST_TARGETS`` gains.

    Examples
    --------
    Each of four tasks gains the sum of its gains in pairs:

    >>> model = fitted_model(np.array([1.0, -2.0, 0.5, 4.0]), np.array([3.0, -6.0, 1.5, 12.0]))
    >>> round(model.exponent, 6), round(model.error, 6), model.df
    (1.0, 0.0, 3.0)
    """
    known = ~np.isnan(mean) & ~np.isnan(gain)
    partners, targets = len(mean) - 1, int(known.sum())
    if partners < 2 or targets < LEAST_TARGETS:
        return GroupModel()
    x, y = mean[known], gain[known]
    square = float(x @ x)
    factor = min(max(float(x @ y) / square, 1.0), float(partners)) if square else 1.0
    noise = 0.0 if variances is None else float(variances.of_residual(factor)[known].mean())
    df = targets - 1.0  # the exponent was fitted
    error = math.sqrt(float(((y - factor * x) ** 2).sum()) / df)
    return GroupModel(math.log(factor) / math.log(partners), error, noise, df)
