"""Find a good grouping by greedy merging and local search, for many tasks.

The exact program takes few tasks.

A step changes one member of one group, exchanges two, or moves a task to another group. The best step is taken until
none improves. Nothing guarantees the best grouping.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from taskaffinity.grouping.budget import Budget
from taskaffinity.grouping.gains import AnyWorth, BoolArray, FloatArray, group_values
from taskaffinity.grouping.grouping import Grouping, NoGrouping, tidied

_FAULT = 1e7
"""Penalty, in points, for an unserved task and for an exceeded budget."""
_BETTER = 1e-9
_RANDOM_STARTS = 20
_MOST_MOVES = 400
"""The largest number of pairs of groups that one step moves tasks between."""


def good_grouping(worth: AnyWorth, budget: Budget) -> Grouping:
    """Return the best grouping of local searches from a greedy start and from random ones.

    Parameters
    ----------
    worth : (n_tasks, n_tasks), or Worth
        As in ``group_values``.

    Raises
    ------
    NoGrouping
        If no grouping within the budget was found that serves every task.
    """
    found = [improved(start, worth, budget) for start in _starts(worth, budget)]
    best = max(found, key=lambda members: total(members, worth, budget))
    if total(best, worth, budget) < -_FAULT / 2:
        raise NoGrouping
    return tidied(best, worth, "greedy and swap")


def total(members: BoolArray, worth: AnyWorth, budget: Budget) -> float:
    """Return the sum of values minus large penalties.

    Unserved tasks and an exceeded budget are penalised.
    """
    best = _served(group_values(members, worth)).max(axis=0)
    return float(best.sum()) - _penalty(budget.excess(members))


def improved(members: BoolArray, worth: AnyWorth, budget: Budget) -> BoolArray:
    """Take the best step until none improves the groups, (most_groups, n_tasks)."""
    members, value = members.copy(), total(members, worth, budget)
    while True:
        step = None
        for steps in (_single_changes, _moves, _double_changes):  # the cheapest first
            step = max(steps(members, worth, budget), key=lambda one: one[0], default=None)
            if step is not None and step[0] > value + _BETTER:
                break
        else:
            return members
        assert step is not None  # the loop was left by break
        value, members = step


def _starts(worth: AnyWorth, budget: Budget) -> Iterator[BoolArray]:
    rng = np.random.default_rng(0)
    size, most = len(worth), budget.most_groups
    yield _merged(worth, budget)
    for _ in range(_RANDOM_STARTS):
        start = np.zeros((most, size), dtype=np.bool_)
        start[rng.integers(0, most, size), np.arange(size)] = True
        yield start


def _merged(worth: AnyWorth, budget: Budget) -> BoolArray:
    """Merge single tasks two by two, always with the best total."""
    size, most = len(worth), budget.most_groups
    groups = list(np.eye(size, dtype=np.bool_))
    while len(groups) > 1 and (len(groups) > most or budget.excess(np.array(groups))):
        merges = [(a, b) for a in range(len(groups)) for b in range(a)]
        joint = _served(group_values(np.array([groups[a] | groups[b] for a, b in merges]), worth))
        apart = _served(group_values(np.array(groups), worth))
        own = np.where(np.array(groups), apart, 0.0).sum(axis=1)
        gains = [
            np.where(groups[a] | groups[b], values, 0.0).sum() - own[a] - own[b]
            for (a, b), values in zip(merges, joint, strict=True)
        ]
        a, b = merges[int(np.argmax(gains))]
        groups[b] = groups[a] | groups[b]
        del groups[a]
    start = np.zeros((most, size), dtype=np.bool_)
    start[: len(groups)] = groups
    return start


def _single_changes(members: BoolArray, worth: AnyWorth, budget: Budget) -> Iterator[tuple[float, BoolArray]]:
    return _changes(members, worth, budget, np.eye(members.shape[1], dtype=np.bool_))


def _double_changes(members: BoolArray, worth: AnyWorth, budget: Budget) -> Iterator[tuple[float, BoolArray]]:
    one = np.eye(members.shape[1], dtype=np.bool_)
    first, second = np.triu_indices(len(one), 1)
    return _changes(members, worth, budget, one[first] | one[second]) if len(first) else iter(())


def _changes(
    members: BoolArray, worth: AnyWorth, budget: Budget, changes: BoolArray
) -> Iterator[tuple[float, BoolArray]]:
    """Yield the total and the groups after the best change of each group."""
    size = members.shape[1]
    values, prices = _served(group_values(members, worth)), budget.price.of(members)
    for group in range(len(members)):
        candidates = members[group] ^ changes
        others = _best_of(np.delete(values, group, axis=0), size)
        totals = np.maximum(_served(group_values(candidates, worth)), others).sum(axis=1)
        spent = prices.sum() - prices[group] + budget.price.of(candidates)
        totals -= _penalties(spent, budget)
        best = int(totals.argmax())
        changed = members.copy()
        changed[group] = candidates[best]
        yield float(totals[best]), changed


def _moves(members: BoolArray, worth: AnyWorth, budget: Budget) -> Iterator[tuple[float, BoolArray]]:
    """Yield the total and the groups after the best move between each two groups."""
    values, prices = _served(group_values(members, worth)), budget.price.of(members)
    size = members.shape[1]
    filled = np.flatnonzero(members.any(axis=1)).tolist()
    ordered = [(a, b) for a in filled for b in range(len(members)) if a != b]
    for a, b in ordered[:_MOST_MOVES]:
        tasks = np.flatnonzero(members[a] & ~members[b])
        if not len(tasks):
            continue
        one = np.eye(size, dtype=np.bool_)[tasks]
        less, more = members[a] & ~one, members[b] | one
        others = _best_of(np.delete(values, (a, b), axis=0), size)
        served = [_served(group_values(groups, worth)) for groups in (less, more)]
        totals = np.maximum(np.maximum(*served), others).sum(axis=1)
        totals -= _penalties(
            prices.sum() - prices[a] - prices[b] + budget.price.of(less) + budget.price.of(more), budget
        )
        best = int(totals.argmax())
        changed = members.copy()
        changed[a], changed[b] = less[best], more[best]
        yield float(totals[best]), changed


def _served(values: FloatArray) -> FloatArray:
    return np.where(np.isinf(values), -_FAULT, values)


def _best_of(values: FloatArray, size: int) -> FloatArray:
    return np.full(size, -_FAULT) if len(values) == 0 else values.max(axis=0)


def _penalty(excess: float) -> float:
    return _FAULT * (1 + excess) if excess else 0.0


def _penalties(spent: FloatArray, budget: Budget) -> FloatArray:
    share = spent / budget.total - 1
    return np.where(share > 1e-9, _FAULT * (1 + share), 0.0)
