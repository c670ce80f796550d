"""Forward selection of helpers for one task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taskaffinity.grouping.gains import GroupGains, group_values


@dataclass(frozen=True)
class Helper:
    """One step of a forward selection."""

    source: int
    gain: float
    """Gain of the target with only this helper, in points."""
    bound: float
    set_gain: float
    """Value of the target with this helper and all before it."""
    set_bound: float
    is_chosen: bool
    is_measured: bool = False
    """Whether this set was trained: it is a measured pair, or a group with a measured gain."""


def select_helpers(gains: GroupGains, target: int) -> tuple[Helper, ...]:
    """Rank all sources of a target by forward selection.

    Each step adds the source with the best bound of the set. The chosen helpers are those up to the best set; none if
    no set is better than single-task training. Under the pair-mean model a second helper never improves the mean, so
    only a set that was trained, whose gain is measured, can show that two helpers are better than one.
    """
    value_of = _GroupValue(gains, target)
    left = [s for s in range(gains.size) if s != target and not np.isnan(gains.bound[s, target])]
    steps: list[tuple[int, float, float]] = []
    while left:
        before = tuple(source for source, _, _ in steps)
        values = {source: value_of((*before, source)) for source in left}
        best = max(left, key=lambda source: values[source][1])
        steps.append((best, *values[best]))
        left.remove(best)
    top = max((bound for _, _, bound in steps), default=0.0)
    last = next((place for place, step in enumerate(steps) if top > 0 and step[2] == top), -1)
    sources = [source for source, _, _ in steps]
    return tuple(
        Helper(
            *(s, float(gains.gain[s, target]), float(gains.bound[s, target]), value, bound, place <= last),
            is_measured=gains.is_measured((*sources[: place + 1], target), target),
        )
        for place, (s, value, bound) in enumerate(steps)
    )


@dataclass(frozen=True, eq=False)
class _GroupValue:
    """The value of the target with helpers: measured if the set was trained, else by the pair-mean model."""

    gains: GroupGains
    target: int

    def __call__(self, helpers: tuple[int, ...]) -> tuple[float, float]:
        members = np.zeros((1, self.gains.size), dtype=np.bool_)
        members[0, [*helpers, self.target]] = True
        both = (group_values(members, worth)[0, self.target] for worth in (self.gains.gains, self.gains.worth))
        value, bound = (float(one) for one in both)
        return value, bound
