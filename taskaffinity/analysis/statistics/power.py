"""Power analysis: the minimum detectable effect, and the seeds that would decide an arrow.

More seeds reduce the seeds' part of an arrow's variance but not the test set's part, so no number of seeds suffices if
the test set is too small. Projections take the estimated variances as true, add seeds to both arms in proportion, and
require a power of 80 % (significance of a gain of this size) or 90 % (equivalence of a gain of zero).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import nctdtrinc, stdtrit

from taskaffinity.analysis.statistics.standard_errors import FloatArray, VarianceComponents, Words, standard_error
from taskaffinity.runs.rule import Correction, Estimand

POWER = 0.8
POWER_EQUIVALENCE = 0.9
MOST_SEEDS = 500
"""Largest number of further seeds per pair that is considered."""

_INFINITE = 1e9
_MAX_DF = 1e4
"""Larger values change nothing, and the noncentral t distribution becomes unstable."""


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
    evidence: VarianceComponents,
    margin: Any,
    *,
    alpha: float,
    alpha_equivalence: float,
    estimand: Estimand = "population",
) -> PowerAnalysis:
    """Return what each arrow needs for a verdict.

    Parameters
    ----------
    margin : float or array
        Equivalence margin, in the unit of the gain.
    alpha, alpha_equivalence : float
        Levels of one arrow's two-sided and equivalence tests (``per_comparison_alpha``).
    """
    now = standard_error(evidence, estimand)
    mde = _significant_in_se(now.df, alpha) * now.se
    seeds = np.append(np.arange(1.0, MOST_SEEDS + 1), _INFINITE)
    later = standard_error(with_more_seeds(evidence, seeds), estimand)
    gain, margins = (np.asarray(np.broadcast_to(value, np.shape(now.gain)))[..., None] for value in (now.gain, margin))
    significant = np.abs(gain) >= _significant_in_se(later.df, alpha) * later.se
    equivalent = margins >= _equivalent_in_se(later.df, alpha_equivalence) * later.se
    known = ~np.isnan(np.asarray(now.variance))
    return PowerAnalysis(np.asarray(mde), _first(significant, known), _first(equivalent, known))


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


def _significant_in_se(df: Any, alpha: float) -> Any:
    """Return the gain, in standard errors, that is significant with ``POWER`` (noncentral t)."""
    return nctdtrinc(np.minimum(df, _MAX_DF), 1 - POWER, -stdtrit(df, alpha / 2))


def _equivalent_in_se(df: Any, alpha: float) -> Any:
    """Return the margin, in standard errors, within which a gain of zero is equivalent with ``POWER_EQUIVALENCE``.

    The sum of two quantiles is slightly too small for fewer than ten degrees of freedom.
    """
    return stdtrit(df, (1 + POWER_EQUIVALENCE) / 2) - stdtrit(df, alpha)


def _first(reached: Any, known: Any) -> FloatArray:
    """Return the smallest sufficient number of seeds; the last column of ``reached`` is for infinitely many."""
    within = np.where(reached[..., :-1].any(axis=-1), np.argmax(reached[..., :-1], axis=-1) + 1.0, MOST_SEEDS + 1.0)
    return np.where(known, np.where(reached[..., -1] | (within <= MOST_SEEDS), within, np.inf), np.nan)


def _numbers(evidence: VarianceComponents) -> dict[str, Any]:
    return {name: value for name, value in vars(evidence).items() if name != "untested_reason"}
