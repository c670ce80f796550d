"""How sure is a gain? Standard errors over seeds and test examples together, from per-example counts.

A run differs from the next by its seed, and a score by the examples it was tested on; both are drawn from a larger
population, so both are in the error (the two-way variance of Cameron, Gelbach & Miller 2011, with the part of seed x
example counted once). The arms are unpaired in seeds (training decorrelates at once) and paired in test examples (the
test set is the same).

Everything here is in score units ([0, 1]; Pearson [-1, 1]); points are made at the edge, in ``affinity``. Counts are
``(n_runs, n_examples, n_counts)``. The steps are three, so that a variance moderated across the arrows of a study can
replace ``s2`` and ``d`` between the second and the third: ``summarise`` an arm, ``compare`` two, ``combine``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from taskaffinity.tasks.metrics import Metric

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Arm:
    """One task's runs under one condition (alone, or with one partner)."""

    scores: FloatArray
    """(n_runs,)"""
    influence: FloatArray
    """(n_examples,), the metric's influence of each example, averaged over the runs."""
    interaction: float
    """Variance of the run x example residual; NaN with one run or one example."""
    counted: int
    """Test examples that carry any count: those that can move the score."""


@dataclass(frozen=True)
class Components:
    """The parts of one arrow's variance, not yet combined."""

    gain: float
    s2: float
    """Variance of a run's score, pooled over both arms and floored; NaN where an arm has one run."""
    d: float
    """Degrees of freedom of ``s2``."""
    n_pair: int
    n_single: int
    v_examples: float
    """Variance of the gain over draws of the test set; NaN with one test example."""
    v_interaction: float
    """The part of it that ``s2`` holds too."""
    n_examples: int
    reason: str
    """Why no variance can be given, in a few words; empty where it can."""


@dataclass(frozen=True)
class GainError:
    """A gain with its standard errors; NaN where ``reason`` says why there is none."""

    gain: float
    se_seeds: float
    se_examples: float
    variance: float
    """V: seeds and examples together, what they share counted once."""
    df: float
    """Satterthwaite's degrees of freedom of V."""
    reason: str = ""

    @property
    def se(self) -> float:
        return math.sqrt(self.variance)

    def p(self) -> float:
        """Two-sided p of "the gain is zero"."""
        return float(2 * stats.t.sf(abs(self.gain) / self.se, self.df))

    def p_equivalence(self, margin: float) -> float:
        """p of "the gain is ``margin`` or more, up or down": the larger of two one-sided tests (TOST)."""
        return float(stats.t.sf((margin - abs(self.gain)) / self.se, self.df))

    def interval(self, alpha: float) -> tuple[float, float]:
        """The ``1 - alpha`` interval."""
        half = float(stats.t.isf(alpha / 2, self.df)) * self.se
        return self.gain - half, self.gain + half


def summarise(counts: FloatArray, metric: Metric) -> Arm:
    """Reduce one arm's counts, ``(n_runs, n_examples, n_counts)``, to what a standard error needs."""
    scores = np.asarray(metric.score(counts.sum(axis=1)), dtype=np.float64)
    influence = np.stack([metric.influence(run) for run in counts])
    mean = influence.mean(axis=0)
    freedom = (influence.shape[0] - 1) * (influence.shape[1] - 1)
    # An influence has mean zero within its run, so the layout's residual is what is left after the example's mean.
    interaction = float(((influence - mean) ** 2).sum() / freedom) if freedom else math.nan
    return Arm(scores, mean, interaction, counted=int((counts != 0).any(axis=(0, 2)).sum()))


def compare(pair: Arm, single: Arm) -> Components:
    """The parts of the variance of ``mean(pair) - mean(single)`` (EDGES 2.3).

    The floor of ``s2`` is the variance of one example changing sides, one over the square of the number of examples
    that count: seeds that happen to agree are no proof that seeds do not matter.
    """
    n_pair, n_single, n_examples = len(pair.scores), len(single.scores), len(pair.influence)
    counted = max(pair.counted, single.counted)
    reason = _reason(n_pair, n_single, n_examples, counted)
    if not reason and not pair.scores.any() and not single.scores.any():
        reason = "nothing learned"  # every run of both arms scores 0: that the two agree says nothing of the tasks
    s2, d, v_examples, v_interaction = math.nan, float(n_pair + n_single - 2), math.nan, math.nan
    if n_examples > 1:
        v_examples = float((pair.influence - single.influence).var(ddof=1)) / n_examples
    if not reason:
        squares = ((pair.scores - pair.scores.mean()) ** 2).sum() + ((single.scores - single.scores.mean()) ** 2).sum()
        s2 = max(float(squares) / d, 1.0 / counted**2)
        v_interaction = (pair.interaction / n_pair + single.interaction / n_single) / n_examples
    gain = float(pair.scores.mean() - single.scores.mean())
    return Components(gain, s2, d, n_pair, n_single, v_examples, v_interaction, n_examples, reason)


def combine(parts: Components) -> GainError:
    """Seeds and examples together, with Satterthwaite's degrees of freedom (EDGES 2.3)."""
    v_examples = parts.v_examples
    if parts.reason:
        return GainError(parts.gain, math.nan, math.sqrt(v_examples), math.nan, math.nan, parts.reason)
    v_seeds = parts.s2 * (1 / parts.n_pair + 1 / parts.n_single)
    total = max(v_seeds + v_examples - parts.v_interaction, v_seeds, v_examples)
    df = total**2 / (v_seeds**2 / parts.d + v_examples**2 / (parts.n_examples - 1))
    return GainError(parts.gain, math.sqrt(v_seeds), math.sqrt(v_examples), total, df)


def gain_error(pair: FloatArray, single: FloatArray, metric: Metric) -> GainError:
    """The gain of ``pair`` over ``single`` with its error: all three steps.

    Parameters
    ----------
    pair, single : (n_runs, n_examples, n_counts)
        Counts of one target in the two arms, on the same test examples in the same order. The numbers of runs may
        differ.
    metric : Metric

    Returns
    -------
    GainError
        In score units.
    """
    return combine(compare(summarise(pair, metric), summarise(single, metric)))


def _reason(n_pair: int, n_single: int, n_examples: int, counted: int) -> str:
    if n_examples < 2:
        return "one test example"
    if not counted:
        return "no test example counts"
    if n_pair < 2 and n_single < 2:
        return "one seed"
    if n_pair < 2 or n_single < 2:
        return f"one {'pair' if n_pair < 2 else 'single'} run"
    return ""
