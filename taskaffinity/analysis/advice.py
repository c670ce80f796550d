"""Advice on a study: what to change before more seeds are trained."""

from __future__ import annotations

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.cautions import describe_cautions
from taskaffinity.analysis.collapsed_runs import describe_collapsed_runs
from taskaffinity.analysis.undertrained import describe_undertrained
from taskaffinity.runs.store import RunStore


def describe_advice(matrix: AffinityMatrix, store: RunStore) -> list[str]:
    """Return lines on collapsed runs, undertrained baselines and test sets that are too small.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    study = matrix.study
    return [
        *describe_collapsed_runs(study, store),
        *describe_undertrained(study, store),
        *describe_cautions(matrix),
    ]
