"""The metric of runs with a known score but no examples.

Its counts are one row: the score, 1, and the smallest difference of two scores of the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from taskaffinity.tasks.pearson import Counts

GIVEN_SCORE = "score"
"""Key of the metric in ``METRICS``."""
SMALLEST_DIFFERENCE = 1e-6
"""Scores that differ by less, as fractions, are equal: a ten-thousandth of a point. Programs add in different orders,
and many store 32 bits, in which .87 is .870000005."""


def given_tally(gold: Sequence[Any], predicted: Sequence[Any], labels: Sequence[str]) -> Counts:
    """Raise ``ValueError``: a given score does not come from predictions."""
    raise ValueError("a given score has no predictions")


def no_items(counts: Counts) -> Counts:
    """Return 0, because no example is known."""
    return np.zeros(len(counts))
