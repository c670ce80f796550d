"""Predicted gains of tasks in groups, with intervals that include the error of the model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.groups.measured import MeasuredGroup
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.grouping.gains import Group, GroupGains
from taskaffinity.grouping.group_model import GroupModel
from taskaffinity.grouping.grouping import Grouping

Basis = Literal["single-task", "pair", "pairs", "measured"]
"""What a predicted gain comes from; ``pairs`` needs the model, and ``measured`` is a group that the study trained."""


@dataclass(frozen=True)
class Prediction:
    """The gain of one task in a group, in points."""

    gain: float
    """NaN if a gain in pairs is unknown."""
    low: float
    """Ends of the ``1 - alpha`` interval; NaN if an error is unknown, or a gain is an estimate."""
    high: float
    basis: Basis
    exponent: float
    """NaN where no model is needed."""
    model_error: float
    """Standard deviation in points; 0 where no model is needed, NaN if unknown."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """What predicts the gain of a task in any group."""

    matrix: AffinityMatrix
    gains: GroupGains
    measured: Mapping[Group, MeasuredGroup]
    model: GroupModel

    @cached_property
    def _half(self) -> FloatArray:
        """Half the ``1 - alpha`` intervals of the gains in pairs, in points."""
        return POINTS * np.asarray(self.matrix.error.half_width(self.matrix.rule.alpha), dtype=np.float64)

    def of(self, grouping: Grouping) -> tuple[Prediction, ...]:
        """Return the prediction of every task in the group that serves it."""
        return tuple(self.predict(grouping.groups[group], task) for task, group in enumerate(grouping.serves))

    def predict(self, group: Group, task: int) -> Prediction:
        """Return the predicted gain of a member of a group."""
        others = [other for other in group if other != task]
        if not others:
            return Prediction(0.0, 0.0, 0.0, "single-task", math.nan, 0.0)
        if self.is_measured(group, task):
            found = self.measured[group]
            gain, low, high = (float(values[task]) for values in (found.gain, found.low, found.high))
            return Prediction(gain, low, high, "measured", math.nan, 0.0)
        gain = self.model.factor(len(others)) * float(self.gains.gain[others, task].mean())
        if len(others) == 1:
            half = float(self._half[others[0], task])
        else:
            half = self.half_width(group, task) if self.model.is_fitted else math.nan
        if self.gains.estimated[others, task].any():
            half = math.nan
        if len(others) == 1:
            return Prediction(gain, gain - half, gain + half, "pair", math.nan, 0.0)
        return Prediction(gain, gain - half, gain + half, "pairs", self.model.exponent, self.model.error)

    def is_measured(self, group: Group, task: int) -> bool:
        """Return whether the study trained the group, with a test of the task's gain."""
        return group in self.measured and not math.isnan(self.measured[group].se[task])

    def half_width(self, group: Group, task: int, other_se: float = 0.0, other_df: float = math.inf) -> float:
        """Return half the ``1 - alpha`` interval of a predicted gain less another value, which has an error too.

        All errors of a target's gains in pairs are taken to have the same sign. The model's error is part of it if it
        is known. NaN if a gain has no standard error.
        """
        others, alpha = [other for other in group if other != task], self.matrix.rule.alpha
        if self.is_measured(group, task):
            found = self.measured[group]
            df = _least_known([other_df, found.df[task]])
            return GroupModel().half_width(1, float(found.se[task]), df, alpha, other_se)
        df = _least_known([other_df, *self.gains.df[others, task]])
        se = float(self.gains.se[others, task].mean())
        return self.model.half_width(len(others), se, df, alpha, other_se)


def _least_known(values: Iterable[float]) -> float:
    """Return the smallest value that is not NaN, or NaN."""
    return min((float(value) for value in values if not math.isnan(value)), default=math.nan)
