"""A choice of groups; members and groups that serve no task are removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from taskaffinity.grouping.gains import AnyWorth, BoolArray, FloatArray, group_values

Method = Literal["exact", "greedy and swap"]
_SAME = 1e-9


class NoGrouping(ValueError):
    """Raised if no grouping within the budget serves every task."""


@dataclass(frozen=True)
class Grouping:
    """Groups of tasks; each task is served by one of the groups that train on it."""

    groups: tuple[tuple[int, ...], ...]
    """Tasks by index, sorted; one model is trained on each group."""
    serves: tuple[int, ...]
    """The group that serves each task."""
    method: Method

    def members(self) -> BoolArray:
        """Return the groups as (n_groups, n_tasks)."""
        return membership(self.groups, len(self.serves))

    def values(self, worth: AnyWorth) -> FloatArray:
        """Return the value of every task in the group that serves it, (n_tasks,).

        The unit is that of ``worth``; NaN where a gain is unknown.
        """
        found = group_values(self.members(), worth)[list(self.serves), range(len(self.serves))]
        return np.where(np.isinf(found), np.nan, found)


def membership(groups: tuple[tuple[int, ...], ...], n_tasks: int) -> BoolArray:
    """Return groups of indices as an array (n_groups, n_tasks)."""
    found = np.zeros((len(groups), n_tasks), dtype=np.bool_)
    for row, group in zip(found, groups, strict=True):
        row[list(group)] = True
    return found


def tidied(members: BoolArray, worth: AnyWorth, method: Method) -> Grouping:
    """Return the grouping in which each task is served by its best group.

    ``members`` is (n_groups, n_tasks) and ``worth`` as in ``group_values``. Groups that serve no
    task are removed. So are members that another group serves and that help no task in this one.
    """
    members = members.copy()
    while True:
        values = group_values(members, worth)
        serves = (values - _SAME * members.sum(axis=1)[:, None]).argmax(axis=0)  # among equal groups, the smaller one
        smaller = _without_useless(members, values, serves, worth)
        if smaller is None:
            break
        members = smaller
    used = sorted(set(serves.tolist()), key=lambda group: int((serves == group).argmax()))
    groups = tuple(tuple(np.flatnonzero(members[group]).tolist()) for group in used)
    return Grouping(groups, tuple(used.index(group) for group in serves), method)


def _without_useless(
    members: BoolArray, values: FloatArray, serves: np.ndarray[tuple[int, ...], np.dtype[np.int64]], worth: AnyWorth
) -> BoolArray | None:
    """Return the groups without one member that no task needs; None if each is needed."""
    for group in sorted(set(serves.tolist())):
        served = serves == group
        for task in np.flatnonzero(members[group] & ~served):
            fewer = members[group].copy()
            fewer[task] = False
            without = group_values(fewer[None], worth)[0]
            if (without[served] >= values[group, served] - _SAME).all():
                changed = members.copy()
                changed[group] = fewer
                return changed
    return None
