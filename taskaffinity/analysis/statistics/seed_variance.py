"""An empirical Bayes prior of the variance over seeds, estimated from all arms of a study.

Three runs estimate a variance badly, but a study has many arms. Each arm's variance shrinks towards a typical value;
the more the arms agree, the more it shrinks (Smyth 2004, section 6.2; "limma" in genetics). The typical value differs
between targets, and between pairs and baselines (``fit_study_prior``); ``fit_prior`` has one for the whole study.
Variances are divided by ``Arm.unit``, the variance of one example's influence, so that tasks of any metric and score
are on one scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from taskaffinity.analysis.statistics.gain_error import FloatArray

MOST_FREEDOM = 8.0
"""Largest number of degrees of freedom of the prior: the few arms of a study cannot tell equal variances from nearly
equal ones, and real arms differ (over 441 transfers of 22 NLP tasks the estimate was between 1.4 and 9)."""

_LEAST_FREEDOM = 0.1
FEWEST_ARMS = 3
"""Arms of two runs or more that a prior needs."""
_ROUNDS = 4
_STANDS_OUT = 1.5
"""A target is not shrunk if its mean log variance lies above that of the others by more standard errors than this."""
_UNLIKE = 0.25
"""Part of the squared difference of the two kinds that adds to the spread of the arms."""


@dataclass(frozen=True)
class Prior:
    """The distribution of the variances of a study's arms: ``unit * ratio * d0 / chi2(d0)``."""

    ratio: float
    """Typical variance of a run's score over seeds, in ``Arm.unit``."""
    d0: float
    """Degrees of freedom of the prior; 0 for none."""

    def shrink(self, s2: Any, d: Any, unit: Any) -> tuple[Any, Any]:
        """Shrink variances of ``d`` degrees of freedom towards ``ratio * unit``; return them and their new degrees."""
        return shrink(s2, d, self.ratio * unit, self.d0)


def shrink(s2: Any, d: Any, typical: Any, d0: Any) -> tuple[Any, Any]:
    """Shrink variances of ``d`` degrees of freedom towards typical ones of ``d0``; return them and their degrees."""
    return (d0 * typical + d * s2) / (d0 + d), d0 + d


RAW = Prior(ratio=0.0, d0=0.0)
"""No prior: variances do not change."""


def fit_prior(ratios: npt.ArrayLike, degrees: npt.ArrayLike) -> Prior:
    """Estimate the prior from the moments of ``log(ratio)`` (Smyth 2004, equations 6-8).

    Parameters
    ----------
    ratios : (n_arms,)
        Each arm's variance over seeds in its unit, above 0.
    degrees : (n_arms,)
        Degrees of freedom of each arm: runs less one. They may differ.

    Returns
    -------
    Prior
        ``RAW`` with fewer than three arms.
    """
    d, ratios = np.asarray(degrees, dtype=np.float64), np.asarray(ratios, dtype=np.float64)
    if ratios.size < FEWEST_ARMS:
        return RAW
    e = _log_variances(ratios, d)
    return _prior_at(float(e.mean()), float(e.var(ddof=1) - polygamma(1, d / 2).mean()))  # beyond sampling error


@dataclass(frozen=True)
class StudyPrior:
    """The priors of a study's arms: one per target and kind of arm."""

    of_arms: Mapping[tuple[str, bool], Prior]
    """By target, and whether the arm is a baseline of others."""
    common: Prior
    """Prior of the arms of a target without two runs in any arm."""

    def of(self, target: str, is_baseline: bool) -> Prior:
        return self.of_arms.get((target, is_baseline), self.common)


def fit_study_prior(
    ratios: npt.ArrayLike, degrees: npt.ArrayLike, targets: Sequence[str], baselines: Sequence[bool]
) -> StudyPrior:
    """Estimate the priors of a study, with a typical variance for each target and for each kind of arm.

    The model of a log ratio is study + target + kind + arm. The targets are shrunk to the study by the variance between
    targets (DerSimonian & Laird 1986, by moments). A target whose seeds vary clearly more than those of the others
    keeps its own typical variance; otherwise its arrows would be significant too often. The difference of the two kinds
    is shrunk by the positive part of James & Stein's factor (1961). The arms' variance gives the degrees of freedom, as
    in ``fit_prior``. The variance of that difference lowers the degrees of freedom of the baselines, which are fewer
    than the pairs. If the kinds differ much, their arms are less alike than the arms of one kind show, so a part of the
    squared difference is added. Simulations chose that part, the limit of "clearly" and the bound for few arms
    (``tests/benchmarks/error_rates.py``).

    Parameters
    ----------
    ratios, degrees : (n_arms,)
        As in ``fit_prior``.
    targets : (n_arms,)
        Target of each arm.
    baselines : (n_arms,)
        Whether the arm is a baseline of others.

    Returns
    -------
    StudyPrior
        ``RAW`` for all with fewer than three arms.
    """
    d, ratios = np.asarray(degrees, dtype=np.float64), np.asarray(ratios, dtype=np.float64)
    if ratios.size < FEWEST_ARMS:
        return StudyPrior({}, RAW)
    names, target = np.unique(np.asarray(targets), return_inverse=True)
    is_pair = ~np.asarray(baselines, dtype=bool)
    e, sampling = _log_variances(ratios, d), polygamma(1, d / 2)
    least = float(polygamma(1, _most_freedom(ratios.size) / 2))
    spread = least
    for _ in range(_ROUNDS):
        weight = 1 / (spread + sampling)
        kind, doubt, kinds = _kinds_differ_by(e, weight, target, is_pair)
        level, of_target = _levels(e - kind * is_pair, weight, target)
        residual = e - kind * is_pair - of_target[target]
        left = max(1, ratios.size - len(names) - kinds)
        expected = float(sampling.mean()) * left
        spread = max(least, (float((residual**2).sum()) - expected) / left)
    spread += _UNLIKE * kind**2
    priors = {
        (str(name), baseline): _prior_at(float(level[place]) + (0.0 if baseline else kind), spread + doubt * baseline)
        for place, name in enumerate(names)
        for baseline in (False, True)
    }
    return StudyPrior(priors, _prior_at(float(level.mean()), spread + float(level.var())))


def _log_variances(ratios: FloatArray, d: FloatArray) -> FloatArray:
    """Return unbiased estimates of the logarithms of the variances."""
    return np.asarray(np.log(ratios) - digamma(d / 2) + np.log(d / 2))


def _most_freedom(n_arms: int) -> float:
    """Return the largest number of degrees of freedom of a prior that so few arms can justify."""
    return min(MOST_FREEDOM, float(n_arms))


def _prior_at(location: float, spread: float) -> Prior:
    """Return the prior whose log variance has this mean and this variance."""
    d0 = _freedom_of(spread)
    return Prior(math.exp(location + float(digamma(d0 / 2)) - math.log(d0 / 2)), d0)


def _kinds_differ_by(
    e: FloatArray, weight: FloatArray, target: npt.NDArray[np.intp], is_pair: npt.NDArray[np.bool_]
) -> tuple[float, float, int]:
    """Return how far pairs lie above baselines of the same targets, shrunk to zero.

    Also return the variance of that, and the number of differences that the arms show: 1, or 0 without such arms.
    """
    sums = [np.bincount(target, weight * of_kind) for of_kind in (is_pair, ~is_pair)]
    both = (sums[0] > 0) & (sums[1] > 0)
    if not both.any():
        return 0.0, 0.0, 0
    means = [np.bincount(target, weight * of_kind * e) for of_kind in (is_pair, ~is_pair)]
    precision = 1 / (1 / sums[0][both] + 1 / sums[1][both])
    differences = means[0][both] / sums[0][both] - means[1][both] / sums[1][both]
    difference = float((precision * differences).sum() / precision.sum())
    variance = 1 / float(precision.sum())
    factor = max(0.0, 1 - variance / max(difference**2, 1e-12))
    return factor * difference, factor * variance, 1


def _levels(e: FloatArray, weight: FloatArray, target: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Return each target's mean, shrunk to the mean of the targets if it does not stand out, and not shrunk."""
    precision: FloatArray = np.asarray(np.bincount(target, weight), dtype=np.float64)
    means = np.bincount(target, weight * e) / precision
    alike = ~_stand_out(means, precision)
    level = means.copy()
    level[alike] = _shrunk(means[alike], precision[alike])
    return level, means


def _stand_out(means: FloatArray, precision: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which targets lie above the mean of the others by more than ``_STANDS_OUT`` standard errors.

    Parameters
    ----------
    means, precision : (n_targets,)
        Mean log variance of each target's arms, and one over its squared standard error.
    """
    if len(means) < 2:
        return np.zeros(len(means), dtype=bool)
    rest = precision.sum() - precision
    others = ((precision * means).sum() - precision * means) / rest
    return np.asarray(means - others > _STANDS_OUT * np.sqrt(1 / precision + 1 / rest))


def _shrunk(means: FloatArray, precision: FloatArray) -> FloatArray:
    """Return the means shrunk to their common mean, by the variance between them (DerSimonian & Laird)."""
    if len(means) < 2:
        return means
    total = float(precision.sum())
    excess = float((precision * (means - (precision * means).sum() / total) ** 2).sum()) - (len(means) - 1)
    between = max(0.0, excess / (total - float((precision**2).sum()) / total))
    certainty = 1 / (between + 1 / precision)
    overall = (certainty * means).sum() / certainty.sum()
    return np.asarray(overall + between * certainty * (means - overall))


def _freedom_of(spread: float) -> float:
    """Return ``d0`` with ``trigamma(d0 / 2) == spread``, between ``_LEAST_FREEDOM`` and ``MOST_FREEDOM``."""
    if spread <= float(polygamma(1, MOST_FREEDOM / 2)):
        return MOST_FREEDOM
    if spread >= float(polygamma(1, _LEAST_FREEDOM / 2)):
        return _LEAST_FREEDOM
    return float(brentq(lambda d0: float(polygamma(1, d0 / 2)) - spread, _LEAST_FREEDOM, MOST_FREEDOM))
