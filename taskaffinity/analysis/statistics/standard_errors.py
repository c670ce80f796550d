"""How sure is a gain? Standard errors over seeds and test examples together, from per-example counts.

A run differs from the next by its seed, and a score by the examples it was tested on; both are drawn from a larger
population, so both are in the error (the two-way variance of Cameron, Gelbach & Miller 2011, with the part of seed x
example counted once). Examples of one document are not independent: where documents are known, they are what is drawn.
The arms are unpaired in seeds (training decorrelates at once) and paired in test examples (the test set is the same).
Seeds may move a pair's score more than a single's, so each arm keeps a variance of its own, moderated by what all arms
of the study say (``prior``).

Everything here is in score units ([0, 1]; Pearson [-1, 1]); points are made at the edge, in ``affinity``. The steps:
``summarise`` an arm's counts, ``compare`` two arms, ``combine`` the parts. ``Evidence`` and ``GainError`` hold arrays
of any one shape (a number for a single arrow), NaN where nothing can be said.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from taskaffinity.analysis.statistics.seed_variance import RAW, Prior
from taskaffinity.runs.rule import Estimand
from taskaffinity.tasks.metrics import Metric, by_document

FloatArray = npt.NDArray[np.float64]

Words = npt.NDArray[np.object_]
"""An array of strings."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One task's runs under one condition (alone, or with one partner)."""

    scores: FloatArray
    """(n_runs,)"""
    influence: FloatArray
    """(n_runs, n_documents), how far each document moves the run's score; mean zero within a run. An example whose
    document is not known is one by itself."""
    spread: FloatArray
    """(n_runs,), variance of one example's influence."""
    counting: npt.NDArray[np.bool_]
    """(n_runs, n_examples), whether an example carries any count in a run: for F1 not every sentence does."""

    @cached_property
    def counted(self) -> int:
        """Test examples that can move the score."""
        return int(self.counting.any(axis=0).sum())

    @property
    def n_runs(self) -> int:
        return len(self.scores)

    @property
    def n_examples(self) -> int:
        return int(self.counting.shape[1])

    @property
    def n_documents(self) -> int:
        return int(self.influence.shape[1])

    @cached_property
    def mean_influence(self) -> FloatArray:
        """(n_documents,), over the runs."""
        return np.asarray(self.influence.mean(axis=0))

    @cached_property
    def s2(self) -> float:
        """Variance of a run's score over seeds; NaN with one run.

        Not below the variance of one example changing sides, one over the square of the number of examples that count:
        seeds that happen to agree are no proof that seeds do not matter.
        """
        if self.n_runs < 2 or not self.counted:
            return math.nan
        return max(float(self.scores.var(ddof=1)), 1.0 / self.counted**2)

    @cached_property
    def unit(self) -> float:
        """Variance of one example's influence within a run: how far scores of this kind and height can spread.

        Seed variances are compared between tasks in this unit; for accuracy it is p (1 - p), so a score near its
        ceiling is expected to move less. Not below one example's share.
        """
        return max(float(self.spread.mean()), 1.0 / max(1, self.counted))

    @cached_property
    def interaction(self) -> float:
        """Variance of the run x document residual; NaN with one run or one document."""
        freedom = (self.n_runs - 1) * (self.n_documents - 1)
        # An influence has mean zero within its run, so the layout's residual is what is left after the document's mean.
        return float(((self.influence - self.mean_influence) ** 2).sum() / freedom) if freedom else math.nan


@dataclass(frozen=True, eq=False)
class VarianceComponents:
    """What is known of gains before it is put together. Arrays of one shape, an entry an arrow."""

    gain: Any
    s2_pair: Any
    """Variance of one run's score over seeds, moderated; of the pair's runs and of the single ones."""
    s2_single: Any
    d_pair: Any
    """Its degrees of freedom."""
    d_single: Any
    n_pair: Any
    """Runs."""
    n_single: Any
    v_examples: Any
    """Variance of the gain over draws of the test set, for the runs as they are."""
    i_pair: Any
    """What one run adds to that by itself (seed x example): the part that ``s2`` holds too."""
    i_single: Any
    n_documents: Any
    """Test documents, or examples where no documents are known: what is drawn when a test set is."""
    untested_reason: Any
    """Why nothing can be tested, in a few words; empty where it can."""
    mean_single: Any = math.nan
    """Mean score of the arm that the pair is compared with."""

    @property
    def v_interaction(self) -> Any:
        """The part of ``v_examples`` that the seeds' variance holds too."""
        return self.i_pair / np.maximum(self.n_pair, 1) + self.i_single / np.maximum(self.n_single, 1)

    def map(self, change: Mapping[str, Any]) -> VarianceComponents:
        """The same with some fields changed."""
        return dataclasses.replace(self, **change)


@dataclass(frozen=True, eq=False)
class GainError:
    """Gains with their standard errors; arrays of one shape, NaN where nothing can be tested."""

    gain: Any
    se_seeds: Any
    se_examples: Any
    variance: Any
    """V: seeds and examples together, what they share counted once."""
    df: Any
    """Degrees of freedom of V."""

    @property
    def se(self) -> Any:
        return np.sqrt(self.variance)

    @property
    def t(self) -> Any:
        """The gain in standard errors."""
        return self.gain / self.se

    def p(self) -> Any:
        """Two-sided p of "the gain is zero"."""
        return 2 * stdtr(self.df, -np.abs(self.t))

    def p_tost(self, margin: Any) -> Any:
        """p of "the gain is ``margin`` or more, up or down": the larger of two one-sided tests (TOST)."""
        return stdtr(self.df, (np.abs(self.gain) - margin) / self.se)

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """The ``1 - alpha`` interval."""
        half = -stdtrit(self.df, alpha / 2) * self.se
        return self.gain - half, self.gain + half


def summarise(counts: FloatArray, metric: Metric, documents: npt.NDArray[np.int64] | None = None) -> Arm:
    """Reduce one arm's counts to what a standard error needs.

    Parameters
    ----------
    counts : (n_runs, n_examples, n_counts)
    metric : Metric
    documents : (n_examples,), optional
        Number of each example's document, from 0. Default: all examples are independent.
    """
    scores = np.asarray(metric.score(counts.sum(axis=1)), dtype=np.float64)
    influence = np.stack([metric.influence(run) for run in counts])
    spread = influence.var(axis=1)
    if documents is not None:
        influence = by_document(influence, documents)
    return Arm(scores, influence, spread, (counts != 0).any(axis=2))


def variance_components(pair: Arm | None, single: Arm | None, prior: Prior = RAW) -> VarianceComponents:
    """The parts of the variance of ``mean(pair) - mean(single)``, for one arrow; an arm without a run is None."""
    if pair is None or single is None:
        missing = " and no ".join(word for word, arm in (("pair", pair), ("single", single)) if arm is None)
        mean = float(single.scores.mean()) if single else math.nan
        known = {"n_pair": _n_runs(pair), "n_single": _n_runs(single), "mean_single": mean}
        return nothing(f"no {missing} run").map(known)
    reason = _reason(pair, single)
    gain = float(pair.scores.mean() - single.scores.mean())
    v_examples = math.nan
    if pair.n_documents > 1:
        v_examples = float((pair.mean_influence - single.mean_influence).var(ddof=1)) / pair.n_documents
    if reason:
        known = {"n_pair": _n_runs(pair), "n_single": _n_runs(single), "mean_single": float(single.scores.mean())}
        return nothing(reason).map({**known, "gain": gain, "v_examples": v_examples})
    (s2_pair, d_pair), (s2_single, d_single) = (
        prior.shrink(arm.s2, arm.n_runs - 1, arm.unit) for arm in (pair, single)
    )
    return VarianceComponents(
        gain=gain,
        s2_pair=s2_pair,
        s2_single=s2_single,
        d_pair=d_pair,
        d_single=d_single,
        n_pair=float(pair.n_runs),
        n_single=float(single.n_runs),
        v_examples=v_examples,
        i_pair=pair.interaction / pair.n_documents,
        i_single=single.interaction / single.n_documents,
        n_documents=float(pair.n_documents),
        untested_reason="",
        mean_single=float(single.scores.mean()),
    )


def nothing(reason: str) -> VarianceComponents:
    """No evidence, and why."""
    names = [field.name for field in dataclasses.fields(VarianceComponents)]
    return VarianceComponents(**{**dict.fromkeys(names, math.nan), "untested_reason": reason})


def standard_error(evidence: VarianceComponents, estimand: Estimand = "population") -> GainError:
    """Seeds and examples together: ``V = max(V_seeds + V_examples - V_both, V_seeds, V_examples)``.

    The degrees of freedom are Satterthwaite's, and those of the seeds' part are the fewer of the two arms' (Welch's
    conservative choice): Satterthwaite's own would take two moderated variances for better known than they are, for
    the prior was estimated from a few arms (``tests/benchmarks/error_rates.py`` measures what that costs and saves).
    """
    v_seeds = evidence.s2_pair / np.maximum(evidence.n_pair, 1) + evidence.s2_single / np.maximum(evidence.n_single, 1)
    d_seeds = np.minimum(evidence.d_pair, evidence.d_single)
    se_seeds, se_examples = np.sqrt(v_seeds), np.sqrt(evidence.v_examples)
    if estimand == "test-set":
        return GainError(evidence.gain, se_seeds, se_examples, v_seeds, d_seeds)
    total = np.maximum(v_seeds + evidence.v_examples - evidence.v_interaction, np.maximum(v_seeds, evidence.v_examples))
    df = total**2 / (v_seeds**2 / d_seeds + evidence.v_examples**2 / (evidence.n_documents - 1))
    return GainError(evidence.gain, se_seeds, se_examples, total, df)


def gain_error(pair: FloatArray, single: FloatArray, metric: Metric, estimand: Estimand = "population") -> GainError:
    """The gain of ``pair`` over ``single`` with its error, for one arrow by itself: nothing to moderate by.

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
    return standard_error(variance_components(summarise(pair, metric), summarise(single, metric)), estimand)


def _n_runs(arm: Arm | None) -> float:
    return float(arm.n_runs) if arm else 0.0


def _reason(pair: Arm, single: Arm) -> str:
    if pair.n_examples < 2:
        return "one test example"
    if pair.n_documents < 2:
        return "one test document"
    if not max(pair.counted, single.counted):
        return "no test example counts"
    if pair.n_runs < 2 and single.n_runs < 2:
        return "one seed"
    if pair.n_runs < 2 or single.n_runs < 2:
        return f"one {'pair' if pair.n_runs < 2 else 'single'} run"
    if not pair.scores.any() and not single.scores.any():
        return "nothing learned"  # every run of both arms scores 0: that the two agree says nothing of the tasks
    return ""
