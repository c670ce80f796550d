"""What a race is worth, by simulation: its own error rates and savings, with the variances that the study found.

The whole loop of ``racing.race`` is run on made-up scores: normal over seeds with each arm's moderated variance, and a
draw of the test set that an arrow keeps through all looks. Once all gains are zero, once they are as the study found
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taskaffinity.analysis.statistics.arms import Arms
from taskaffinity.analysis.statistics.seed_variance import fit_prior
from taskaffinity.analysis.statistics.sequential import Covariance, IntArray, race
from taskaffinity.analysis.statistics.standard_errors import FloatArray, VarianceComponents
from taskaffinity.runs.plan import default_single_seeds
from taskaffinity.runs.rule import Rule

SIMULATIONS = 200


@dataclass(frozen=True)
class Odds:
    """Means over simulated races of the same design."""

    simulations: int
    coloured_nulls: float
    """Share of races that colour any arrow, were all gains zero: the false discovery rate there."""
    false_no_effect: float
    """Of the "no effect" verdicts, the share on arrows whose gain is the margin or more, were gains as found."""
    decided: float
    """Share of the arrows that are decided, were gains as found."""
    pair_runs: float
    """Share of the fixed design's pair runs that are spent, were gains as found."""


def odds_of(arms: Arms, looks: tuple[int, ...], margins: FloatArray, rule: Rule, *, n: int = SIMULATIONS) -> Odds:
    """Simulate races of this design.

    Parameters
    ----------
    arms : Arms
        Of the study: its evidence gives variances and gains.
    margins : (n_tasks,)
    rule : Rule
        Not with Dunnett's correction, which needs the arms themselves.
    """
    size, rng = len(arms.tasks), np.random.default_rng(0)
    found = np.nan_to_num(np.asarray(arms.evidence.gain, dtype=np.float64))
    coloured, false_equal, equal, decided, spent = 0, 0, 0, 0, 0
    for _ in range(n):
        for gains in (np.zeros_like(found), found):
            world = _World(arms, gains, looks, rng)
            standing = race(looks, size, world.evidence_at, margins, rule)
            verdict = standing.call.verdict
            if gains is not found:
                coloured += bool(np.isin(verdict, ("improves", "degrades")).any())
                continue
            calm = verdict == "no effect"
            equal += int(calm.sum())
            false_equal += int((calm & (np.abs(found) >= margins)).sum())
            decided += int((standing.decided_at_seeds > 0).sum())
            spent += standing.pair_runs
    arrows = size * (size - 1)
    return Odds(n, coloured / n, false_equal / max(1, equal), decided / n / arrows, 2 * spent / n / arrows / looks[-1])


class _World:
    """One made-up study: scores of every run that the race could ask for."""

    def __init__(self, arms: Arms, gains: FloatArray, looks: tuple[int, ...], rng: np.random.Generator) -> None:
        e = self.e = arms.evidence
        size, most = len(arms.tasks), looks[-1]
        self.tested = ~np.isnan(np.asarray(e.s2_pair))
        sd_pair = np.sqrt(np.where(self.tested, e.s2_pair, 0.0))
        sd_single = np.sqrt(np.nan_to_num(np.nanmax(np.where(self.tested, e.s2_single, 0.0), axis=0)))
        self.fixed = np.maximum(np.where(self.tested, e.v_examples - e.v_interaction, 0.0), 0.0)
        shift = gains + np.sqrt(self.fixed) * rng.standard_normal((size, size))
        self.pair = shift[..., None] + sd_pair[..., None] * rng.standard_normal((size, size, most))
        self.single = sd_single[:, None] * rng.standard_normal((size, default_single_seeds(size, most)))
        self.units = np.array([[_unit(arms, t, s) for t in arms.tasks] for s in arms.tasks])

    def evidence_at(
        self, n_pair: IntArray | None, n_single: IntArray | None
    ) -> tuple[VarianceComponents, Covariance] | None:
        assert n_pair is not None
        assert n_single is not None
        e, size = self.e, len(self.pair)
        mean_pair, s2_pair = _moments(self.pair, n_pair)
        mean_single, s2_single = _moments(self.single, n_single)
        alone_units = np.nan_to_num(self.units).max(axis=0)
        known = self.tested.any(axis=0) & (n_single > 1)
        ratios = np.concatenate([(s2_pair / self.units)[self.tested], (s2_single / alone_units)[known]])
        degrees = np.concatenate([(n_pair - 1)[self.tested], (n_single - 1)[known]])
        prior = fit_prior(ratios, degrees)
        moderated, d_pair = prior.shrink(s2_pair, n_pair - 1, self.units)
        alone, d_alone = prior.shrink(s2_single, n_single - 1, alone_units)
        evidence = VarianceComponents(
            gain=np.where(self.tested, mean_pair - mean_single, np.nan),
            s2_pair=np.where(self.tested, moderated, np.nan),
            s2_single=np.broadcast_to(alone, (size, size)),
            d_pair=d_pair,
            d_single=np.broadcast_to(d_alone, (size, size)),
            n_pair=n_pair.astype(np.float64),
            n_single=np.broadcast_to(n_single, (size, size)).astype(np.float64),
            v_examples=self.fixed + e.i_pair / np.maximum(n_pair, 1) + e.i_single / np.maximum(n_single, 1),
            i_pair=e.i_pair,
            i_single=e.i_single,
            n_documents=e.n_documents,
            untested_reason=np.full((size, size), "", dtype=object),
        )
        return evidence, lambda t: np.full((size, size), np.nan)


def _unit(arms: Arms, target: str, source: str) -> float:
    arm = arms.pair(target, source)
    return arm.unit if arm else np.nan


def _moments(scores: FloatArray, n: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the first ``n`` along the last axis."""
    used = np.arange(scores.shape[-1]) < n[..., None]
    count = np.maximum(n, 1)
    mean = np.where(used, scores, 0.0).sum(-1) / count
    squares = np.where(used, (scores - mean[..., None]) ** 2, 0.0).sum(-1)
    return mean, squares / np.maximum(n - 1, 1)
