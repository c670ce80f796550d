"""Choose groups: exactly for few tasks, by greedy merging and swaps for many."""

from __future__ import annotations

import numpy as np

from taskaffinity.grouping.budget import Budget
from taskaffinity.grouping.exact import best_grouping
from taskaffinity.grouping.gains import AnyWorth, Worth
from taskaffinity.grouping.grouping import Grouping, membership, tidied
from taskaffinity.grouping.swap import good_grouping

MOST_EXACT = 12
"""Up to this many tasks the choice is exact."""


def choose_groups(worth: AnyWorth, budget: Budget) -> Grouping:
    """Return the groups with the largest sum of values that the budget allows.

    Parameters
    ----------
    worth : (n_tasks, n_tasks), or Worth
        Bounds or gains ``[source, target]`` in points, NaN if unknown.

    Raises
    ------
    NoGrouping
        If no grouping within the budget serves every task.
    """
    return best_grouping(worth, budget) if len(worth) <= MOST_EXACT else good_grouping(worth, budget)


def all_in_one(worth: AnyWorth) -> Grouping:
    """Return the grouping with one model of all tasks."""
    size = len(worth)
    return Grouping((tuple(range(size)),), (0,) * size, "exact")


def single_task(worth: AnyWorth) -> Grouping:
    """Return the grouping with one model per task."""
    size = len(worth)
    return Grouping(tuple((task,) for task in range(size)), tuple(range(size)), "exact")


def pairs(worth: AnyWorth) -> Grouping:
    """Return the grouping of each task with its best partner, or by itself if none helps."""
    size = len(worth)
    gains = worth.pairs if isinstance(worth, Worth) else worth
    gains = np.where(np.isnan(gains), -np.inf, gains)
    best = gains.argmax(axis=0)
    groups = {
        tuple(sorted({task, int(best[task])} if gains[best[task], task] > 0 else {task})): None for task in range(size)
    }
    return tidied(membership(tuple(groups), size), worth, "exact")
