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


def given_tally(gold: Sequence[Any], predicted: Sequence[Any], labels: Sequence[str]) -> Counts:
    """Raise ``ValueError``: a given score does not come from predictions."""
    raise ValueError("a given score has no predictions")


def no_items(counts: Counts) -> Counts:
    """Return 0, because no example is known."""
    return np.zeros(len(counts))
