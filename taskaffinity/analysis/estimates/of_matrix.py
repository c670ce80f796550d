"""The estimates that belong to an affinity matrix, and its arrows that have only an estimate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.estimates.design_file import AGAIN, describe_other_study
from taskaffinity.analysis.estimates.stored import read_estimates


def with_estimates(matrix: AffinityMatrix, root: Path) -> AffinityMatrix:
    """Return the matrix with the estimates of a results folder, or the matrix itself if it has none.

    Estimates of another study are not used; ``estimates_ignored`` says so if they could stand for a gain.

    Raises
    ------
    InputError
        As ``read_estimates`` and ``describe_other_study``.
    """
    if other := describe_other_study(root, matrix.study):
        is_needed = bool(np.isnan([matrix.se[arrow] for arrow in matrix.arrows]).any())
        words = f"{root}: {other}, so it is not used; {AGAIN}." if is_needed else ""
        return replace(matrix, estimates_ignored=words)
    found = read_estimates(root, matrix.tasks)
    return matrix if found is None else replace(matrix, estimates=found)


def estimated_arrows(matrix: AffinityMatrix) -> tuple[tuple[int, int], ...]:
    """Return the arrows without a measured gain that have an estimate, row by row."""
    if matrix.estimates is None:
        return ()
    has_one = np.isnan(matrix.gain) & ~np.isnan(matrix.estimates.probe)
    return tuple(arrow for arrow in matrix.arrows if has_one[arrow])
