"""Measured gains of groups of three or more tasks that a study trained, such as all tasks together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.group_arrows import measure_group_arrows
from taskaffinity.analysis.statistics.gain_error import FloatArray, GainError
from taskaffinity.grouping.gains import Group
from taskaffinity.grouping.group_model import GroupModel, SeedVariances, fitted_model
from taskaffinity.runs.group_arrows import GroupArrow
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.trained_groups import trained_groups

WIDEST = 1 - 1e-6
"""Largest alpha of an interval; its width is 0 at 1, which no test computes."""


@dataclass(frozen=True, eq=False)
class MeasuredGroup:
    """Gains of the tasks of a trained group; arrays are (n_tasks,), in points, NaN for a task without a test."""

    gain: FloatArray
    low: FloatArray
    """Ends of the ``1 - alpha`` interval, not adjusted for multiple comparisons."""
    high: FloatArray
    se: FloatArray
    df: FloatArray
    error: GainError
    """Of the members in their order, in score units."""
    variance: FloatArray
    """Of the mean score of the group's runs over seeds, in squared points."""
    variance_single: FloatArray
    """Of the mean single-task score."""

    def bound(self, risk: float | None) -> FloatArray:
        """Return the lower bounds of the gains, as ``group_gains`` has them for pairs; the gains if risk is None."""
        if risk is None:
            return self.gain
        found = self.gain.copy()
        found[~np.isnan(self.gain)] -= POINTS * _tested(self.error.half_width(min(2 * risk, WIDEST)))
        return found


def measured_groups(matrix: AffinityMatrix, store: RunStore) -> Mapping[Group, MeasuredGroup]:
    """Return the groups of three or more tasks that were trained with the seeds of the study.

    They are all tasks together (``pairwise --full``, or ``full`` in the same folder) and the groups of
    ``pairwise --groups``. None if the gains of pairs have another baseline, stage or start, or were trained elsewhere.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    sets = {frozenset(spec.task_names) for spec in trained_groups(matrix.study) if spec in store}
    groups = [tuple(place for place, name in enumerate(matrix.tasks) if name in names) for names in sets]
    return _measure(matrix, store, sorted(groups)) if groups else {}


def _measure(matrix: AffinityMatrix, store: RunStore, groups: list[Group]) -> dict[Group, MeasuredGroup]:
    names, size = matrix.tasks, len(matrix.tasks)
    cells = [(group, task) for group in groups for task in group]
    arrows = tuple(
        GroupArrow(tuple(names[other] for other in group if other != task), names[task]) for group, task in cells
    )
    found = measure_group_arrows(replace(matrix.study, groups=arrows), store, matrix.rule)
    error, evidence = found.error, found.evidence
    low, high = error.interval(matrix.rule.alpha)
    columns = {
        "gain": POINTS * np.where(np.isnan(error.variance), np.nan, error.gain),
        **{name: POINTS * values for name, values in (("low", low), ("high", high), ("se", error.se))},
        "df": error.df,
        "variance": POINTS**2 * evidence.s2_pair / np.maximum(evidence.n_pair, 1),
        "variance_single": POINTS**2 * evidence.s2_single / np.maximum(evidence.n_single, 1),
    }
    tables = {(group, name): np.full(size, np.nan) for group in groups for name in columns}
    for place, (group, task) in enumerate(cells):
        for name, values in columns.items():
            tables[group, name][task] = values[place]
    at = {group: [place for place, cell in enumerate(cells) if cell[0] == group] for group in groups}
    return {
        group: MeasuredGroup(**{name: tables[group, name] for name in columns}, error=error.at(at[group]))
        for group in groups
    }


def _tested(values: FloatArray) -> FloatArray:
    return values[~np.isnan(values)]


def model_of(matrix: AffinityMatrix, measured: Mapping[Group, MeasuredGroup]) -> GroupModel:
    """Return the model of a group's gain, fitted to the gains of all tasks together; the mean if they are not known."""
    size = len(matrix.tasks)
    full = measured.get(tuple(range(size)))
    if full is None:
        return GroupModel()
    sources = ~np.eye(size, dtype=np.bool_)
    tested = (~np.isnan(matrix.se) | ~sources).all(axis=0)
    mean = np.where(tested, np.where(sources, matrix.gain, 0.0).sum(axis=0) / max(size - 1, 1), np.nan)
    of_pairs = np.clip(matrix.se_seeds**2 - full.variance_single, 0, None)
    of_mean = np.where(sources, of_pairs, 0.0).sum(axis=0) / max(size - 1, 1) ** 2
    return fitted_model(mean, full.gain, SeedVariances(full.variance, of_mean, full.variance_single))
