"""Gains of pairs, and the value of a task in a group (the pair-mean model).

The value of task t in a group is the mean of the gains of t with each other member, in points. It is a model: the group
was not trained. If it was, the value is the measured gain. The value of a task in single-task training is 0.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Group = tuple[int, ...]
"""Tasks by index, sorted."""


@dataclass(frozen=True, eq=False)
class MeasuredGains:
    """Gains of tasks in a trained group of three or more; arrays are (n_tasks,), in points, NaN if not tested."""

    gain: FloatArray
    bound: FloatArray
    """As in ``GroupGains``."""
    se: FloatArray
    df: FloatArray


@dataclass(frozen=True, eq=False)
class Worth:
    """What gains of pairs are worth, and those of groups that were trained, in points."""

    pairs: FloatArray
    """``[source, target]``; NaN if unknown, and on the diagonal."""
    groups: Mapping[Group, FloatArray]
    """By trained group, (n_tasks,): NaN for a task whose value follows from the pairs."""

    def __len__(self) -> int:
        return len(self.pairs)


AnyWorth = FloatArray | Worth
"""An array is the worth of pairs, without trained groups."""


@dataclass(frozen=True, eq=False)
class GroupGains:
    """Gains with their bounds and errors, in points; arrays are ``[source, target]``."""

    gain: FloatArray
    """NaN if unknown, and on the diagonal."""
    bound: FloatArray
    """Value that the choice uses for an arrow: a lower confidence bound, or the gain itself. NaN if unknown."""
    se: FloatArray
    """Standard errors; NaN if unknown."""
    df: FloatArray
    """Their degrees of freedom."""
    estimated: BoolArray
    """True where the gain is an estimate of another kind, not a measured pair."""
    groups: Mapping[Group, MeasuredGains] = field(default_factory=dict)
    """The groups of three or more that were trained."""

    @property
    def size(self) -> int:
        """Number of tasks."""
        return len(self.gain)

    @property
    def arrows(self) -> BoolArray:
        """All cells but the diagonal."""
        return ~np.eye(self.size, dtype=np.bool_)

    @property
    def unknown(self) -> BoolArray:
        """Arrows without a bound. A group does not serve a task if the task's value there needs such an arrow."""
        return self.arrows & np.isnan(self.bound)

    @property
    def gains(self) -> Worth:
        """The gains, of pairs and of trained groups."""
        return Worth(self.gain, {group: found.gain for group, found in self.groups.items()})

    @property
    def worth(self) -> Worth:
        """The bounds, which the choice uses."""
        return Worth(self.bound, {group: found.bound for group, found in self.groups.items()})

    def is_measured(self, members: Collection[int], task: int) -> bool:
        """Return whether these tasks are a measured pair, or a trained group with a test of the task's gain."""
        if len(members) == 2:
            [source] = set(members) - {task}
            return not (math.isnan(self.gain[source, task]) or self.estimated[source, task])
        found = self.groups.get(tuple(sorted(members)))
        return found is not None and not math.isnan(found.se[task])

    def filled(self, gain: FloatArray, bound: FloatArray, se: FloatArray, df: FloatArray) -> GroupGains:
        """Return the gains with estimates for unknown arrows, marked in ``estimated``.

        Parameters
        ----------
        gain, bound, se, df : (n_tasks, n_tasks)
            Estimates, their bounds and standard errors in points, and degrees of freedom. An estimate without a bound
            is not used.
        """
        fill = self.unknown & ~np.isnan(bound)
        pairs = ((self.gain, gain), (self.bound, bound), (self.se, se), (self.df, df))
        filled, of_bound, of_se, of_df = (np.where(fill, new, old) for old, new in pairs)
        return GroupGains(filled, of_bound, of_se, of_df, fill, self.groups)


def group_values(members: BoolArray, worth: AnyWorth) -> FloatArray:
    """Return the value of every task in every group.

    Parameters
    ----------
    members : (n_groups, n_tasks)
    worth : (n_tasks, n_tasks), or Worth
        Gains or bounds ``[source, target]``, NaN if unknown.

    Returns
    -------
    (n_groups, n_tasks)
        The mean of ``worth[s, t]`` over the other members s, or the worth of the trained group. It is 0 for a group of
        one task, and minus infinity for a task that is no member or has an unknown gain there.

    Examples
    --------
    >>> worth = np.array([[np.nan, 4.0, 1.0], [0.0, np.nan, 3.0], [2.0, np.nan, np.nan]])
    >>> group_values(np.array([[True, True, True], [True, True, False], [False, False, True]]), worth)
    array([[  1., -inf,   2.],
           [  0.,   4., -inf],
           [-inf, -inf,   0.]])
    """
    if isinstance(worth, Worth):
        values = group_values(members, worth.pairs)
        for group, own in worth.groups.items():
            row = np.isin(np.arange(len(worth)), group)
            values = np.where((members == row).all(axis=1)[:, None] & ~np.isnan(own), own, values)
        return values
    known = ~np.isnan(worth) | np.eye(len(worth), dtype=np.bool_)
    weights = np.where(np.eye(len(worth), dtype=np.bool_), 0.0, np.nan_to_num(worth))
    others = np.maximum(members.sum(axis=1) - 1, 1)
    values = members.astype(np.float64) @ weights / others[:, None]
    has_unknown = members.astype(np.float64) @ ~known > 0
    return np.where(members & ~has_unknown, values, -np.inf)
