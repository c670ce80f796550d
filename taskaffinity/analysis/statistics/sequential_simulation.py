"""Error rates and savings of a sequential design, by simulation with the variances of the study.

Each simulation applies ``sequential.sequential_design`` to synthetic scores. They are normal over seeds, with each
arm's variance as the study measures it: moderated, unless a run of the arm collapsed. Arrows into a target share its
single-task runs; compute-matched baselines are as many as the runs of the pair, and shared if they are in the study.
The effect of the test set on an arrow is the same at every interim analysis. Gains are zero in one half of the
simulations and those of the study in the other half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from taskaffinity.analysis.statistics.arms import Arms, first_of_equal
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.statistics.seed_variance import StudyPrior, fit_prior, fit_study_prior, shrink
from taskaffinity.analysis.statistics.sequential import BoolArray, Covariance, IntArray, sequential_design
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents
from taskaffinity.runs.plan import default_single_seeds
from taskaffinity.runs.rule import Rule

SIMULATIONS = 200


@dataclass(frozen=True)
class SimulatedRates:
    """Means over simulations of one sequential design."""

    simulations: int
    false_significance: float
    """Share of simulations with any significant arrow if all gains are zero: the false discovery rate there."""
    false_equivalence: float
    """Share of the "no effect" verdicts on gains of the margin or more, with the gains of the study; NaN if there are
    no such verdicts."""
    decided: float
    """Share of the measured arrows that are decided, with the gains of the study."""
    pair_runs: float
    """Share of the fixed design's pair runs that are trained, with the gains of the study."""


def simulate_design(
    arms: Arms,
    interim_seeds: tuple[int, ...],
    margins: FloatArray,
    rule: Rule,
    admitted: BoolArray | None = None,
    *,
    n: int = SIMULATIONS,
) -> SimulatedRates:
    """Simulate a sequential design with the gains and variances of a study.

    Parameters
    ----------
    arms : Arms
        Arms of the study.
    interim_seeds : tuple of int
        Seeds per pair at each interim analysis.
    margins : (n_tasks,)
        Equivalence margin of each target, in score units.
    rule : Rule
        Any correction but Dunnett's, which needs the arms themselves.
    admitted : (n_tasks, n_tasks), optional
        Arrows that the design measures. Default: all.
    """
    size, rng = len(arms.tasks), np.random.default_rng(0)
    measured = np.nan_to_num(np.asarray(arms.evidence.gain, dtype=np.float64))
    first = first_of_equal(arms) if arms.baseline == "matched" else None  # once, because it compares all runs
    false_significance, false_equivalence, equivalent, decided, trained = 0, 0, 0, 0, 0
    for _ in range(n):
        for gains in (np.zeros_like(measured), measured):
            world = _World(arms, gains, interim_seeds, rng, first)
            state = sequential_design(interim_seeds, size, world.evidence_at, margins, rule, admitted)
            verdict = state.decision.verdict
            if gains is not measured:
                false_significance += bool(np.isin(verdict, ("improves", "degrades")).any())
                continue
            no_effect = verdict == "no effect"
            equivalent += int(no_effect.sum())
            false_equivalence += int((no_effect & (np.abs(measured) >= margins)).sum())
            decided += int((state.decided_at_seeds > 0).sum())
            trained += state.pair_runs
    arrows = size * (size - 1)
    of_design = arrows if admitted is None else int((admitted & ~np.eye(size, dtype=bool)).sum())
    return SimulatedRates(
        n,
        false_significance / n,
        false_equivalence / equivalent if equivalent else math.nan,
        decided / n / of_design,
        2 * trained / n / arrows / interim_seeds[-1],
    )


class _World:
    """A synthetic study: the scores of every run that the design could train."""

    def __init__(
        self,
        arms: Arms,
        gains: FloatArray,
        interim_seeds: tuple[int, ...],
        rng: np.random.Generator,
        first: IntArray | None = None,
    ) -> None:
        self.arms = arms
        e = self.e = arms.evidence
        size, most = len(arms.tasks), interim_seeds[-1]
        self.tested = ~np.isnan(np.asarray(e.s2_pair))
        sd_pair = np.sqrt(np.where(self.tested, e.s2_pair, 0.0))
        drawn = self.tested & (arms.estimand == "population")
        of_examples = np.where(drawn, e.v_examples - e.v_interaction, 0.0)
        self.fixed = np.maximum(of_examples, 0.0)
        shift = gains + np.sqrt(self.fixed) * rng.standard_normal((size, size))
        self.pair = shift[..., None] + sd_pair[..., None] * rng.standard_normal((size, size, most))
        is_kept = arms.test != "satterthwaite"  # the variance of an arm with a collapsed run is not moderated
        self.raw_pair = self.tested & is_kept & (np.nan_to_num(e.collapsed_pair) > 0)
        self.units = np.array([[_unit(arms, t, s) for t in arms.tasks] for s in arms.tasks])
        s2, raw = (
            np.where(self.tested, e.s2_single, 0.0),
            self.tested & is_kept & (np.nan_to_num(e.collapsed_single) > 0),
        )
        self.is_matched = arms.baseline == "matched"
        if self.is_matched:  # a baseline per arrow
            self.first = first_of_equal(arms) if first is None else first
            drawn_once = rng.standard_normal((size, size, most))[self.first, np.arange(size)]
            self.single, self.raw_single, self.known_single = np.sqrt(s2)[..., None] * drawn_once, raw, self.tested
            self.single_units = np.where(self.tested, self.units, 1.0)
        else:  # a baseline per target
            sd = np.sqrt(np.nan_to_num(np.nanmax(s2, axis=0)))
            self.single = sd[:, None] * rng.standard_normal((size, default_single_seeds(size, most)))
            self.raw_single, self.known_single = raw.any(axis=0), self.tested.any(axis=0)
            self.single_units = np.nan_to_num(self.units).max(axis=0)
            self.single_units[self.single_units == 0] = 1.0  # of a task without a measured arrow, which is not known

    def evidence_at(
        self, n_pair: IntArray | None, n_single: IntArray | None
    ) -> tuple[VarianceComponents, Covariance] | None:
        assert n_pair is not None
        assert n_single is not None
        e, size = self.e, len(self.pair)
        if self.is_matched:
            n_single = n_pair
        mean_pair, s2_pair = _moments(self.pair, n_pair)
        mean_single, s2_single = _moments(self.single, n_single)
        single_units = self.single_units
        known = self.known_single & (n_single > 1) & ~self.raw_single
        if self.is_matched:
            known &= ~self._is_repeated(n_pair)
        moderates = self.tested & ~self.raw_pair
        ratios = np.concatenate([(s2_pair / self.units)[moderates], (s2_single / single_units)[known]])
        degrees = np.concatenate([(n_pair - 1)[moderates], (n_single - 1)[known]])
        of_pair = np.nonzero(moderates)[1]
        prior = self.prior(ratios, degrees, np.concatenate([of_pair, np.nonzero(known)[-1]]), len(of_pair))
        moderated, d_pair = self.shrink(prior, False, (s2_pair, n_pair - 1, self.units), self.raw_pair)
        single, d_single = self.shrink(prior, True, (s2_single, n_single - 1, single_units), self.raw_single)
        evidence = VarianceComponents(
            gain=np.where(self.tested, mean_pair - mean_single, np.nan),
            s2_pair=np.where(self.tested, moderated, np.nan),
            s2_single=np.broadcast_to(single, (size, size)),
            d_pair=d_pair,
            d_single=np.broadcast_to(d_single, (size, size)),
            n_pair=n_pair.astype(np.float64),
            n_single=np.broadcast_to(n_single, (size, size)).astype(np.float64),
            v_examples=self.fixed + e.i_pair / np.maximum(n_pair, 1) + e.i_single / np.maximum(n_single, 1),
            i_pair=e.i_pair,
            i_single=e.i_single,
            effective_documents=e.effective_documents,
            untested_reason=np.full((size, size), "", dtype=object),
        )
        return evidence, lambda t: np.full((size, size), np.nan)

    def _is_repeated(self, n: IntArray) -> BoolArray:
        """Return the arrows whose baseline has the runs of an earlier one, which the prior counts once."""
        earlier = np.triu(np.ones((len(n), len(n)), dtype=bool), 1)[..., None]
        same = (self.first[:, None] == self.first[None]) & (n[:, None] == n[None])
        return np.asarray((earlier & same & self.tested[:, None] & self.tested[None]).any(axis=0))

    def prior(self, ratios: FloatArray, degrees: FloatArray, target: IntArray, n_pairs: int) -> StudyPrior:
        if self.arms.test == "satterthwaite":
            return StudyPrior({}, fit_prior(ratios, degrees))
        baselines = np.arange(len(target)) >= n_pairs
        return fit_study_prior(ratios, degrees, [self.arms.tasks[t] for t in target], list(baselines))

    def shrink(self, prior: StudyPrior, is_baseline: bool, of_arms: tuple[Any, Any, Any], raw: Any) -> tuple[Any, Any]:
        """Shrink variances by the priors of their targets, along the last axis, except where they are ``raw``.

        Parameters
        ----------
        of_arms : tuple of arrays
            Variances, degrees of freedom and units.
        """
        s2, d, units = of_arms
        of_target = [prior.of(name, is_baseline) for name in self.arms.tasks]
        ratio, d0 = (np.array([getattr(one, name) for one in of_target]) for name in ("ratio", "d0"))
        moderated, freedom = shrink(s2, d, ratio * units, d0)
        return np.where(raw, s2, moderated), np.where(raw, d, freedom)


def _unit(arms: Arms, target: str, source: str) -> float:
    arm = arms.pair(target, source)
    return arm.unit if arm else np.nan


def _moments(scores: FloatArray, n: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of the first ``n`` entries along the last axis."""
    used = np.arange(scores.shape[-1]) < n[..., None]
    count = np.maximum(n, 1)
    mean = np.where(used, scores, 0.0).sum(-1) / count
    squares = np.where(used, (scores - mean[..., None]) ** 2, 0.0).sum(-1)
    return mean, squares / np.maximum(n - 1, 1)
