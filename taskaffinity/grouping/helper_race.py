"""Forward selection of helpers by racing (Maron & Moore 1994): sets of tasks are trained, and bad ones stop early.

A step races the sets that have one helper more than the current set. All sets start with a few seeds. After each seed
the sets that are clearly below the best one are dropped, and only the others are trained with the next seed. The step
chooses the best remaining set if it is clearly better than the current set.

*Clearly* is a one-sided test of the mean paired difference of two sets with the same seeds::

    difference > t(df) * sqrt(2 * s2 / n)

``n`` is the number of seeds. ``s2`` and ``df`` come from an additive model of all scores of the step (set + seed), so
that two seeds of many sets give more than one degree of freedom. The risk of a step is divided by the number of its
tests (Bonferroni). So with a probability of at most ``risk`` a step drops its best set, and with at most ``risk`` it
chooses a set that is no better than the current one. Both hold for scores with normal errors of one variance.

Nothing here trains or reads: a function gives the scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from taskaffinity.grouping.gains import BoolArray, FloatArray

IntArray = npt.NDArray[np.int64]

Helpers = tuple[int, ...]
"""Tasks that are trained with the target, in the order in which they were chosen."""

ScoresOf = Callable[[Sequence[Helpers], int], FloatArray]
"""Maps sets and a number of seeds to the target's dev scores in points, ``(n_sets, n_seeds)``.

All sets have the same seeds in the same order, and more seeds extend fewer. NaN is the score of a failed run. The first
set is the current one; all its scores are known."""

Decision = Literal["chosen", "not chosen", "dropped", "failed"]
"""*dropped*: clearly below the best set before the last seed. *failed*: a run of the set failed."""

LEAST_SEEDS = 2


@dataclass(frozen=True)
class RaceRule:
    """How many seeds a race has, and how sure its decisions are."""

    seeds: int
    """Largest number of seeds of a set; at least ``LEAST_SEEDS``."""
    risk: float | None
    """Risk of each of the two errors of a step, in (0, 1). None: differences decide, without a test."""

    def critical(self, df: int, tests: int) -> float:
        """Return the critical value of one of ``tests`` one-sided tests."""
        return 0.0 if self.risk is None else float(-stdtrit(df, self.risk / tests))


@dataclass(frozen=True)
class Candidate:
    """A set in a race, with one helper more than the current set."""

    helpers: Helpers
    scores: tuple[float, ...]
    """Dev scores of the target, one per seed that was trained; NaN for a failed run."""
    difference: float
    """Mean difference from the current set with the same seeds, in points; NaN if a run failed."""
    bound: float
    """Lower bound of the difference at the risk of the step; the difference itself without a risk."""
    decision: Decision


@dataclass(frozen=True)
class Race:
    """One step of the selection."""

    current: Helpers
    """The set before the step; empty for single-task training."""
    scores: tuple[float, ...]
    """Dev scores of the current set, one per seed that was trained."""
    candidates: tuple[Candidate, ...]

    @property
    def chosen(self) -> Candidate | None:
        """The chosen set, or None if none is clearly better than the current one."""
        return next((one for one in self.candidates if one.decision == "chosen"), None)


def select_by_racing(
    sources: Sequence[int], rule: RaceRule, scores_of: ScoresOf, *, most: int, first: int = LEAST_SEEDS
) -> Iterator[Race]:
    """Yield one race after the other, until no set is better or ``most`` helpers are chosen.

    Parameters
    ----------
    sources : sequence of int
        The tasks that may help.
    first : int
        Seeds of each set before the first decision of the first step, where pairs may have been trained before. Later
        steps start with ``LEAST_SEEDS``.
    """
    current: Helpers = ()
    while len(current) < most and (left := [source for source in sources if source not in current]):
        found = race(current, left, rule, scores_of, first=LEAST_SEEDS if current else first)
        yield found
        if found.chosen is None:
            return
        current = found.chosen.helpers


def race(
    current: Helpers, sources: Sequence[int], rule: RaceRule, scores_of: ScoresOf, *, first: int = LEAST_SEEDS
) -> Race:
    """Race the sets that have one of ``sources`` more than the current set.

    The current set takes part and is never dropped. So a set that is clearly below it is dropped too.
    """
    sets = [current, *((*current, source) for source in sources)]
    n = min(max(first, LEAST_SEEDS), rule.seeds)
    rounds = rule.seeds - n
    scores = np.full((len(sets), rule.seeds), np.nan)
    racing, failed = np.ones(len(sets), dtype=np.bool_), np.zeros(len(sets), dtype=np.bool_)
    trained = np.zeros(len(sets), dtype=np.int64)
    while True:
        rows = np.flatnonzero(racing)
        scores[rows, :n], trained[rows] = scores_of([sets[row] for row in rows], n), n
        failed |= racing & np.isnan(scores[:, :n]).any(axis=1)
        racing &= ~failed
        if n == rule.seeds or not racing[1:].any():
            break
        racing[1:] &= ~clearly_below_best(scores[:, :n], racing, rule, tests=rounds * len(sources))[1:]
        if not racing[1:].any():
            break
        n += 1
    return _result(sets, scores, trained, racing, failed, rule)


def clearly_below_best(scores: FloatArray, racing: BoolArray, rule: RaceRule, *, tests: int) -> BoolArray:
    """Return which sets are clearly below the best set.

    Parameters
    ----------
    scores : (n_sets, n_seeds)
        NaN where a set was not trained.
    racing : (n_sets,)
        The sets that have all seeds. Only these are compared, and one of them is the best.
    tests : int
        Number of tests that share the risk.
    """
    variance, df = residual_variance(scores)
    mean = np.where(racing, scores.mean(axis=1), -np.inf)
    margin = rule.critical(df, tests) * math.sqrt(2 * variance / scores.shape[1])
    return np.asarray(racing & (mean.max() - mean > margin), dtype=np.bool_)


def residual_variance(scores: FloatArray) -> tuple[float, int]:
    """Return the residual variance of the additive model set + seed, and its degrees of freedom.

    If two sets have all n seeds, their mean difference has the variance ``2 * variance / n``.

    Parameters
    ----------
    scores : (n_sets, n_seeds)
        NaN where a set was not trained.

    Examples
    --------
    Four scores, and a third set that was dropped after its first seed:

    >>> variance, df = residual_variance(np.array([[1.0, 2.0], [3.0, 6.0], [5.0, np.nan]]))
    >>> round(variance, 6), df
    (1.0, 1)
    """
    known = ~np.isnan(scores)
    sets, seeds = np.nonzero(known)
    design = np.hstack([sets[:, None] == np.arange(len(scores)), seeds[:, None] == np.arange(1, scores.shape[1])])
    fit, _, rank, _ = np.linalg.lstsq(design.astype(np.float64), scores[known], rcond=None)
    df = len(sets) - int(rank)
    return (float(np.sum((scores[known] - design @ fit) ** 2)) / df, df) if df else (math.nan, 0)


def _result(
    sets: Sequence[Helpers],
    scores: FloatArray,
    trained: IntArray,
    racing: BoolArray,
    failed: BoolArray,
    rule: RaceRule,
) -> Race:
    """Compare every set with the current one; choose the best set of the last seed if its bound is positive."""
    variance, df = residual_variance(scores)
    differences = [float(np.mean(scores[row, :n] - scores[0, :n])) for row, n in enumerate(trained)]
    half = [rule.critical(df, len(sets) - 1) * math.sqrt(2 * variance / n) if df else math.nan for n in trained]
    bounds = [difference - width for difference, width in zip(differences, half, strict=True)]
    left = [row for row in range(1, len(sets)) if racing[row]]
    best = max(left, key=lambda row: differences[row], default=0)
    is_better = bool(left) and bounds[best] > 0

    def decision(row: int) -> Decision:
        if failed[row]:
            return "failed"
        if not racing[row]:
            return "dropped"
        return "chosen" if row == best and is_better else "not chosen"

    candidates = tuple(
        Candidate(
            sets[row], tuple(map(float, scores[row, : trained[row]])), differences[row], bounds[row], decision(row)
        )
        for row in range(1, len(sets))
    )
    return Race(sets[0], _known(scores, 0, trained), candidates)


def _known(scores: FloatArray, row: int, trained: IntArray) -> tuple[float, ...]:
    return tuple(float(score) for score in scores[row, : trained[row]])
