"""Standard errors of gains over seeds and test examples together, from per-example counts.

Seeds and test examples are both drawn from larger populations, so the error has both (the two-way variance of Cameron,
Gelbach & Miller 2011; the interaction of seed and example counts once). Examples of one document are not independent:
if documents are known, they are the units that are drawn. The arms have unpaired seeds, because training decorrelates
at once, and paired test examples, because the test set is the same. Seeds may move a pair's score more than a
single-task score, so each arm has its own variance, moderated by all arms of the study (``seed_variance``).

All values are in score units ([0, 1]; Pearson [-1, 1]); ``affinity`` converts them to points. The steps are
``Arm.from_counts``, ``variance_components`` of two arms, and ``standard_error``. ``VarianceComponents`` and
``GainError`` hold arrays of any one shape (a number for a single arrow); an unknown value is NaN.
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
    """The runs of one task under one condition: single-task, or with one partner."""

    scores: FloatArray
    """(n_runs,)"""
    influence: FloatArray
    """(n_runs, n_documents), influence of each document on the run's score; mean zero within a run. An example whose
    document is unknown is a document by itself."""
    spread: FloatArray
    """(n_runs,), variance of one example's influence."""
    counting: npt.NDArray[np.bool_]
    """(n_runs, n_examples), whether the example has any count in the run: F1 ignores some sentences."""

    @classmethod
    def from_counts(cls, counts: FloatArray, metric: Metric, documents: npt.NDArray[np.int64] | None = None) -> Arm:
        """Reduce the counts of runs to what a standard error needs.

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
        return cls(scores, influence, spread, (counts != 0).any(axis=2))

    @cached_property
    def counted(self) -> int:
        """Test examples that can change the score."""
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
        """(n_documents,), mean over the runs."""
        return np.asarray(self.influence.mean(axis=0))

    @cached_property
    def s2(self) -> float:
        """Variance of a run's score over seeds; NaN with one run.

        The lower bound is the variance of one example that changes sides, one over the squared number of counted
        examples: seeds that agree by chance do not prove that seeds have no effect.
        """
        if self.n_runs < 2 or not self.counted:
            return math.nan
        return max(float(self.scores.var(ddof=1)), 1.0 / self.counted**2)

    @cached_property
    def unit(self) -> float:
        """Variance of one example's influence within a run, the unit in which seed variances are compared.

        For accuracy it is p (1 - p), so a score near its ceiling is expected to vary less. The lower bound is one
        example's share.
        """
        return max(float(self.spread.mean()), 1.0 / max(1, self.counted))

    @cached_property
    def interaction(self) -> float:
        """Variance of the run x document residual; NaN with one run or one document."""
        freedom = (self.n_runs - 1) * (self.n_documents - 1)
        # An influence has mean zero within its run, so subtracting the document's mean gives the residual.
        return float(((self.influence - self.mean_influence) ** 2).sum() / freedom) if freedom else math.nan


@dataclass(frozen=True, eq=False)
class VarianceComponents:
    """Gains and the parts of their variances. Arrays of one shape, an entry per arrow."""

    gain: Any
    s2_pair: Any
    """Variance of one run's score over seeds, moderated; of the pair and of the baseline."""
    s2_single: Any
    d_pair: Any
    """Degrees of freedom of that variance."""
    d_single: Any
    n_pair: Any
    """Finished runs."""
    n_single: Any
    v_examples: Any
    """Variance of the gain over draws of the test set, given these runs."""
    i_pair: Any
    """Part of it that one run adds (seed x example); ``s2`` has the same part."""
    i_single: Any
    n_documents: Any
    """Test documents, or examples if documents are unknown: the units that a test set draws."""
    untested_reason: Any
    """Why there is no test, in a few words; empty if there is one."""
    mean_single: Any = math.nan
    """Mean score of the baseline."""

    @property
    def v_interaction(self) -> Any:
        """Part of ``v_examples`` that the variance over seeds has too."""
        return self.i_pair / np.maximum(self.n_pair, 1) + self.i_single / np.maximum(self.n_single, 1)

    def map(self, change: Mapping[str, Any]) -> VarianceComponents:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **change)


@dataclass(frozen=True, eq=False)
class GainError:
    """Gains with their standard errors; arrays of one shape, NaN if there is no test."""

    gain: Any
    se_seeds: Any
    se_examples: Any
    variance: Any
    """V, over seeds and examples together; their shared part counts once."""
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
        """Return the two-sided p-value of a gain of zero."""
        return 2 * stdtr(self.df, -np.abs(self.t))

    def p_tost(self, margin: Any) -> Any:
        """Return the p-value of the equivalence test (TOST): the larger of two one-sided tests at ``margin``."""
        return stdtr(self.df, (np.abs(self.gain) - margin) / self.se)

    def interval(self, alpha: float) -> tuple[Any, Any]:
        """Return the ends of the ``1 - alpha`` interval."""
        half = -stdtrit(self.df, alpha / 2) * self.se
        return self.gain - half, self.gain + half


def variance_components(pair: Arm | None, single: Arm | None, prior: Prior = RAW) -> VarianceComponents:
    """Return the gain of ``pair`` over ``single`` and the parts of its variance; an arm without a run is None."""
    if pair is None or single is None:
        missing = " and no ".join(word for word, arm in (("pair", pair), ("single", single)) if arm is None)
        mean = float(single.scores.mean()) if single else math.nan
        known = {"n_pair": _n_runs(pair), "n_single": _n_runs(single), "mean_single": mean}
        return untested(f"no {missing} run").map(known)
    reason = _reason(pair, single)
    gain = float(pair.scores.mean() - single.scores.mean())
    v_examples = math.nan
    if pair.n_documents > 1:
        v_examples = float((pair.mean_influence - single.mean_influence).var(ddof=1)) / pair.n_documents
    if reason:
        known = {"n_pair": _n_runs(pair), "n_single": _n_runs(single), "mean_single": float(single.scores.mean())}
        return untested(reason).map({**known, "gain": gain, "v_examples": v_examples})
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


def untested(reason: str) -> VarianceComponents:
    """Return the components of an untested arrow."""
    names = [field.name for field in dataclasses.fields(VarianceComponents)]
    return VarianceComponents(**{**dict.fromkeys(names, math.nan), "untested_reason": reason})


def standard_error(evidence: VarianceComponents, estimand: Estimand = "population") -> GainError:
    """Combine seeds and examples: ``V = max(V_seeds + V_examples - V_both, V_seeds, V_examples)``.

    The degrees of freedom are Satterthwaite's. Those of the seeds' part are the fewer of the two arms' (Welch's
    conservative choice): Satterthwaite's formula overrates two moderated variances, because the prior is estimated
    from a few arms. ``tests/benchmarks/error_rates.py`` measures the difference.
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
    """Return one arrow's gain in score units, without moderated variances.

    Parameters
    ----------
    pair, single : (n_runs, n_examples, n_counts)
        Counts of one target in the two arms, on the same test examples in the same order. The numbers of runs may
        differ.
    metric : Metric
    """
    return standard_error(variance_components(Arm.from_counts(pair, metric), Arm.from_counts(single, metric)), estimand)


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
        return "nothing learned"  # every run of both arms scores 0: equality says nothing about the tasks
    return ""
