"""Rank correlations of gains with properties of tasks, tested by permutation of the tasks.

The arrows of a study are not independent, because they share tasks. The *tasks* are exchangeable, so every p-value
comes from their permutations: all of them for up to eight tasks, else ``PERMUTATIONS`` drawn at random. The test is
exact for any number of tasks. Four tasks say little: 2 of 24 orders have a rank correlation of 1 or -1, so no p-value
is below 0.083.

The test does not account for noise that both sides share. ``headroom`` is 100 less the single-task score, and the gain
is measured from the same score, so an unlucky seed raises both. ``tests/analysis/test_rank_correlation.py`` shows that
this inflates false positives if the true scores differ no more than one seed changes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import permutations
from math import factorial

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import false_discovery_control, rankdata

from taskaffinity.analysis.statistics.gain_error import FloatArray

MAX_ORDERS = factorial(8)
PERMUTATIONS = 20_000
FEWEST = 3
"""Fewest tasks, or sources of a target, that are ranked."""
_TIE = 1e-9


@dataclass(frozen=True)
class Association:
    """A rank correlation over tasks; NaN if one side is constant or too few tasks are known."""

    rho: float
    p: float
    """Share of permutations of the tasks whose correlation is as far from zero."""
    by_chance: float
    """Smallest absolute correlation that at most 5% of the permutations reach. NaN if there is none, because there are
    too few tasks."""
    least: float
    """Lowest and highest correlation without any one task; not a confidence interval."""
    most: float
    n_tasks: int


def across_tasks(one: Sequence[float], other: Sequence[float], rng: np.random.Generator) -> Association:
    """Return Spearman's correlation of two properties, ``(n_tasks,)`` each, without tasks where one is NaN."""
    pairs = np.column_stack([one, other]).astype(float)
    pairs = pairs[~np.isnan(pairs).any(axis=1)]
    if len(pairs) < FEWEST:
        return _unknown(len(pairs))
    without_one = (np.delete(pairs, place, axis=0) for place in range(len(pairs)))
    return _association(
        len(pairs), _over_tasks(pairs[:, :1], pairs[:, 1:]), (_over_tasks(p[:, :1], p[:, 1:]) for p in without_one), rng
    )


def across_arrows(values: FloatArray, gains: FloatArray, rng: np.random.Generator) -> Association:
    """Return Spearman's correlation over the sources of each target, mean over targets.

    Ranks are taken within each target, so gains in different metrics are never compared. A property of the target
    gives NaN.

    Parameters
    ----------
    values, gains : (n_tasks, n_tasks)
        ``[source, target]``; the diagonal is ignored. If any other entry is NaN, the result is NaN, because
        permutations would move the gaps.
    """
    size = len(gains)
    grids = [np.where(np.eye(size, dtype=bool), np.nan, grid) for grid in (values, gains)]
    complete = all(int(np.isnan(grid).sum()) == size for grid in grids)
    if not complete:
        return _unknown(size)
    cut = ([np.delete(np.delete(g, place, axis=0), place, axis=1) for g in grids] for place in range(size))
    return _association(size, _over_tasks(*grids), (_over_tasks(*pair) for pair in cut), rng)


def task_associations(
    tasks: pd.DataFrame, properties: Sequence[str], outcome: str, rng: np.random.Generator
) -> pd.DataFrame:
    """Return ``across_tasks`` of each property with the outcome, columns of ``tasks``: one row per property.

    ``q`` is p adjusted over these properties by Benjamini and Hochberg.
    """
    return _table(
        [across_tasks(tasks[name].to_list(), tasks[outcome].to_list(), rng) for name in properties], properties
    )


def arrow_associations(arrows: pd.DataFrame, properties: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """Return ``across_arrows`` of each property with ``gain``: one row per property, with ``q``.

    Parameters
    ----------
    arrows : DataFrame
        ``source``, ``target``, ``gain`` and the properties, one row per arrow.
    """
    names = list(dict.fromkeys([*arrows.source, *arrows.target]))
    gains, *grids = (
        arrows.pivot(index="source", columns="target", values=name)
        .reindex(index=names, columns=names)
        .to_numpy(dtype=float)
        for name in ("gain", *properties)
    )
    return _table([across_arrows(grid, gains, rng) for grid in grids], properties)


def _table(found: Sequence[Association], properties: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame(map(astuple, found), columns=[f.name for f in fields(Association)], index=list(properties))
    known = frame.p.notna()
    frame.insert(2, "q", np.nan)
    if known.any():
        frame.loc[known, "q"] = false_discovery_control(frame.p[known])
    return frame.rename_axis("property")


@dataclass(frozen=True)
class _Ranked:
    """Standardised ranks ``(n_tasks, n_columns)``, zero if missing, and the number of columns with both sides."""

    one: FloatArray
    other: FloatArray
    columns: int

    @property
    def rho(self) -> float:
        return float((self.one * self.other).sum() / self.columns) if self.columns else np.nan

    def permuted(self, orders: npt.NDArray[np.int64]) -> FloatArray:
        """Return the correlation with the tasks of ``one`` in each order, ``(n_orders,)``."""
        moved = self.one[orders]  # (n_orders, n_tasks, 1), for a property of tasks
        if self.one.shape[1] > 1:  # for arrows, sources and targets move together
            moved = self.one[orders[:, :, None], orders[:, None, :]]
        return np.asarray((moved * self.other).sum(axis=(1, 2)) / self.columns)


def _over_tasks(one: FloatArray, other: FloatArray) -> _Ranked:
    first, second = (np.apply_along_axis(_standard_ranks, 0, grid) for grid in (one, other))
    return _Ranked(first, second, int((first.any(axis=0) & second.any(axis=0)).sum()))


def _standard_ranks(column: FloatArray) -> FloatArray:
    """Return ranks of mean 0 and length 1; all 0 for a constant column or fewer than three values."""
    if np.sum(~np.isnan(column)) < FEWEST:
        return np.zeros_like(column)
    ranks = rankdata(column, nan_policy="omit")
    ranks -= np.nanmean(ranks)
    length = np.sqrt(np.nansum(ranks**2))
    return np.zeros_like(ranks) if length < _TIE else np.nan_to_num(ranks / length)


def _association(size: int, ranked: _Ranked, without_one: Iterable[_Ranked], rng: np.random.Generator) -> Association:
    if not ranked.columns:
        return _unknown(size)
    found = np.abs(ranked.permuted(_orders(size, rng)))
    heights, counts = np.unique(found.round(9), return_counts=True)
    rare = heights[counts[::-1].cumsum()[::-1] <= 0.05 * len(found)]
    others = [each.rho for each in without_one if each.columns]
    return Association(
        rho=ranked.rho,
        p=float((found >= abs(ranked.rho) - _TIE).mean()),
        by_chance=float(rare[0]) if len(rare) else np.nan,
        least=min(others, default=np.nan),
        most=max(others, default=np.nan),
        n_tasks=size,
    )


def _unknown(size: int) -> Association:
    return Association(np.nan, np.nan, np.nan, np.nan, np.nan, size)


def _orders(size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return all orders of ``size`` tasks, or ``PERMUTATIONS`` of them with the identity."""
    if factorial(size) <= MAX_ORDERS:
        return np.array(list(permutations(range(size))))
    drawn = [rng.permutation(size) for _ in range(PERMUTATIONS - 1)]
    return np.array([np.arange(size), *drawn])
