"""Gains and verdicts: how far training with a source task moves a target task, and whether that can be believed.

Every array is ``(n_tasks, n_tasks)`` and is read ``[source, target]``: row helps column. The diagonal is NaN, for a
task is not its own helper. Gains, intervals and standard errors are in points (100 x the target's metric); do not add
gains of different metrics.

The estimand is the *population's* gain: what training with the source changes on average over seeds *and* over test
sets drawn like this one, for this encoder, this recipe and these data. It is no property of the two tasks alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import stats

from taskaffinity.analysis.errors import Arm, FloatArray, GainError, combine, compare, summarise
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS

Verdict = Literal["improves", "degrades", "no effect", "inconclusive"]

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

POINTS = 100.0

Words = npt.NDArray[np.object_]
"""An array of strings."""


@dataclass(frozen=True, eq=False)
class AffinityMatrix:
    """Every arrow of a study: gain, interval, verdict and the evidence for it. Arrays are ``[source, target]``."""

    suite: str
    tasks: tuple[str, ...]
    """Names in the suite's order, which every array and figure keeps."""
    titles: tuple[str, ...]
    metrics: tuple[str, ...]
    """Keys of ``METRICS``, one a task."""
    encoder: str
    protocol: str
    synthetic: bool
    """True where the text is made by us: every output says so."""
    seeds: tuple[int, ...]
    """Asked for; ``seeds_single`` and ``seeds_pair`` are those that were found."""
    alpha: float
    margin: float
    """Points; a gain that is surely smaller, up or down, is "no effect"."""

    single_mean: FloatArray
    """(n_tasks,), points, of training alone, mean over seeds; NaN where no run is there."""
    single_sd: FloatArray
    """(n_tasks,), points, over seeds; NaN with one run."""
    seeds_single: npt.NDArray[np.int64]
    """(n_tasks,), runs found."""
    seeds_pair: npt.NDArray[np.int64]
    """Runs found; symmetric, for a pair's one run gives both of its arrows."""
    n_test: npt.NDArray[np.int64]
    """(n_tasks,), test examples; 0 where no run is there."""

    gain: FloatArray
    """NaN where an arm has no run."""
    low: FloatArray
    """Ends of the ``1 - alpha`` interval, not adjusted for the number of arrows; NaN, as all that follows, where
    ``reason`` says why there is none."""
    high: FloatArray
    p: FloatArray
    """Of "the gain is zero", two-sided."""
    q: FloatArray
    """The same after Benjamini-Hochberg over the study's measured arrows."""
    p_equivalence: FloatArray
    """Of "the gain is the margin or more, up or down"."""
    q_equivalence: FloatArray
    df: FloatArray
    se_seeds: FloatArray
    se_examples: FloatArray
    """Known with one seed too."""
    verdict: Words
    """Empty on the diagonal."""
    reason: Words
    """Why an arrow could not be tested; empty where it was, whatever the verdict."""

    @property
    def arrows(self) -> tuple[tuple[int, int], ...]:
        """``(source, target)`` of every arrow, row by row."""
        size = range(len(self.tasks))
        return tuple((s, t) for s in size for t in size if s != t)

    def select(self, *verdicts: Verdict) -> tuple[tuple[int, int], ...]:
        """The arrows with one of these verdicts."""
        return tuple(arrow for arrow in self.arrows if self.verdict[arrow] in verdicts)


def measure(study: Study, store: RunStore, *, alpha: float = 0.05, margin: float = 1.0) -> AffinityMatrix:
    """Score of each task trained in a pair, less its score trained alone, with a verdict for every arrow.

    Runs that are not in the store are left out: an arrow is tested where both of its arms have two runs or more, and
    is "inconclusive" with a ``reason`` otherwise.

    Parameters
    ----------
    study : Study
    store : RunStore
    alpha : float
        False discovery rate of the colours, and of the "no effect" verdicts; one less the level of the intervals.
    margin : float
        Points (the paper treats differences below one point as equal, 4.3).

    Raises
    ------
    ValueError
        If alpha or margin cannot be used, or a file of the store is broken.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; it must lie between 0 and 1")
    if not margin > 0:
        raise ValueError(f"the margin is {margin} points; it must be above 0")
    names = tuple(card.name for card in study.tasks)
    arms = _read_arms(study, store)
    errors = {
        (s, t): _arrow(arms.get((target, source)), arms.get((target, "")))
        for s, source in enumerate(names)
        for t, target in enumerate(names)
        if s != t
    }
    singles = [arms.get((name, "")) for name in names]
    paired = [[arms.get((target, source)) for target in names] for source in names]
    gain, p, p_equivalence = (
        _grid(errors, value)
        for value in (lambda e: e.gain, lambda e: e.p(), lambda e: e.p_equivalence(margin / POINTS))
    )
    q, q_equivalence = adjust(p), adjust(p_equivalence)
    verdict = verdicts(gain, q, q_equivalence, alpha)
    np.fill_diagonal(verdict, "")
    reason = np.full(gain.shape, "", dtype=object)
    for arrow, error in errors.items():
        reason[arrow] = error.reason
    return AffinityMatrix(
        suite=study.suite,
        tasks=names,
        titles=tuple(card.title for card in study.tasks),
        metrics=tuple(card.metric for card in study.tasks),
        encoder=study.encoder.name,
        protocol=study.protocol,
        synthetic=study.synthetic,
        seeds=study.seeds,
        alpha=alpha,
        margin=margin,
        single_mean=POINTS * np.array([arm.scores.mean() if arm else math.nan for arm in singles]),
        single_sd=POINTS
        * np.array([arm.scores.std(ddof=1) if arm and len(arm.scores) > 1 else math.nan for arm in singles]),
        seeds_single=np.array([len(arm.scores) if arm else 0 for arm in singles]),
        seeds_pair=np.array([[len(arm.scores) if arm else 0 for arm in row] for row in paired]),
        n_test=np.array([_n_test(arms, name) for name in names]),
        gain=POINTS * gain,
        low=POINTS * _grid(errors, lambda e: e.interval(alpha)[0]),
        high=POINTS * _grid(errors, lambda e: e.interval(alpha)[1]),
        p=p,
        q=q,
        p_equivalence=p_equivalence,
        q_equivalence=q_equivalence,
        df=_grid(errors, lambda e: e.df),
        se_seeds=POINTS * _grid(errors, lambda e: e.se_seeds),
        se_examples=POINTS * _grid(errors, lambda e: e.se_examples),
        verdict=verdict,
        reason=reason,
    )


def adjust(p: FloatArray) -> FloatArray:
    """Benjamini-Hochberg's q over all that was measured; NaN stays NaN and is not counted."""
    q = np.full_like(p, np.nan)
    known = ~np.isnan(p)
    if known.any():
        q[known] = stats.false_discovery_control(p[known], method="bh")
    return q


def verdicts(gain: FloatArray, q: FloatArray, q_equivalence: FloatArray, alpha: float) -> Words:
    """One word an arrow (EDGES 2.4): equivalence first, so a gain that is real but negligible is "no effect"."""
    words = np.full(gain.shape, "inconclusive", dtype=object)
    words[(q <= alpha) & (gain > 0)] = "improves"
    words[(q <= alpha) & (gain < 0)] = "degrades"
    words[q_equivalence <= alpha] = "no effect"
    return words


def _read_arms(study: Study, store: RunStore) -> dict[tuple[str, str], Arm]:
    """By (target, partner), the partner empty for training alone; only arms with a run. Counts are not kept."""
    metrics = {card.name: METRICS[card.metric] for card in study.tasks}
    arms: dict[tuple[str, str], Arm] = {}
    specs = sorted((spec for spec in study.plan if spec.arm in ("single", "pair")), key=lambda spec: spec.task_names)
    for names, group in groupby(specs, key=lambda spec: spec.task_names):
        runs = [store.read(spec) for spec in group if spec in store]
        for target in names if runs else ():
            partner = "".join(name for name in names if name != target)
            arms[target, partner] = summarise(np.stack([run.counts[f"{target}/test"] for run in runs]), metrics[target])
    return arms


def _arrow(pair: Arm | None, single: Arm | None) -> GainError:
    if pair is None or single is None:
        missing = " and no ".join(word for word, arm in (("pair", pair), ("single", single)) if arm is None)
        return GainError(math.nan, math.nan, math.nan, math.nan, math.nan, f"no {missing} run")
    return combine(compare(pair, single))


def _grid(errors: Mapping[tuple[int, int], GainError], value: Callable[[GainError], float]) -> FloatArray:
    size = math.isqrt(len(errors)) + 1  # n (n - 1) arrows
    grid = np.full((size, size), np.nan)
    for arrow, error in errors.items():
        grid[arrow] = value(error)
    return grid


def _n_test(arms: Mapping[tuple[str, str], Arm], target: str) -> int:
    return max((len(arm.influence) for (name, _), arm in arms.items() if name == target), default=0)
