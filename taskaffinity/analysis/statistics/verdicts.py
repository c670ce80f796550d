"""From tests to verdicts: the rule, its control of error over many arrows, and one word an arrow.

False discovery rates (Benjamini & Hochberg 1995, or Benjamini & Yekutieli 2001 whatever the dependence) are kept over
all arrows of a study; Holm (1979) keeps the chance of any error; Dunnett (1955) keeps it for each target, with
intervals that hold together, for all arrows into a target share its single runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from taskaffinity.analysis.statistics.standard_errors import FloatArray, GainError, Words
from taskaffinity.runs.rule import Correction, Rule

Verdict = Literal["improves", "degrades", "no effect", "inconclusive"]

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

CORRECTIONS: dict[Correction, str] = {
    "bh": "Benjamini–Hochberg",
    "by": "Benjamini–Yekutieli",
    "holm": "Holm",
    "dunnett": "Dunnett",
}


@dataclass(frozen=True, eq=False)
class Decision:
    """What a rule says of every arrow; arrays ``[source, target]``, the gain's own unit, NaN where nothing is known."""

    low: FloatArray
    high: FloatArray
    p: FloatArray
    q: FloatArray
    p_tost: FloatArray
    q_tost: FloatArray
    verdict: Words
    """Empty on the diagonal."""


def decide(error: GainError, margins: FloatArray, rule: Rule, covariance: Callable[[int], FloatArray]) -> Decision:
    """Test every arrow and call it.

    Parameters
    ----------
    error : GainError
        Arrays ``[source, target]``.
    margins : (n_tasks,)
        Of each target, in the unit of the gain.
    covariance : callable
        Of a target's number: covariances of the errors of the gains into it, by source. Asked under ``dunnett`` alone.
    """
    p, p_tost = error.p(), error.p_tost(margins)
    low, high = error.interval(rule.alpha)
    if rule.correction == "dunnett":
        q, q_tost = np.full_like(p, np.nan), np.full_like(p, np.nan)
        for t in range(p.shape[1]):
            known = np.flatnonzero(~np.isnan(p[:, t]))
            if not len(known):
                continue
            shared = covariance(t)[np.ix_(known, known)]
            deviation = np.sqrt(np.diag(shared))
            correlation = shared / np.outer(deviation, deviation)
            q[known, t], critical = simultaneous(error.t[known, t], error.df[known, t], correlation, rule.alpha)
            half = critical * error.se[known, t]
            low[known, t], high[known, t] = error.gain[known, t] - half, error.gain[known, t] + half
            q_tost[known, t] = adjust(p_tost[known, t], "holm")
    else:
        q_tost = adjust(p_tost, rule.correction)
        # What has no effect can have no colour: it must not make it easier for others to have one.
        q = adjust(np.where(q_tost <= rule.alpha, 1.0, p), rule.correction)
    verdict = verdicts(error.gain, q, q_tost, rule.alpha)
    np.fill_diagonal(verdict, "")
    return Decision(low, high, p, q, p_tost, q_tost, verdict)


def adjust(p: FloatArray, method: Literal["bh", "by", "holm"] = "bh") -> FloatArray:
    """q over all that was measured; NaN stays NaN and is not counted."""
    q = np.full_like(p, np.nan)
    known = ~np.isnan(p)
    if known.any():
        q[known] = _holm(p[known]) if method == "holm" else stats.false_discovery_control(p[known], method=method)
    return q


def verdicts(gain: FloatArray, q: FloatArray, q_tost: FloatArray, alpha: float) -> Words:
    """One word an arrow: equivalence first, so a gain that is real but negligible is "no effect"."""
    words = np.full(gain.shape, "inconclusive", dtype=object)
    words[(q <= alpha) & (gain > 0)] = "improves"
    words[(q <= alpha) & (gain < 0)] = "degrades"
    words[q_tost <= alpha] = "no effect"
    return words


def simultaneous(t: FloatArray, df: FloatArray, correlation: FloatArray, alpha: float) -> tuple[FloatArray, float]:
    """Dunnett's adjustment for the arrows into one target, which share its single runs.

    Parameters
    ----------
    t : (n_arrows,)
        Gains in standard errors.
    df : (n_arrows,)
        Their degrees of freedom; the fewest stands for all.
    correlation : (n_arrows, n_arrows)
        Of the gains' errors.
    alpha : float

    Returns
    -------
    p : (n_arrows,)
        Chance that any of the arrows is as far from zero, were all gains zero.
    critical : float
        Standard errors to either side of a gain for intervals that hold together at ``1 - alpha``.
    """
    fewest = float(df.min())
    if len(t) == 1:
        return np.asarray(2 * stats.t.sf(np.abs(t), fewest)), float(stats.t.isf(alpha / 2, fewest))
    values, vectors = np.linalg.eigh(correlation)  # estimated part by part, so it may lack a little of being one
    correlation = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    correlation = correlation / np.sqrt(np.outer(np.diag(correlation), np.diag(correlation)))
    together = stats.multivariate_t(shape=correlation, df=fewest, allow_singular=True)  # type: ignore[arg-type]  # any df

    def beyond(bound: float) -> float:
        b = np.full(len(t), bound)
        inside = together.cdf(b, lower_limit=-b, random_state=np.random.default_rng(0))  # the same points at each call
        return float(np.clip(1 - inside, 0.0, 1.0))

    alone = np.asarray(2 * stats.t.sf(np.abs(t), fewest))
    p = np.clip([beyond(abs(value)) for value in t], alone, np.minimum(1.0, len(t) * alone))
    least, most = stats.t.isf(alpha / 2, fewest), stats.t.isf(alpha / 2 / len(t), fewest)
    if beyond(least) <= alpha:  # arrows that move as one
        return p, float(least)
    if beyond(most) >= alpha:  # arrows that have nothing in common, within the integral's noise
        return p, float(most)
    return p, float(brentq(lambda bound: beyond(bound) - alpha, least, most, xtol=1e-4))


def _holm(p: FloatArray) -> FloatArray:
    order = np.argsort(p)
    steps = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    q = np.empty_like(p)
    q[order] = np.minimum(steps, 1.0)
    return q
