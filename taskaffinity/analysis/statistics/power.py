"""Power analysis: the minimum detectable effect, and the seeds that would decide an arrow.

More seeds reduce the seeds' part of an arrow's variance but not the test set's part, so no number of seeds suffices if
the test set is too small. Projections take the estimated variances as true, add seeds to both arms in proportion, and
require a power of 80 % (significance of a gain of this size) or 90 % (equivalence of a gain of zero).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from taskaffinity.analysis.statistics.gain_error import FloatArray, GainError
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents, Words, standard_error
from taskaffinity.runs.rule import Correction, Rule

POWER = 0.8
POWER_EQUIVALENCE = 0.9
MOST_SEEDS = 500
"""Largest number of further seeds per pair that is considered."""

_INFINITE = 1e9
_STEPS = 12


@dataclass(frozen=True, eq=False)
class PowerAnalysis:
    """What each arrow needs; arrays of one shape.

    Seeds are NaN for an untested arrow, infinity if no number of them suffices with this test set, and
    ``MOST_SEEDS + 1`` if more than ``MOST_SEEDS`` are needed.
    """

    mde: FloatArray
    """Minimum detectable effect: significant with a power of 80 %; in the unit of the gain."""
    seeds_to_significance: FloatArray
    """Further seeds per pair until a gain of this size is significant with a power of 80 %."""
    seeds_to_equivalence: FloatArray
    """Further seeds per pair until a gain of zero is "no effect" with a power of 90 %."""


def power_analysis(
    evidence: VarianceComponents, margin: Any, *, alpha: float, alpha_equivalence: float, rule: Rule
) -> PowerAnalysis:
    """Return what each arrow needs for a verdict.

    Parameters
    ----------
    margin : float or array
        Equivalence margin, in the unit of the gain.
    alpha, alpha_equivalence : float
        Levels of one arrow's two-sided and equivalence tests (``per_comparison_alpha``).
    rule : Rule
        Its estimand and test.
    """
    now = standard_error(evidence, rule.estimand, rule.test)
    gain, margins = (np.asarray(np.broadcast_to(value, np.shape(now.gain)))[..., None] for value in (now.gain, margin))

    def significant(error: GainError) -> Any:
        return np.abs(gain) >= _significant(error, alpha)

    def equivalent(error: GainError) -> Any:
        return margins >= _equivalent(error, alpha_equivalence)

    return PowerAnalysis(
        np.asarray(_significant(now, alpha)),
        _fewest_seeds(evidence, rule, significant),
        _fewest_seeds(evidence, rule, equivalent),
    )


def with_more_seeds(evidence: VarianceComponents, more: Any) -> VarianceComponents:
    """Project the evidence to ``more`` seeds per pair, along a new last axis; the gain stays the same."""
    at = {name: np.asarray(value, dtype=np.float64)[..., None] for name, value in _numbers(evidence).items()}
    n_pair = at["n_pair"] + more
    n_single = at["n_single"] * n_pair / np.maximum(at["n_pair"], 1)
    fixed = at["v_examples"] - np.asarray(evidence.v_interaction)[..., None]  # by chance below zero
    return VarianceComponents(
        **{
            **at,
            "n_pair": n_pair,
            "n_single": n_single,
            "d_pair": at["d_pair"] + n_pair - at["n_pair"],
            "d_single": at["d_single"] + n_single - at["n_single"],
            "v_examples": np.maximum(fixed + at["i_pair"] / n_pair + at["i_single"] / n_single, 0.0),
            "untested_reason": "",
        }
    )


def drop_last_axis(evidence: VarianceComponents) -> VarianceComponents:
    """Remove the last axis that ``with_more_seeds`` adds, for one number of seeds per arrow."""
    return VarianceComponents(
        **{name: value if name == "untested_reason" else value[..., 0] for name, value in vars(evidence).items()}
    )


def per_comparison_alpha(p: FloatArray, alpha: float, n_decided: int, correction: Correction = "bh") -> float:
    """Return the p-value that one more arrow must reach, besides the ``n_decided`` arrows that have.

    For Dunnett's correction, return the slightly stricter bound of Bonferroni over the arrows into one target.
    """
    m = int((~np.isnan(p)).sum())
    if not m:
        return 0.0
    rank = min(m, n_decided + 1)
    if correction == "holm":
        return alpha / (m - rank + 1)
    if correction == "dunnett":
        return alpha / max(1, len(p) - 1)
    harmonic = float(np.sum(1 / np.arange(1, m + 1))) if correction == "by" else 1.0
    return float(alpha * rank / m / harmonic)


def describe_power(power: PowerAnalysis, verdict: Words, n_test: Any) -> Words:
    """Return a phrase for every tested, inconclusive arrow on what would decide it; empty for others."""
    words = np.full(verdict.shape, "", dtype=object)
    sizes = np.broadcast_to(n_test, verdict.shape)
    for arrow in np.ndindex(verdict.shape):
        to_significance, to_equivalence = power.seeds_to_significance[arrow], power.seeds_to_equivalence[arrow]
        if verdict[arrow] != "inconclusive" or np.isnan(to_significance):
            continue
        ways = [
            f"{count:.0f} more {'seed' if count == 1 else 'seeds'} to {goal}"
            for count, goal in ((to_significance, "significance"), (to_equivalence, '"no effect" if the gain is zero'))
            if count <= MOST_SEEDS
        ]
        if np.isinf(to_significance) and np.isinf(to_equivalence):
            ways = [f"not reachable with {sizes[arrow]} test examples"]
        words[arrow] = ", ".join(ways) or f"more than {MOST_SEEDS} more seeds"
    return words


def _significant(error: GainError, alpha: float) -> Any:
    """Return the gain that is significant with ``POWER``."""
    return _least(error, error.half_width(alpha), POWER)


def _equivalent(error: GainError, alpha: float) -> Any:
    """Return the margin within which a gain of zero is equivalent with ``POWER_EQUIVALENCE``."""
    return _least(error, error.half_width(2 * alpha), (1 + POWER_EQUIVALENCE) / 2, two_sided=True)


def _least(error: GainError, half: Any, power: float, two_sided: bool = False) -> Any:
    """Return the distance that a normal gain exceeds with ``power``.

    A repetition of the study estimates another standard error, and ``half`` follows it. For a t test this is the
    noncentral t distribution. If ``two_sided``, a gain on either side counts, and none where ``half`` is larger.
    """
    scale, weight = error.repeated()
    se = np.asarray(error.se)[..., None]
    bounds = np.asarray(half)[..., None] * scale / se
    low, high = np.zeros(bounds.shape[:-1]), bounds.max(axis=-1) + 10.0
    at = (bounds * weight).sum(axis=-1) + 1.0
    for _ in range(_STEPS):  # Newton's steps, halved where they leave what is known to hold the distance
        z = at[..., None] - bounds
        counted = z > 0 if two_sided else np.ones_like(z, dtype=bool)
        reached = (np.where(counted, ndtr(z), 0.5 if two_sided else 0.0) * weight).sum(axis=-1)
        slope = (np.where(counted, np.exp(-z * z / 2), 0.0) * weight).sum(axis=-1) / math.sqrt(2 * math.pi)
        low, high = np.where(reached < power, at, low), np.where(reached < power, high, at)
        newton = at + (power - reached) / np.maximum(slope, 1e-12)
        at = np.where((newton > low) & (newton < high), newton, (low + high) / 2)
    return at * se[..., 0]


def _fewest_seeds(evidence: VarianceComponents, rule: Rule, decided: Callable[[GainError], Any]) -> FloatArray:
    """Return the fewest further seeds that decide each arrow, by bisection: more seeds never widen an interval."""
    shape = np.shape(evidence.gain)

    def suffices(more: Any) -> Any:
        later = with_more_seeds(evidence, np.broadcast_to(more, shape)[..., None])
        return decided(standard_error(later, rule.estimand, rule.test))[..., 0]

    low, high = np.zeros(shape), np.full(shape, MOST_SEEDS + 1.0)  # low does not suffice; high does, or is beyond
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        enough, open_still = suffices(middle), high - low > 1
        low, high = np.where(open_still & ~enough, middle, low), np.where(open_still & enough, middle, high)
    possible = (high <= MOST_SEEDS) | suffices(_INFINITE)
    known = ~np.isnan(np.asarray(evidence.s2_pair))
    return np.asarray(np.where(known, np.where(possible, high, np.inf), np.nan))


def _numbers(evidence: VarianceComponents) -> dict[str, Any]:
    return {name: value for name, value in vars(evidence).items() if name != "untested_reason"}
