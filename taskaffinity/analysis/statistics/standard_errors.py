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
from typing import Any

import numpy as np
import numpy.typing as npt

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.documents import untested_for_documents
from taskaffinity.analysis.statistics.gain_error import BehrensFisherError, GainError
from taskaffinity.analysis.statistics.seed_variance import RAW, Prior
from taskaffinity.runs.rule import Estimand, Test
from taskaffinity.tasks.given_score import SMALLEST_DIFFERENCE

Words = npt.NDArray[np.object_]
"""An array of strings."""


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
    effective_documents: Any
    """Effective number of test documents, ``Arm.effective_documents``: the units that a test set draws."""
    untested_reason: Any
    """Why there is no test, in a few words; empty if there is one."""
    mean_single: Any = math.nan
    """Mean score of the baseline."""
    collapsed_pair: Any = 0.0
    """Collapsed runs (``collapse``); of the pair and of the baseline."""
    collapsed_single: Any = 0.0
    gain_trained: Any = math.nan
    """Gain among the other runs; NaN if an arm has none."""

    @property
    def v_interaction(self) -> Any:
        """Part of ``v_examples`` that the variance over seeds has too."""
        return self.i_pair / np.maximum(self.n_pair, 1) + self.i_single / np.maximum(self.n_single, 1)

    def map(self, change: Mapping[str, Any]) -> VarianceComponents:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **change)


def variance_components(
    pair: Arm | None,
    single: Arm | None,
    prior_pair: Prior = RAW,
    prior_single: Prior = RAW,
    estimand: Estimand = "population",
) -> VarianceComponents:
    """Return the gain of ``pair`` over ``single`` and the parts of its variance; an arm without a run is None.

    A gain on other test sets (the estimand ``population``) has no test if there are few effective documents.
    """
    if pair is None or single is None:
        missing = " and no ".join(word for word, arm in (("pair", pair), ("single", single)) if arm is None)
        mean = single.mean_score if single else math.nan
        known = {"n_pair": _n_runs(pair), "n_single": _n_runs(single), "mean_single": mean}
        return untested(f"no {missing} run").map(known)
    reason = _reason(pair, single, estimand)
    gain = pair.mean_score - single.mean_score
    v_examples = math.nan
    if pair.n_documents > 1:
        v_examples = float((pair.mean_influence - single.mean_influence).var(ddof=1)) / pair.n_documents
    if reason:
        known = {"n_pair": _n_runs(pair), "n_single": _n_runs(single), "mean_single": single.mean_score}
        return untested(reason).map({**known, "gain": gain, "v_examples": v_examples})
    (s2_pair, d_pair), (s2_single, d_single) = (
        prior.shrink(arm.s2, arm.n_runs - 1, arm.unit) for arm, prior in ((pair, prior_pair), (single, prior_single))
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
        effective_documents=pair.effective_documents,
        untested_reason="",
        mean_single=single.mean_score,
    )


def untested(reason: str) -> VarianceComponents:
    """Return the components of an untested arrow."""
    names = [field.name for field in dataclasses.fields(VarianceComponents)]
    return VarianceComponents(**{**dict.fromkeys(names, math.nan), "untested_reason": reason})


def standard_error(
    evidence: VarianceComponents, estimand: Estimand = "population", test: Test = "behrens-fisher"
) -> GainError:
    """Combine seeds and examples: ``V = max(V_seeds + V_examples - V_both, V_seeds, V_examples)``.

    The degrees of freedom of the seeds' part are the fewer of the two arms' (Welch's conservative choice):
    Satterthwaite's formula overrates two moderated variances, because the prior is estimated from a few arms. Those of
    the examples' part are the effective number of documents less one, at least 1.
    """
    v_seeds = evidence.s2_pair / np.maximum(evidence.n_pair, 1) + evidence.s2_single / np.maximum(evidence.n_single, 1)
    d_seeds = np.minimum(evidence.d_pair, evidence.d_single)
    d_examples = np.maximum(evidence.effective_documents - 1, 1.0)
    of_examples = evidence.v_examples if estimand == "population" else 0.0 * v_seeds
    shared = evidence.v_interaction if estimand == "population" else 0.0 * v_seeds
    total = np.maximum(v_seeds + of_examples - shared, np.maximum(v_seeds, of_examples))
    df = total**2 / (v_seeds**2 / d_seeds + of_examples**2 / d_examples)
    plain = (evidence.gain, np.sqrt(v_seeds), np.sqrt(evidence.v_examples), total, df)
    if test == "satterthwaite":
        return GainError(*plain)
    return BehrensFisherError(*plain, v_seeds, d_seeds, of_examples, d_examples, shared)


def _n_runs(arm: Arm | None) -> float:
    return float(arm.n_runs) if arm else 0.0


def _reason(pair: Arm, single: Arm, estimand: Estimand) -> str:
    if reason := (_reason_of_examples if pair.step is None else _reason_of_scores)(pair, single, estimand):
        return reason
    if pair.learned_nothing and single.learned_nothing:
        return "nothing learned"  # equality says nothing about the tasks
    if pair.n_runs < 2 and single.n_runs < 2:
        return "one seed"
    if pair.n_runs < 2 or single.n_runs < 2:
        return f"one {'pair' if pair.n_runs < 2 else 'single'} run"
    return ""


def _reason_of_examples(pair: Arm, single: Arm, estimand: Estimand) -> str:
    if pair.n_examples < 2:
        return "one test example"
    if pair.n_documents < 2 and estimand == "population":
        return "one test document"
    if not max(pair.counted, single.counted):
        return "no test example counts"
    few = untested_for_documents(pair.effective_documents, pair.unit_of_documents)
    return few if few and estimand == "population" else ""


def _reason_of_scores(pair: Arm, single: Arm, estimand: Estimand) -> str:
    if estimand == "population":
        return "no predictions"
    both = np.concatenate([pair.scores, single.scores])
    return "all scores are equal" if not pair.step or np.ptp(both) <= SMALLEST_DIFFERENCE else ""
