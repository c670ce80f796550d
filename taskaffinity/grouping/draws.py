"""Measure how certain a choice of groups is, by draws of the gains from their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taskaffinity.grouping.budget import Budget
from taskaffinity.grouping.gains import FloatArray, GroupGains, MeasuredGains, Worth
from taskaffinity.grouping.grouping import Grouping, tidied
from taskaffinity.grouping.swap import improved, total


@dataclass(frozen=True)
class Shares:
    """How often draws of the gains confirm a grouping."""

    draws: int
    groups: tuple[float, ...]
    """By group: share of draws in [0, 1] whose best grouping has this group."""
    regret: float
    """Mean advantage of the best grouping of a draw over the chosen one, in points per task."""


def shares_of(chosen: Grouping, gains: GroupGains, budget: Budget, *, draws: int = 200) -> Shares | None:
    """Return how often each chosen group is best.

    Each draw adds t-distributed errors to the gains, independently of each other. Its best grouping is searched by
    swaps from the best one of earlier draws.

    Returns
    -------
    Shares or None
        None if a gain has no standard error.
    """
    known = ~np.isnan(gains.bound)
    if draws < 1 or np.isnan(gains.se[known]).any():
        return None
    rng = np.random.default_rng(0)
    starts = [_padded(chosen, budget)]
    counts, regret = np.zeros(len(chosen.groups)), 0.0
    for _ in range(draws):
        worth = _drawn(gains, rng)
        first = max(starts, key=lambda start: total(start, worth, budget))
        best = improved(first, worth, budget)
        found = tidied(best, worth, "greedy and swap")
        regret += total(best, worth, budget) - total(starts[0], worth, budget)
        counts += [group in found.groups for group in chosen.groups]
        if not any(np.array_equal(best, start) for start in starts):
            starts.append(best)
    return Shares(draws, tuple((counts / draws).tolist()), regret / draws / gains.size)


def _drawn(gains: GroupGains, rng: np.random.Generator) -> Worth:
    return Worth(_with_errors(gains, rng), {group: _with_errors(found, rng) for group, found in gains.groups.items()})


def _with_errors(gains: GroupGains | MeasuredGains, rng: np.random.Generator) -> FloatArray:
    df = np.where(np.isfinite(gains.df), gains.df, 1e9)
    return np.where(np.isnan(gains.bound), np.nan, gains.gain + gains.se * rng.standard_t(df))


def _padded(grouping: Grouping, budget: Budget) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    members = grouping.members()
    empty = np.zeros((max(0, budget.most_groups - len(members)), members.shape[1]), dtype=np.bool_)
    return np.concatenate([members, empty])
