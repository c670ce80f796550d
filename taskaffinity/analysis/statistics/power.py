"""Power analysis: the minimum detectable effect, and the seeds that would decide an arrow.

More seeds reduce the seeds' part of an arrow's variance but not the test set's part, so no number of seeds suffices if
the test set is too small. Projections take the estimated variances as true, add seeds to both arms in proportion, and
require a power of 80% (significance of a gain of this size) or 90% (equivalence of a gain of zero).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.statistics.powered_test import PoweredTest
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents, Words, standard_error
from taskaffinity.runs.rule import Correction, Rule

POWER = 0.8
POWER_EQUIVALENCE = 0.9
MOST_SEEDS = 500
"""Largest number of further seeds per pair that is considered."""

IntArray = npt.NDArray[np.int64]

_INFINITE = 1e9
_ZERO = 1e-11
"""Size below which a gain is zero up to rounding: a difference of equal means."""
_BLOCK = 512
"""Arrows that are searched at once, so that their arrays stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class PowerAnalysis:
    """What each arrow needs; arrays of one shape.

    Seeds are NaN for an untested arrow, infinity if no number of them suffices with this test set, and
    ``MOST_SEEDS + 1`` if more than ``MOST_SEEDS`` are needed.
    """

    mde: FloatArray
    """Minimum detectable effect: significant with a power of 80%; in the unit of the gain."""
    seeds_to_significance: FloatArray
    """Further seeds per pair until a gain of this size is significant with a power of 80%."""
    seeds_to_equivalence: FloatArray
    """Further seeds per pair until a gain of zero is "no effect" with a power of 90%."""
    is_zero: npt.ArrayLike = False
    """Whether the gain is 0 up to rounding, which is never significant, however large the test set is."""


def power_analysis(
    evidence: VarianceComponents, margin: Any, *, alpha: float, alpha_equivalence: float, rule: Rule, wanted: Any = None
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
    wanted : array of bool, optional
        Arrows whose seeds are searched; those of others are NaN. Default: all.
    """
    shape = np.shape(evidence.gain)
    is_open = np.broadcast_to(True if wanted is None else wanted, shape) & ~np.isnan(np.asarray(evidence.s2_pair))
    open_arrows = _at(evidence, shape, is_open)
    goals = {
        "significance": (np.abs(open_arrows.gain), _significance(alpha)),
        "equivalence": (np.broadcast_to(margin, shape)[is_open], _equivalence(alpha_equivalence)),
    }
    seeds = {}
    for name, (goal, test) in goals.items():
        seeds[name] = np.full(shape, np.nan)
        blocks = [
            _fewest_seeds(_at(open_arrows, np.shape(goal), block), goal[block], test, rule)
            for block in np.array_split(np.arange(len(goal)), 1 + len(goal) // _BLOCK)
        ]
        seeds[name][is_open] = np.concatenate(blocks)
    is_zero = np.abs(evidence.gain) < _ZERO
    if rule.estimand == "test-set":  # without an error over examples, nothing else needs endless seeds
        is_zero = is_zero | np.isinf(seeds["significance"])
    mde = minimum_detectable(evidence, alpha, rule)
    return PowerAnalysis(mde, seeds["significance"], seeds["equivalence"], is_zero)


def minimum_detectable(evidence: VarianceComponents, alpha: float, rule: Rule) -> FloatArray:
    """Return each arrow's smallest gain that is significant with a power of 80%.

    It has the unit of the gain.
    """
    return np.asarray(_significance(alpha).least(standard_error(evidence, rule.estimand, rule.test)))


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


def per_comparison_alpha(
    p: FloatArray, alpha: float, n_decided: int, correction: Correction = "bh", n_beside: int = 0
) -> float:
    """Return the p-value that one more arrow must reach, besides the ``n_decided`` arrows that have.

    For Dunnett's correction, return the slightly stricter bound of Bonferroni over the arrows into one target.

    Parameters
    ----------
    n_decided : int
        Among them are those on other test sets.
    n_beside : int
        Tested arrows on other test sets, which the correction counts too.
    """
    m = int((~np.isnan(p)).sum()) + n_beside
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
    """Return a phrase for every tested, inconclusive arrow on what would decide it; empty for others.

    It says in which case no number of seeds is enough.
    """
    words = np.full(verdict.shape, "", dtype=object)
    sizes, is_zero = np.broadcast_to(n_test, verdict.shape), np.broadcast_to(power.is_zero, verdict.shape)
    for arrow in np.ndindex(verdict.shape):
        to_significance, to_equivalence = power.seeds_to_significance[arrow], power.seeds_to_equivalence[arrow]
        if verdict[arrow] != "inconclusive" or np.isnan(to_significance):
            continue
        counts = {"as measured": to_significance, "zero": to_equivalence}
        if all(np.isinf(count) for count in counts.values()):
            words[arrow] = f"no number of seeds is enough with {sizes[arrow]} test examples"
        elif all(MOST_SEEDS < count < np.inf for count in counts.values()):
            words[arrow] = _more_seeds(MOST_SEEDS + 1)
        else:
            ways = ", ".join(f"{_more_seeds(float(count))} if the gain is {size}" for size, count in counts.items())
            words[arrow] = ways
            if np.isinf(to_equivalence) or (np.isinf(to_significance) and not is_zero[arrow]):
                words[arrow] += f" ({sizes[arrow]} test examples are too few)"
            elif np.isinf(to_significance):
                words[arrow] += " (a gain of 0 is never significant)"
    return words


def _more_seeds(count: float) -> str:
    if np.isinf(count):
        return "no number of seeds"
    if count > MOST_SEEDS:
        return f"more than {MOST_SEEDS} more seeds"
    return f"{count:.0f} more {'seed' if count == 1 else 'seeds'}"


def _significance(alpha: float) -> PoweredTest:
    """Return the test that a gain is not zero."""
    return PoweredTest(alpha, POWER)


def _equivalence(alpha: float) -> PoweredTest:
    """Return the test that a gain of zero is within a margin."""
    return PoweredTest(2 * alpha, (1 + POWER_EQUIVALENCE) / 2, two_sided=True)


def _fewest_seeds(evidence: VarianceComponents, goal: FloatArray, test: PoweredTest, rule: Rule) -> FloatArray:
    """Return the fewest further seeds after which the test has its power at the ``goal``.

    More seeds never widen an interval. What is needed is nearly the root of a linear function of one over the seeds, so
    interpolation finds the fewest in a few steps. Every third step halves the range, which bounds their number.

    Parameters
    ----------
    evidence : VarianceComponents
        Of one axis, without untested arrows.
    """

    def look(arrows: IntArray, more: Any) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        part = _at(evidence, np.shape(goal), arrows)
        later = with_more_seeds(part, np.broadcast_to(more, np.shape(arrows))[..., None])
        return test.suffices(standard_error(drop_last_axis(later), rule.estimand, rule.test), goal[arrows])

    fewest = np.full(np.shape(goal), np.inf)
    everything = np.arange(len(fewest))
    is_near, at_most = look(everything, float(MOST_SEEDS))
    far = everything[~is_near]
    fewest[far[look(far, _INFINITE)[0]]] = MOST_SEEDS + 1
    arrows = everything[is_near]
    low, high = np.zeros(len(arrows)), np.full(len(arrows), float(MOST_SEEDS))  # low does not suffice, high does
    at_low, at_high = look(arrows, 0.0)[1], at_most[arrows]
    step = 0
    while (moving := np.flatnonzero(high - low > 1)).size:
        step += 1
        of = arrows[moving]
        ends = (low[moving], high[moving])
        middle = np.floor(sum(ends) / 2)
        if step % 3:
            middle = _interpolated(ends, (at_low[moving], at_high[moving]), goal[of], evidence.n_pair[of])
        enough, found = look(of, middle)
        for bound, at_bound, chosen in ((low, at_low, ~enough), (high, at_high, enough)):
            bound[moving[chosen]], at_bound[moving[chosen]] = middle[chosen], found[chosen]
    fewest[arrows] = high
    return fewest


def _interpolated(
    ends: tuple[FloatArray, FloatArray], at_ends: tuple[FloatArray, FloatArray], goal: FloatArray, n_pair: FloatArray
) -> FloatArray:
    """Return the seeds between the ends after which what is needed is about the goal.

    Its square is taken as linear in one over the number of seeds.
    """
    (low, high), (at_low, at_high) = ends, at_ends
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (at_low**2 - goal**2) / (at_low**2 - at_high**2)
        guess = 1 / (1 / (n_pair + low) + share * (1 / (n_pair + high) - 1 / (n_pair + low))) - n_pair
    guess = np.where(np.isfinite(guess), np.ceil(guess), np.floor((low + high) / 2))
    return np.clip(guess, low + 1, high - 1)


def _at(evidence: VarianceComponents, shape: tuple[int, ...], chosen: Any) -> VarianceComponents:
    """Return the evidence for some arrows."""
    return VarianceComponents(
        **{name: np.broadcast_to(value, shape)[chosen] for name, value in _numbers(evidence).items()},
        untested_reason="",
    )


def _numbers(evidence: VarianceComponents) -> dict[str, Any]:
    return {name: value for name, value in vars(evidence).items() if name != "untested_reason"}
