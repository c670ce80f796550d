"""Find the best grouping by a mixed-integer linear program over all groups of tasks.

Each group may be trained or not, each task is served by one trained group, and the trained groups fit the budget. The
number of groups doubles with every task.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, eye_array, hstack

from taskaffinity.grouping.budget import Budget
from taskaffinity.grouping.gains import AnyWorth, BoolArray, group_values
from taskaffinity.grouping.grouping import Grouping, NoGrouping, tidied


def best_grouping(worth: AnyWorth, budget: Budget) -> Grouping:
    """Return a grouping with the largest sum of values.

    Parameters
    ----------
    worth : (n_tasks, n_tasks), or Worth
        As in ``group_values``.

    Raises
    ------
    NoGrouping
        If no grouping within the budget serves every task.

    Examples
    --------
    Task 0 helps task 1, and task 2 harms both:

    >>> worth = np.array([[np.nan, 9.0, 0.0], [1.0, np.nan, 0.0], [-5.0, -5.0, np.nan]])
    >>> best_grouping(worth, Budget.of_models(2, 3)).groups
    ((0, 1), (2,))
    """
    groups = all_groups(len(worth))
    values = group_values(groups, worth)
    group, task = np.nonzero(np.isfinite(values))
    n_groups, n_served = len(groups), len(group)
    served = np.arange(n_served)
    ones = np.ones(n_served)
    once = csr_array((ones, (task, served)), shape=(len(worth), n_served))
    is_trained = csr_array((ones, (served, group)), shape=(n_served, n_groups))
    no_groups = csr_array((len(worth), n_groups))
    prices = budget.price.of(groups) / budget.total  # the solver's tolerance is absolute
    found = milp(
        np.concatenate([np.zeros(n_groups), -values[group, task]]),
        integrality=np.concatenate([np.ones(n_groups), np.zeros(n_served)]),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(hstack([no_groups, once]), 1, 1),
            LinearConstraint(hstack([is_trained, -eye_array(n_served)]), lb=0),
            LinearConstraint(np.concatenate([prices, np.zeros(n_served)])[None], ub=1 + 1e-9),
        ],
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        raise NoGrouping
    return tidied(groups[found.x[:n_groups] > 0.5], worth, "exact")


def all_groups(n_tasks: int) -> BoolArray:
    """Return all groups of one task or more, (2 ** n_tasks - 1, n_tasks)."""
    return np.asarray(np.arange(1, 2**n_tasks)[:, None] >> np.arange(n_tasks) & 1, dtype=np.bool_)
