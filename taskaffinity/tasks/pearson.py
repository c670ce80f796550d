"""Pearson's correlation from moments of examples, exact also for scores far from zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]

_CONSTANT = 1e-10
"""A variance of predictions below this share of their second moment is rounding error."""
_CONSTANT_GOLD = 1e-28
"""The same for gold scores, which are exact."""
_FAR = 1e4
"""A mean is far from zero if its square exceeds the variance by this factor."""


def pearson_tally(gold: Sequence[float], predicted: Sequence[float], labels: Sequence[str]) -> Counts:
    """Return ``(n_examples, 6)`` moments: 1, x, y, xx, yy, xy for gold x and prediction y.

    They reveal the gold scores. Raises ``ValueError`` if the numbers of scores differ.
    """
    x, y = np.asarray(gold, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if x.shape != y.shape:
        raise ValueError(f"{x.size} gold scores, {y.size} predictions")
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)


def pearson_score(sums: Counts) -> Counts:
    """Return Pearson's correlation from summed moments; 0 if either side is constant.

    The error is up to ``1e-14 (mean / SD)**2`` of the side whose mean is farther from zero. ``Metric.score_examples``
    has no such error.
    """
    n, x, y, xx, yy, xy = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    n = np.where(n > 0, n, 1.0)
    vx, vy, cov = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2, xy / n - x * y / n**2
    spread = (vx > _CONSTANT * xx / n) & (vy > _CONSTANT * yy / n)
    return np.where(spread, cov / np.sqrt(np.where(spread, vx * vy, 1.0)), 0.0)


def centred_moments(counts: Counts) -> Counts:
    """Centre the columns of ``pearson_tally`` if scores are far from zero.

    Other counts are returned unchanged.

    Correlations do not change, except for their rounding errors: below 1e-9 for means up to 1e6 SDs.
    """
    x, y = counts[..., 1], counts[..., 2]
    if (gold_is_far := _is_far(x, _CONSTANT_GOLD)).any():
        mean, of_y = x.mean(axis=-1, keepdims=True), y.mean(axis=-1, keepdims=True)
        has_unit = gold_is_far & (np.abs(of_y - mean) < np.abs(of_y))  # predictions have the unit of the gold scores
        x, y = np.where(gold_is_far, x - mean, x), np.where(has_unit, y - mean, y)
    if (is_far := _is_far(y, _CONSTANT)).any():
        y = np.where(is_far, y - y.mean(axis=-1, keepdims=True), y)
    elif not gold_is_far.any():
        return counts
    return np.stack([counts[..., 0], x, y, x * x, y * y, x * y], axis=-1)


def _is_far(scores: Counts, constant: float) -> npt.NDArray[np.bool_]:
    """Return whether scores have a mean far from zero and are not constant, ``(..., 1)``.

    The scores are ``(..., n_examples)``.
    """
    if not scores.shape[-1]:
        return np.zeros((*scores.shape[:-1], 1), dtype=bool)
    square, variance = scores.mean(axis=-1, keepdims=True) ** 2, scores.var(axis=-1, keepdims=True)
    return np.asarray((square > _FAR * variance) & (variance > constant * (square + variance)))
