"""Check the counts of a metric: columns, range, and the part that gold labels decide."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from taskaffinity.tasks.metrics import GIVEN_SCORE, Counts

SCORE_TOLERANCE = 1e-6
"""Largest difference of a stored score from the score of its counts: a ten-thousandth of a point."""

_MEANS = ("accuracy", "exact_match", "answer_f1")
"""Metrics that are a mean over examples; gold labels decide only the number of examples."""
_COLUMNS = {**dict.fromkeys(_MEANS, 2), "pearson": 6, GIVEN_SCORE: 3}
_PER_CLASS = 3
_ROUNDING = 1e-9
_WIDEST = 2.0
"""Largest difference of two scores."""
_COMPACT = (np.dtype(np.uint8), np.dtype(np.uint16))
_TYPES = frozenset((*_COMPACT, np.dtype(np.float64)))


def compact(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return counts in one or two bytes each, if all are whole numbers in [0, 2**16).

    Other counts are returned unchanged.

    Examples
    --------
    >>> compact(np.array([0.0, 300.0])).dtype, compact(np.array([0.5])).dtype
    (dtype('uint16'), dtype('float64'))
    """
    if counts.dtype != np.float64:
        return counts
    with np.errstate(invalid="ignore"):
        for dtype in _COMPACT:
            whole = counts.astype(dtype)
            if np.count_nonzero(whole == counts) == counts.size:
                return whole
    return counts


def fault_in_counts(metric: str, counts: npt.NDArray[Any]) -> str:
    """Return why an array cannot be counts of a metric; empty if it can.

    Parameters
    ----------
    metric : str
        A key of ``METRICS``.
    counts : (n_examples, n_counts)
        As ``compact`` returns them.

    Examples
    --------
    >>> fault_in_counts("accuracy", compact(np.array([[1.0, 1.0], [0.0, 1.0]])))
    ''
    >>> fault_in_counts("micro_f1", compact(np.array([[1.0, -1.0, 0.0]])))
    'counts of micro_f1 that are no whole numbers from 0'
    """
    if counts.ndim != 2 or counts.dtype not in _TYPES:
        return f"counts of type {counts.dtype} and shape {counts.shape}; expected float64, one row per example"
    columns = counts.shape[1]
    fits = columns == _COLUMNS.get(metric, _PER_CLASS) or (
        metric == "macro_f1" and columns and not columns % _PER_CLASS
    )
    if not fits:
        return f"{columns} columns, which {metric} does not have"
    if not len(counts):
        return ""
    if metric == "pearson":
        return _fault_in_moments(counts) if np.isfinite(counts.sum()) else "counts that are not finite"
    if metric == GIVEN_SCORE:
        return _fault_in_given_score(counts)
    if metric == "answer_f1":
        is_possible = ((counts >= 0) & (counts <= 1)).all() and (counts[:, 1] == 1).all()  # NaN is not
        return "" if is_possible else "counts of answer_f1 that are no F1 between 0 and 1"
    if counts.dtype not in _COMPACT:
        return f"counts of {metric} that are no whole numbers from 0"
    if metric in (*_MEANS, "micro_f1", "macro_f1", "answered") and counts.max() > 1:
        return f"counts of {metric} above 1, though an example has one class"
    if metric in _MEANS and not counts[:, 1].all():
        return f"counts of {metric} whose second column is not 1"
    return ""


def _fault_in_given_score(counts: npt.NDArray[Any]) -> str:
    [score, one, step], *more = counts.astype(np.float64)
    is_possible = abs(score) <= 1 + _ROUNDING and one == 1 and 0 <= step <= _WIDEST  # NaN is not
    return "" if is_possible and not more else "counts that are no score between -1 and 1"


def _fault_in_moments(counts: npt.NDArray[Any]) -> str:
    n, x, y, xx, yy, xy = counts.T.astype(np.float64)  # products of small numbers need more bytes
    expected = ((n, np.ones_like(n)), (xx, x * x), (yy, y * y), (xy, x * y))
    if all(bool((np.abs(found - right) <= _ROUNDING * (1 + np.abs(right))).all()) for found, right in expected):
        return ""
    return "counts of pearson whose products do not follow from its scores"


def gold_side(metric: str, counts: Counts) -> Counts:
    """Return the part of the counts that only depends on gold labels, (n_examples, n).

    It is equal in all runs of a task. For means over examples it only has the number of examples; for a given score,
    the columns that all scores of the task share.

    Examples
    --------
    >>> right, wrong = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 1.0]])
    >>> gold_side("micro_f1", right) == gold_side("micro_f1", wrong)
    array([[ True]])
    """
    if metric in (*_MEANS, GIVEN_SCORE):
        return counts[:, 1:]
    if metric == "pearson":
        return counts[:, 1:2]
    return counts[:, 0::_PER_CLASS] + counts[:, 2::_PER_CLASS]
