"""What an undecided arrow still needs: the gain that a study could have seen, and how many more seeds would decide.

Seeds shrink the seeds' part of an arrow's variance and leave the test set's part, so where the test set alone is too
small no number of seeds helps. Projections take the variances found so far for true, add seeds to both arms in
proportion, and ask for a chance of 80 % (a colour) or 90 % (no effect, were the gain zero).
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
"""Further seeds a pair that are looked at."""

_ENDLESS = 1e9
_MOST_FREEDOM = 1e4
"""More makes no difference, and the noncentral t's numerics none either."""


@dataclass(frozen=True, eq=False)
class PowerAnalysis:
    """Arrays of one shape, an entry an arrow. Seeds are NaN where nothing is known, infinity where no number of them
    helps with this test set, ``MOST_SEEDS + 1`` where more are needed than were looked at."""

    mde: FloatArray
    """The smallest gain that would be called with a chance of 80 %, in the unit of the gain."""
    seeds_to_significance: FloatArray
    """Further seeds a pair until a gain of the size found is called with a chance of 80 %."""
    seeds_to_equivalence: FloatArray
    """Further seeds a pair until a gain of zero is called "no effect" with a chance of 90 %."""


def power_analysis(
    evidence: VarianceComponents,
    margin: Any,
    *,
    alpha: float,
    alpha_equivalence: float,
    estimand: Estimand = "population",
) -> PowerAnalysis:
    """What each arrow needs.

    Parameters
    ----------
    margin : float or array
        In the unit of the gain.
    alpha, alpha_equivalence : float
        Levels that one arrow has to reach by itself (``per_comparison_alpha``).
    """
    now = standard_error(evidence, estimand)
    detectable = _standard_errors_to_colour(now.df, alpha) * now.se
    seeds = np.append(np.arange(1.0, MOST_SEEDS + 1), _ENDLESS)
    later = standard_error(with_more_seeds(evidence, seeds), estimand)
    gain, margins = (np.asarray(np.broadcast_to(value, np.shape(now.gain)))[..., None] for value in (now.gain, margin))
    coloured = np.abs(gain) >= _standard_errors_to_colour(later.df, alpha) * later.se
    equal = margins >= _standard_errors_to_equal(later.df, alpha_equivalence) * later.se
    known = ~np.isnan(np.asarray(now.variance))
    return PowerAnalysis(np.asarray(detectable), _first(coloured, known), _first(equal, known))


def with_more_seeds(evidence: VarianceComponents, more: Any) -> VarianceComponents:
    """The evidence as it would be with ``more`` seeds a pair, along a new last axis; the gain is left as it is."""
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
    """What ``with_more_seeds`` gives for one number of seeds an arrow, in the arrows' own shape."""
    return VarianceComponents(
        **{name: value if name == "untested_reason" else value[..., 0] for name, value in vars(evidence).items()}
    )


def per_comparison_alpha(p: FloatArray, alpha: float, n_decided: int, correction: Correction = "bh") -> float:
    """The p that one more arrow must reach, beside the ``n_decided`` that already have.

    Under Dunnett's correction the bound of Bonferroni among the arrows into one target, a little stricter.
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


def describe_power(needs: PowerAnalysis, verdict: Words, n_test: Any) -> Words:
    """A short sentence for every arrow that is inconclusive and could be tested; else empty."""
    words = np.full(verdict.shape, "", dtype=object)
    sizes = np.broadcast_to(n_test, verdict.shape)
    for arrow in np.ndindex(verdict.shape):
        colour, equal = needs.seeds_to_significance[arrow], needs.seeds_to_equivalence[arrow]
        if verdict[arrow] != "inconclusive" or np.isnan(colour):
            continue
        ways = [
            f"{count:.0f} more {'seed' if count == 1 else 'seeds'} to {goal}"
            for count, goal in ((colour, "a colour"), (equal, '"no effect" if the gain is zero'))
            if count <= MOST_SEEDS
        ]
        if np.isinf(colour) and np.isinf(equal):
            ways = [f"not reachable with {sizes[arrow]} test examples"]
        words[arrow] = ", ".join(ways) or f"more than {MOST_SEEDS} more seeds"
    return words


def _standard_errors_to_colour(df: Any, alpha: float) -> Any:
    """How many standard errors a gain must be long to be called with ``POWER``: noncentral t."""
    return nctdtrinc(np.minimum(df, _MOST_FREEDOM), 1 - POWER, -stdtrit(df, alpha / 2))


def _standard_errors_to_equal(df: Any, alpha: float) -> Any:
    """How many standard errors the margin must be wide for a gain of zero to be called with ``POWER_EQUIVALENCE``.

    Quantiles added, so a little too few at less than ten degrees of freedom.
    """
    return stdtrit(df, (1 + POWER_EQUIVALENCE) / 2) - stdtrit(df, alpha)


def _first(reached: Any, known: Any) -> FloatArray:
    """The first number of seeds that does; the last column of ``reached`` stands for endlessly many."""
    within = np.where(reached[..., :-1].any(axis=-1), np.argmax(reached[..., :-1], axis=-1) + 1.0, MOST_SEEDS + 1.0)
    return np.where(known, np.where(reached[..., -1] | (within <= MOST_SEEDS), within, np.inf), np.nan)


def _numbers(evidence: VarianceComponents) -> dict[str, Any]:
    return {name: value for name, value in vars(evidence).items() if name != "untested_reason"}
