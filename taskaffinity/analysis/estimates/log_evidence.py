"""How well frozen features explain labels: the evidence of a ridge regression (LogME, You et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

Array = npt.NDArray[np.float64]

_MOST_STEPS = 200
_STEP = 0.1
_EXACT = 1e-10
_LEAST_ERROR = 1e-6
"""Least share of the targets' squares that is error; more features than examples would leave none."""
_LEAST_USED = 1e-6
"""Share of every direction of the features that is used, below which the features say nothing."""
_LEAST_WEIGHTS = 1e-200
"""Least sum of squares of the weights; below it, their precision has no bound."""


def log_evidence(features: Array, targets: Array) -> tuple[float, float, float]:
    """Return the largest log evidence of Bayesian linear regression.

    It is given per degree of freedom, with its two precisions.

    The weights have the prior N(0, 1/alpha), the errors N(0, 1/beta). Both precisions maximise the evidence, by the
    fixed point of MacKay (1992). Updates can be slow to reach it; then a root search does.

    Parameters
    ----------
    features : (n, n_features)
        With mean 0.
    targets : (n,)
        With mean 0, and not all 0.

    Returns
    -------
    evidence, alpha, beta : float
    """
    n, width = len(features) - 1, features.shape[1]  # the mean is taken off
    u, singular, _ = np.linalg.svd(features, full_matrices=False)
    kept = singular > singular.max(initial=0.0) * 1e-9
    along, power = (u.T @ targets)[kept], singular[kept] ** 2
    least = _LEAST_ERROR * float(targets @ targets)
    rest = max(float(targets @ targets - along @ along), 0.0)

    def updated(ratio: float) -> tuple[float, float, float]:
        """Return the next precisions after those of this ratio, and the largest share that is used."""
        shrunk = power / (ratio + power)
        weights = float(np.sum(shrunk**2 * along**2 / power))
        errors = rest + float(np.sum(((1 - shrunk) * along) ** 2))
        used, most = float(shrunk.sum()), float(shrunk.max(initial=0.0))
        beta = max(n - used, _LEAST_ERROR * n) / max(errors, least)
        alpha = used / weights if weights > _LEAST_WEIGHTS else max(used / _LEAST_WEIGHTS, ratio * beta)
        return alpha, beta, most

    alpha = beta = 1.0
    for step in range(_MOST_STEPS):
        before = alpha, beta
        alpha, beta, most = updated(alpha / beta)
        if np.allclose(before, (alpha, beta), rtol=1e-8, atol=0):
            break
        if step and most < _LEAST_USED:
            break  # the features say nothing, so alpha grows without end
    else:
        alpha, beta = _at_fixed_point(updated, alpha / beta)
    shrunk = beta * power / (alpha + beta * power)
    weights = float(np.sum(shrunk**2 * along**2 / power))
    errors = rest + float(np.sum(((1 - shrunk) * along) ** 2))
    determinant = float(np.log(alpha + beta * power).sum()) + (width - len(power)) * np.log(alpha)
    twice = width * np.log(alpha) + n * np.log(beta) - determinant - beta * errors - alpha * weights
    return float(twice - n * np.log(2 * np.pi)) / (2 * n), alpha, beta


def _at_fixed_point(updated: Callable[[float], tuple[float, float, float]], ratio: float) -> tuple[float, float]:
    """Return the precisions that an update keeps, from a ratio of them that updates move slowly.

    Updates depend on the ratio alone. Its logarithm is followed in growing steps until updates move it back, and the
    root lies between; or until the features say nothing.
    """

    def drift(log_ratio: float) -> float:
        alpha, beta, _ = updated(math.exp(log_ratio))
        return math.log(alpha / beta) - log_ratio

    near = far = math.log(ratio)
    step = math.copysign(_STEP, drift(near))
    while drift(far) * step > 0:
        near, far = far, far + step
        if updated(math.exp(far))[2] < _LEAST_USED:
            break
        step *= 2
    else:
        far = float(brentq(drift, near, far, xtol=_EXACT)) if far != near else far
    alpha, beta, _ = updated(math.exp(far))
    return alpha, beta


def label_evidence(features: Array, targets: Array, *, is_score: bool) -> float:
    """Return the mean log evidence per example.

    It is the evidence of a score, or the mean over the indicators of the classes.

    Every target is scaled to variance 1, so that rare classes count like frequent ones. NaN if all labels are equal.

    Parameters
    ----------
    features : (n, n_features)
    targets : (n,) or (n, n_classes)
        Scores, or numbers of classes; or 0 and 1 for each class of a multi-label task.
    """
    if targets.ndim == 2:
        columns = list(targets.T)
    elif is_score:
        columns = [targets]
    else:
        columns = [(targets == number).astype(np.float64) for number in np.unique(targets)]
    columns = [column for column in columns if np.ptp(column) > 0]
    if not columns:
        return float("nan")
    centred = features - features.mean(axis=0)
    return float(np.mean([log_evidence(centred, (column - column.mean()) / column.std())[0] for column in columns]))
