"""Verdicts: the tests of every arrow, corrected for multiple comparisons.

Benjamini & Hochberg (1995) and, under any dependence, Benjamini & Yekutieli (2001) control the false discovery rate
over all arrows of a study. Holm (1979) controls the chance of any false verdict. Dunnett (1955) controls it for each
target, with simultaneous intervals, because all arrows into a target share its single-task runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from taskaffinity.analysis.statistics.gain_error import FloatArray, GainError
from taskaffinity.analysis.statistics.standard_errors import Words
from taskaffinity.runs.rule import Correction, Rule, Test

Verdict = Literal["improves", "degrades", "no effect", "inconclusive", "not measured"]

NOT_MEASURED: Verdict = "not measured"
"""Stands in the place of a verdict where a design defers the pair. It says nothing about the gain."""

VERDICTS: tuple[Verdict, ...] = tuple(verdict for verdict in get_args(Verdict) if verdict != NOT_MEASURED)
"""The verdicts on measured pairs."""

CORRECTIONS: dict[Correction, str] = {
    "bh": "Benjamini–Hochberg",
    "by": "Benjamini–Yekutieli",
    "holm": "Holm",
    "dunnett": "Dunnett",
}
TESTS: dict[Test, str] = {"behrens-fisher": "Behrens–Fisher", "satterthwaite": "t"}


@dataclass(frozen=True)
class Beside:
    """Numbers of arrows on other test sets, which the correction counts too."""

    tested: int = 0
    significant: int = 0
    equivalent: int = 0


NONE_BESIDE = Beside()


@dataclass(frozen=True, eq=False)
class Decision:
    """Tests and verdict of every arrow; arrays ``[source, target]``, in the unit of the gain, NaN if untested."""

    low: FloatArray
    high: FloatArray
    p: FloatArray
    q: FloatArray
    p_tost: FloatArray
    q_tost: FloatArray
    verdict: Words
    """Empty on the diagonal."""
    beside: Beside = NONE_BESIDE


def decide(
    error: GainError,
    margins: FloatArray,
    rule: Rule,
    covariance: Callable[[int], FloatArray],
    beside: Sequence[GainError] = (),
) -> Decision:
    """Test every arrow and return its verdict.

    Parameters
    ----------
    error : GainError
        Arrays ``[source, target]``.
    margins : (n_tasks,)
        Equivalence margin of each target, in the unit of the gain.
    covariance : callable
        Maps a target's index to the covariances of the errors of the gains into it, by source; ``dunnett`` uses it.
    beside : sequence of GainError
        Gains on other test sets, which the correction counts too; ``dunnett`` holds for each target and test set.
    """
    is_by_target = rule.correction == "dunnett"
    decision = decide_each(error, margins, replace(rule, correction="holm") if is_by_target else rule, beside)
    if is_by_target:
        decision = _by_target(decision, error, rule, covariance)
    np.fill_diagonal(decision.verdict, "")
    return decision


def decide_each(error: GainError, margins: FloatArray, rule: Rule, beside: Sequence[GainError] = ()) -> Decision:
    """Test arrows of any shape and return their verdicts, by any correction but Dunnett's.

    Parameters
    ----------
    error : GainError
        Arrays of any shape.
    margins : array
        Equivalence margins in the unit of the gain, of a shape that fits the last axes of ``error``.
    beside : sequence of GainError
        Further arrows with the same margins, which the correction counts too.
    """
    assert rule.correction != "dunnett"
    p, p_tost = error.p(), error.p_tost(margins)
    low, high = error.interval(rule.alpha)
    family = (error, *beside)
    all_tost = adjust(np.concatenate([one.p_tost(margins).ravel() for one in family]), rule.correction)
    # An arrow with no effect cannot be significant: it must not make significance easier for others.
    all_p = np.where(all_tost <= rule.alpha, 1.0, np.concatenate([one.p().ravel() for one in family]))
    all_q = adjust(all_p, rule.correction)
    words = verdicts(np.concatenate([np.ravel(one.gain) for one in family]), all_q, all_tost, rule.alpha)
    q, q_tost, verdict = (values[: p.size].reshape(p.shape) for values in (all_q, all_tost, words))
    return Decision(low, high, p, q, p_tost, q_tost, verdict, _count(all_p[p.size :], words[p.size :]))


def _count(p: FloatArray, verdict: Words) -> Beside:
    """Count the tested and the decided arrows."""
    significant, equivalent = np.isin(verdict, ("improves", "degrades")), verdict == "no effect"
    return Beside(*(int(which.sum()) for which in (~np.isnan(p), significant, equivalent)))


def _by_target(decision: Decision, error: GainError, rule: Rule, covariance: Callable[[int], FloatArray]) -> Decision:
    """Return the decision with Dunnett's correction, which holds for each target by itself."""
    p, p_tost = decision.p, decision.p_tost
    low, high = decision.low.copy(), decision.high.copy()
    q, q_tost = np.full_like(p, np.nan), np.full_like(p, np.nan)
    for t in range(p.shape[1]):
        known = np.flatnonzero(~np.isnan(p[:, t]))
        if not len(known):
            continue
        shared = covariance(t)[np.ix_(known, known)]
        deviation = np.sqrt(np.diag(shared))
        correlation = shared / np.outer(deviation, deviation)
        q[known, t], level = simultaneous(p[known, t], error.df[known, t], correlation, rule.alpha)
        half = error.half_width(level)[known, t]
        low[known, t], high[known, t] = error.gain[known, t] - half, error.gain[known, t] + half
        q_tost[known, t] = adjust(p_tost[known, t], "holm")
    return Decision(low, high, p, q, p_tost, q_tost, verdicts(error.gain, q, q_tost, rule.alpha))


def adjust(p: FloatArray, method: Literal["bh", "by", "holm"] = "bh") -> FloatArray:
    """Return the adjusted p-values over all measured arrows; NaN stays NaN and does not count."""
    q = np.full_like(p, np.nan)
    known = ~np.isnan(p)
    if known.any():
        q[known] = _holm(p[known]) if method == "holm" else stats.false_discovery_control(p[known], method=method)
    return q


def verdicts(gain: FloatArray, q: FloatArray, q_tost: FloatArray, alpha: float) -> Words:
    """Return one verdict per arrow; equivalence comes first, so a real but negligible gain is "no effect"."""
    words = np.full(gain.shape, "inconclusive", dtype=object)
    words[(q <= alpha) & (gain > 0)] = "improves"
    words[(q <= alpha) & (gain < 0)] = "degrades"
    words[q_tost <= alpha] = "no effect"
    return words


def simultaneous(p: FloatArray, df: FloatArray, correlation: FloatArray, alpha: float) -> tuple[FloatArray, float]:
    """Adjust the arrows into one target, which share its single-task runs (Dunnett).

    Parameters
    ----------
    p : (n_arrows,)
        p-value of each arrow by itself.
    df : (n_arrows,)
        Degrees of freedom; the smallest value applies to all arrows.
    correlation : (n_arrows, n_arrows)
        Correlations of the errors of the gains.
    alpha : float

    Returns
    -------
    p : (n_arrows,)
        Chance that any of the arrows is as far from zero if all gains are zero.
    level : float
        Intervals of ``1 - level`` of each arrow by itself are simultaneous ``1 - alpha`` intervals.
    """
    fewest = float(df.min())
    if len(p) == 1:
        return p, alpha
    values, vectors = np.linalg.eigh(correlation)  # estimated in parts, so maybe not positive semidefinite
    correlation = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    correlation = correlation / np.sqrt(np.outer(np.diag(correlation), np.diag(correlation)))
    joint = stats.multivariate_t(shape=correlation, df=fewest, allow_singular=True)  # type: ignore[arg-type]  # any df

    def any_below(level: float) -> float:
        b = np.full(len(p), stats.t.isf(level / 2, fewest))
        inside = joint.cdf(b, lower_limit=-b, random_state=np.random.default_rng(0))  # the same points in every call
        return float(np.clip(1 - inside, 0.0, 1.0))

    adjusted = np.clip([any_below(value) for value in p], p, np.minimum(1.0, len(p) * p))
    least, most = alpha / len(p), alpha
    if any_below(most) <= alpha:  # fully correlated arrows
        return adjusted, most
    if any_below(least) >= alpha:  # uncorrelated arrows, within the noise of the integral
        return adjusted, least
    return adjusted, float(brentq(lambda level: any_below(level) - alpha, least, most, xtol=1e-6))


def _holm(p: FloatArray) -> FloatArray:
    order = np.argsort(p)
    steps = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    q = np.empty_like(p)
    q[order] = np.minimum(steps, 1.0)
    return q
