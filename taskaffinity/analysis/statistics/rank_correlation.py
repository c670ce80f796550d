"""Do gains go with a property of the tasks? Rank correlations, with what chance alone makes of so few tasks.

The arrows of a study are not independent: seven of eight tasks' arrows share a task. What can be exchanged are the
*tasks*, so every p here is from relabelling them: all orders where there are at most eight tasks, else
``RELABELLINGS`` drawn at random. That is exact for any number of tasks, and it shows how little four of them can say:
of 24 orders two give a rank correlation of one, up or down, so no p is below 0.083.

What relabelling does not see is noise that both sides share. ``headroom`` is 100 less the score alone, and a gain is
measured from that same score: an unlucky seed makes both large. With eight tasks whose true scores lie no farther
apart than one seed moves them, p <= .05 came in a third of simulated studies of one seed without any effect
(``tests/analysis/test_rank_correlation.py``). Where true scores lie tens of points apart it does not matter.
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

from taskaffinity.analysis.statistics.standard_errors import FloatArray

MOST_ORDERS = factorial(8)
RELABELLINGS = 20_000
FEWEST = 3
"""Tasks, or sources of a target, that can be ranked against another property."""
_TIE = 1e-9


@dataclass(frozen=True)
class Association:
    """A rank correlation over tasks; all NaN but ``n_tasks`` where one side is constant or too few tasks are known."""

    rho: float
    p: float
    """Share of relabellings of the tasks whose correlation is as far from zero."""
    by_chance: float
    """The least that 5 % of the relabellings or fewer reach, up or down: a correlation nearer zero is no finding. NaN
    where none would be one, for there are too few tasks."""
    least: float
    """Lowest and highest correlation when any one task is left out; no confidence interval."""
    most: float
    n_tasks: int


def across_tasks(one: Sequence[float], other: Sequence[float], rng: np.random.Generator) -> Association:
    """Spearman's correlation of two properties of tasks, ``(n_tasks,)`` each; tasks where one is NaN are left out."""
    pairs = np.column_stack([one, other]).astype(float)
    pairs = pairs[~np.isnan(pairs).any(axis=1)]
    if len(pairs) < FEWEST:
        return _nothing(len(pairs))
    left = (np.delete(pairs, place, axis=0) for place in range(len(pairs)))
    return _association(
        len(pairs), _over_tasks(pairs[:, :1], pairs[:, 1:]), (_over_tasks(p[:, :1], p[:, 1:]) for p in left), rng
    )


def across_arrows(values: FloatArray, gains: FloatArray, rng: np.random.Generator) -> Association:
    """Which partners suit a target: Spearman's correlation over its sources, mean over targets.

    Ranks are taken within each target, so that gains of different metrics never meet, and a property of the target
    alone says nothing here (NaN).

    Parameters
    ----------
    values, gains : (n_tasks, n_tasks)
        ``[source, target]``; the diagonal is not read. All NaN if any other entry is NaN: relabelled, the holes would
        lie elsewhere.
    """
    size = len(gains)
    grids = [np.where(np.eye(size, dtype=bool), np.nan, grid) for grid in (values, gains)]
    whole = all(int(np.isnan(grid).sum()) == size for grid in grids)
    if not whole:
        return _nothing(size)
    cut = ([np.delete(np.delete(g, place, axis=0), place, axis=1) for g in grids] for place in range(size))
    return _association(size, _over_tasks(*grids), (_over_tasks(*pair) for pair in cut), rng)


def task_associations(
    tasks: pd.DataFrame, properties: Sequence[str], outcome: str, rng: np.random.Generator
) -> pd.DataFrame:
    """``across_tasks`` of each property with the outcome, columns of ``tasks``: a row a property.

    ``q`` is p after Benjamini-Hochberg over these properties.
    """
    return _table(
        [across_tasks(tasks[name].to_list(), tasks[outcome].to_list(), rng) for name in properties], properties
    )


def arrow_associations(arrows: pd.DataFrame, properties: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """``across_arrows`` of each property with ``gain``: a row a property, with ``q`` as in ``task_associations``.

    Parameters
    ----------
    arrows : DataFrame
        ``source``, ``target``, ``gain`` and the properties, a row an arrow.
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
    """Standardised ranks ``(n_tasks, n_columns)``, zero where nothing is, and how many columns have both sides."""

    one: FloatArray
    other: FloatArray
    columns: int

    @property
    def rho(self) -> float:
        return float((self.one * self.other).sum() / self.columns) if self.columns else np.nan

    def relabelled(self, orders: npt.NDArray[np.int64]) -> FloatArray:
        """The correlation with the tasks of ``one`` in each order, ``(n_orders,)``."""
        moved = self.one[orders]  # (n_orders, n_tasks, 1), of a property of tasks
        if self.one.shape[1] > 1:  # of arrows sources and targets move together
            moved = self.one[orders[:, :, None], orders[:, None, :]]
        return np.asarray((moved * self.other).sum(axis=(1, 2)) / self.columns)


def _over_tasks(one: FloatArray, other: FloatArray) -> _Ranked:
    first, second = (np.apply_along_axis(_standard_ranks, 0, grid) for grid in (one, other))
    return _Ranked(first, second, int((first.any(axis=0) & second.any(axis=0)).sum()))


def _standard_ranks(column: FloatArray) -> FloatArray:
    """Of mean 0 and length 1; all 0 where the column is constant or has fewer than three values."""
    if np.sum(~np.isnan(column)) < FEWEST:
        return np.zeros_like(column)
    ranks = rankdata(column, nan_policy="omit")
    ranks -= np.nanmean(ranks)
    length = np.sqrt(np.nansum(ranks**2))
    return np.zeros_like(ranks) if length < _TIE else np.nan_to_num(ranks / length)


def _association(size: int, ranked: _Ranked, without_one: Iterable[_Ranked], rng: np.random.Generator) -> Association:
    if not ranked.columns:
        return _nothing(size)
    found = np.abs(ranked.relabelled(_orders(size, rng)))
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


def _nothing(size: int) -> Association:
    return Association(np.nan, np.nan, np.nan, np.nan, np.nan, size)


def _orders(size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """All orders of so many tasks, or ``RELABELLINGS`` of them with the one that they are in."""
    if factorial(size) <= MOST_ORDERS:
        return np.array(list(permutations(range(size))))
    drawn = [rng.permutation(size) for _ in range(RELABELLINGS - 1)]
    return np.array([np.arange(size), *drawn])
