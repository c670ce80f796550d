"""Gains with their errors: p-values and intervals, by one of two tests.

``GainError`` takes the gain divided by its standard error as t-distributed, with the degrees of freedom of
Satterthwaite (1946). They are too many if the runs agree by chance: the well-known variance over examples then hides
that the variance over seeds is hardly known, and the far tail has too many small p-values.

``BehrensFisherError`` averages over what the variance over seeds may be, as in the problem of Behrens (1929) and Fisher
(1935): given estimates ``Vs`` with ``d`` degrees of freedom, the true variance is distributed as ``Vs * d / chi2(d)``.
It is the t test with ``d`` degrees of freedom if only seeds have an effect, and with those of the examples if only
examples have one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri, stdtrit

from taskaffinity.analysis.statistics.t_mixture import t_tail, upper_quantile

FloatArray = npt.NDArray[np.float64]

NODES = 64
"""Points of the integral over the variance. With 20 effective documents or more, p-values above 1e-8 are exact to 0.5%
and 95% intervals to 0.03%."""

_TAIL = 1e-10
"""Probability beyond the outermost points, on each side."""
_REPEATED_TAIL = 1e-4
"""The same of what a repetition estimates from fewer than ``_FEW_DF`` degrees of freedom. A power jumps between two
points, and the small probabilities would move most of them away from the jump."""
_FEW_DF = 3.0
_MAX_DF = 1e8
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class GainError:
    """Gains with their standard errors; arrays of one shape, NaN if there is no test."""

    gain: Any
    se_seeds: Any
    se_examples: Any
    variance: Any
    """V, over seeds and examples together; their shared part counts once."""
    df: Any
    """Degrees of freedom of V (Satterthwaite)."""

    @property
    def se(self) -> Any:
        return np.sqrt(self.variance)

    @property
    def t(self) -> Any:
        """The gain in standard errors."""
        return self.gain / self.se

    def at(self, index: Any) -> Self:
        """Return the entries at an index of the arrays."""
        return type(self)(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def p(self) -> Any:
        """Return the two-sided p-value of a gain of zero."""
        return np.minimum(2 * self.upper_tail(np.abs(self.gain)), 1.0)

    def p_tost(self, margin: Any) -> Any:
        """Return the p-value of the equivalence test (TOST): the larger of two one-sided tests at ``margin``."""
        return self.upper_tail(margin - np.abs(self.gain))

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """Return the ends of the ``1 - alpha`` interval."""
        half = self.half_width(alpha)
        return self.gain - half, self.gain + half

    def upper_tail(self, distance: Any) -> Any:
        """Return the probability that the error of the gain exceeds ``distance``, which is in the unit of the gain."""
        return t_tail(self.df, distance / self.se)

    def half_width(self, alpha: float) -> Any:
        """Return half the width of the ``1 - alpha`` interval: ``2 * upper_tail`` of it is ``alpha``."""
        return -stdtrit(self.df, alpha / 2) * self.se

    def repeated(self) -> tuple[FloatArray, FloatArray]:
        """Return standard errors that a repetition of the study may estimate, over this one, and their weights.

        The points of the distribution are along a new last axis.
        """
        ratio, weight = chi2_points(self.df, _REPEATED_TAIL)
        return np.sqrt(ratio), weight


@dataclass(frozen=True, eq=False)
class BehrensFisherError(GainError):
    """Gains with the distribution of their errors given what is known about the variance over seeds."""

    v_seeds: Any
    """Estimated variance of the gain over seeds."""
    d_seeds: Any
    """Degrees of freedom of ``v_seeds``."""
    v_examples: Any
    """Variance of the gain over test examples; 0 for a gain on exactly this test set."""
    d_examples: Any
    """Degrees of freedom of ``v_examples``."""
    v_shared: Any
    """Part of ``v_examples`` that ``v_seeds`` has too."""

    def upper_tail(self, distance: Any) -> Any:
        """Return ``E[T(-distance / sqrt(V*))]``, the mean over ``V*`` of the tails of t distributions.

        ``V* = max(Vs* + Vx - Vi, Vs*, Vx)`` with ``Vs* = Vs d / chi2(d)``. The examples' part contributes its own
        degrees of freedom (Satterthwaite's, given ``Vs*``), so T is nearly normal for large test sets.
        """
        variance, df, weight = self._mixture()
        tail = t_tail(df, np.asarray(distance, dtype=np.float64)[..., None] / np.sqrt(variance))
        return np.minimum((tail * weight).sum(axis=-1), 1.0)  # the weights add up to 1 within rounding

    def half_width(self, alpha: float) -> Any:
        """Return half the width of the ``1 - alpha`` interval; NaN if it is not found."""
        if alpha == 0:
            return np.inf * self.se
        shape = np.shape(self.se)
        variance, df, weight = (
            np.broadcast_to(values, (*shape, NODES)).reshape(-1, NODES) for values in self._mixture()
        )
        spread = np.sqrt(np.maximum(variance, _TINY))
        start = np.log(np.maximum(-stdtrit(self.df, alpha / 2) * self.se, _TINY))
        start = np.array(np.broadcast_to(start, shape), dtype=np.float64).reshape(-1)
        return np.exp(upper_quantile(start, spread, df, weight, alpha / 2)).reshape(shape)[()]

    def _mixture(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return variances, degrees of freedom and weights of the integral's points, along a new last axis."""
        v_seeds, v_examples, d_examples, v_shared = (
            np.asarray(value, dtype=np.float64)[..., None]
            for value in (self.v_seeds, self.v_examples, self.d_examples, self.v_shared)
        )
        ratio, weight = chi2_points(self.d_seeds)
        variance = _two_way(v_seeds / ratio, v_examples, v_shared)
        share = v_examples / np.maximum(variance, _TINY)
        df = np.minimum(d_examples / np.maximum(share, 1e-4) ** 2, _MAX_DF)
        return variance, df, weight

    def repeated(self) -> tuple[FloatArray, FloatArray]:
        ratio, weight = chi2_points(self.d_seeds, _REPEATED_TAIL)
        v_seeds, v_examples, v_shared = (
            np.asarray(value, dtype=np.float64)[..., None] for value in (self.v_seeds, self.v_examples, self.v_shared)
        )
        variance = _two_way(v_seeds * ratio, v_examples, v_shared)
        return np.sqrt(variance / np.asarray(self.variance)[..., None]), weight


def chi2_points(d: Any, tail_of_few: float = _TAIL) -> tuple[FloatArray, FloatArray]:
    """Return points of ``chi2(d) / d`` and their weights, along a new last axis.

    The points are equally spaced in the logarithm, where the trapezoid rule converges exponentially.

    Parameters
    ----------
    d : array
    tail_of_few : float
        Probability beyond the outermost points, on each side, with fewer than three degrees of freedom.
    """
    distinct, place = np.unique(np.asarray(d, dtype=np.float64), return_inverse=True)  # arms share their priors
    points, weight = _chi2_points(distinct, tail_of_few)
    place = place.reshape(np.shape(d))
    return points[place], weight[place]


def _chi2_points(d: FloatArray, tail_of_few: float) -> tuple[FloatArray, FloatArray]:
    d = d[..., None]
    tail = np.where(d < _FEW_DF, tail_of_few, _TAIL)
    d = np.where(d > 0, np.minimum(d, _MAX_DF), np.nan)
    low = np.log(np.maximum(chdtri(d, 1 - tail), _TINY))
    high = np.log(chdtri(d, tail))
    log_chi2 = low + (high - low) * np.linspace(0, 1, NODES)
    density = d / 2 * log_chi2 - np.exp(log_chi2) / 2
    weight = np.exp(density - density.max(axis=-1, keepdims=True))
    return np.exp(log_chi2) / d, weight / weight.sum(axis=-1, keepdims=True)


def _two_way(v_seeds: Any, v_examples: Any, v_shared: Any) -> Any:
    return np.maximum(v_seeds + v_examples - v_shared, np.maximum(v_seeds, v_examples))


def difference(second: GainError, first: GainError) -> GainError:
    """Return the second gain less the first, with its error, for independent gains.

    The degrees of freedom of each part are the fewer of the two.
    """
    gain, variance = second.gain - first.gain, second.variance + first.variance
    df = variance**2 / (second.variance**2 / second.df + first.variance**2 / first.df)
    se_seeds = np.hypot(second.se_seeds, first.se_seeds)
    se_examples = np.hypot(second.se_examples, first.se_examples)
    if not (isinstance(second, BehrensFisherError) and isinstance(first, BehrensFisherError)):
        return GainError(gain, se_seeds, se_examples, variance, df)
    return BehrensFisherError(
        gain,
        se_seeds,
        se_examples,
        variance,
        df,
        v_seeds=second.v_seeds + first.v_seeds,
        d_seeds=np.minimum(second.d_seeds, first.d_seeds),
        v_examples=second.v_examples + first.v_examples,
        d_examples=np.minimum(second.d_examples, first.d_examples),
        v_shared=second.v_shared + first.v_shared,
    )
