"""Collapsed runs: runs that have not learned the task, found by a stated rule.

A run of an arm is collapsed if

* it predicts one class for every test example, no mention or no answer at all, or one value, though the gold labels
  differ; or
* its score lies below the median of its arm by ``FAR_POINTS`` and by ``FAR_SDS`` robust standard deviations. The
  standard deviation is that of all runs of the target about the median of their arm.

A collapsed run stays in the gain. One in thirty moves a mean by a point and says nothing about the other runs, so its
arm has the variance that its runs show (no moderation), and the gain of the other runs is given beside it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from taskaffinity.tasks.metrics import GIVEN_SCORE, Metric
from taskaffinity.tasks.pearson import centred_moments

FAR_POINTS = 5.0
FAR_SDS = 5.0
_FEWEST_RUNS = 3
"""Runs that a median needs."""
_ROBUST = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_CONSTANT = 1e-10

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
KeyT = TypeVar("KeyT", bound=Hashable)


def predicts_nothing(counts: npt.NDArray[np.float64], metric: Metric) -> bool:
    """Return whether the counts of a run show that all of its predictions are equal, though gold labels differ.

    Counts of accuracy and of answers do not show it; those of ``SHOW_COLLAPSE`` do.

    Parameters
    ----------
    counts : (n_examples, n_counts)
        One run's columns of ``metric``.
    """
    if metric.name == "pearson":
        _, x, y, *_ = centred_moments(counts).T
        return bool(np.ptp(x) > 0 and y.var() <= _CONSTANT * max(float((y * y).mean()), _CONSTANT))
    if counts.shape[1] < 3 or metric.name == GIVEN_SCORE:
        return False
    by_class = counts.reshape(len(counts), -1, 3)
    found, invented, missed = np.moveaxis(by_class, -1, 0)
    predicted, gold = (found + invented).sum(axis=0), (found + missed).sum(axis=0)
    if not predicted.any():
        return bool(gold.any())
    if metric.name != "macro_f1":
        return False
    always_or_never = np.array([0, len(counts)])  # also of a multi-label task, whose examples have several classes
    return bool(np.isin(predicted, always_or_never).all()) and not bool(np.isin(gold, always_or_never).all())


def find_collapsed(scores: Mapping[KeyT, Scores], constant: Mapping[KeyT, Flags]) -> dict[KeyT, Flags]:
    """Return which runs of one target are collapsed, by arm.

    Parameters
    ----------
    scores : mapping of (n_runs,)
        Test scores of each arm, [0, 1] (Pearson [-1, 1]).
    constant : mapping of (n_runs,)
        Whether the run's predictions are all equal.
    """
    below = {key: float(np.median(values)) - values for key, values in scores.items() if len(values) >= _FEWEST_RUNS}
    apart = np.concatenate([np.abs(values[values != 0]) for values in below.values()] or [np.zeros(0)])
    spread = _ROBUST * float(np.median(apart)) if len(apart) else 0.0
    bound = max(FAR_POINTS / 100, FAR_SDS * spread)
    return {key: constant[key] | (below[key] > bound if key in below else False) for key in scores}
