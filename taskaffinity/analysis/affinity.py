"""The affinity matrix: the gain of every arrow, its interval and its verdict.

Every array is ``(n_tasks, n_tasks)`` and is read ``[source, target]``; the diagonal is NaN. Gains, intervals and
standard errors are in points (100 times the target's metric). Gains in different metrics cannot be added.

By default the estimand is the *population's* gain: what training with the source changes on average over seeds and
test sets like this one, for this encoder, recipe and data. It is not a property of the two tasks alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskaffinity.analysis.cautions.collapsed_runs import CollapsedRun, find_collapsed_runs
from taskaffinity.analysis.cautions.gpu_models import count_gpu_models
from taskaffinity.analysis.cautions.rare_classes import RareClass, find_rare_classes
from taskaffinity.analysis.cautions.undertrained import Undertrained, find_undertrained
from taskaffinity.analysis.estimates.stored import StoredEstimates
from taskaffinity.analysis.recommendations import describe_recommendations, recommend
from taskaffinity.analysis.statistics.arms import Arms, check_estimand, read_arms
from taskaffinity.analysis.statistics.controls import Control, controls_of
from taskaffinity.analysis.statistics.gain_error import FloatArray, GainError
from taskaffinity.analysis.statistics.power import PowerAnalysis
from taskaffinity.analysis.statistics.sequential import SequentialState, follow
from taskaffinity.analysis.statistics.sequential_simulation import SimulatedRates, simulate_design
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents, Words, standard_error
from taskaffinity.analysis.statistics.verdicts import Decision, Verdict, decide
from taskaffinity.garbage_collection import without_collection
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

POINTS = 100.0


@dataclass(frozen=True, eq=False)
class AffinityMatrix:
    """Gains, intervals, verdicts and evidence of a study; arrays are ``[source, target]``."""

    study: Study
    rule: Rule
    error: GainError
    """Errors of the gains, in score units."""
    failed: tuple[str, ...]
    """Failed runs, which are left out, each with its reason."""
    controls: tuple[Control, ...]
    """Placebos and positive controls, in score units; no array includes them."""
    sequential: SequentialState | None
    """None for a fixed design. An arrow's entries are those of the interim analysis that decided it, at its level."""
    simulated: SimulatedRates | None
    """Simulated error rates and savings of a finished sequential design."""

    single_mean: FloatArray
    """(n_tasks,), points, mean single-task score over seeds; NaN without a run."""
    baseline: FloatArray
    """Points, mean score that the pair is compared with: single-task, or compute-matched."""
    seeds_single: npt.NDArray[np.int64]
    """Finished runs of the baseline."""
    seeds_pair: npt.NDArray[np.int64]
    """Finished runs of the pair; symmetric, as one run of a pair serves both of its arrows."""
    n_test: npt.NDArray[np.int64]
    """(n_tasks,), test examples; 0 without a run."""
    n_documents: npt.NDArray[np.int64]
    """(n_tasks,), test documents; ``n_test`` if the examples' documents are unknown."""
    effective_documents: FloatArray
    """(n_tasks,), ``Arm.effective_documents``."""
    collapsed_pair: npt.NDArray[np.int64]
    """Collapsed runs (``collapse``) of the pair, for the target, and of the baseline."""
    collapsed_single: npt.NDArray[np.int64]
    rare_classes: tuple[RareClass, ...]
    """Classes whose few test examples make the errors of macro-F1 too small."""
    collapsed_runs: tuple[CollapsedRun, ...]
    """Every collapsed run, also those of which no gain is made."""
    undertrained: tuple[Undertrained, ...]
    """Tasks that are not trained to their end in single-task runs."""
    gpu_models: Mapping[str, int]
    """Runs by model of GPU; empty for a study on CPUs."""

    gain: FloatArray
    """NaN if an arm has no run."""
    gain_trained: FloatArray
    """Gain among the runs that are not collapsed; NaN if an arm has no such run."""
    low: FloatArray
    """Ends of the ``1 - alpha_spent`` interval, adjusted for the number of arrows under ``dunnett`` only. This and
    every later array is NaN where ``untested_reason`` says why."""
    high: FloatArray
    p: FloatArray
    """Two-sided p-value of a gain of zero."""
    q: FloatArray
    """``p`` after the rule's correction for all measured arrows; an arrow with no effect counts as p = 1."""
    p_tost: FloatArray
    """p-value of the equivalence test: the gain is at least the margin in size."""
    q_tost: FloatArray
    df: FloatArray
    se_seeds: FloatArray
    se_examples: FloatArray
    """Known with one seed too."""
    se: FloatArray
    """Standard error over seeds and examples together, behind tests and intervals."""
    mde: FloatArray
    """Minimum detectable effect: the smallest gain that is significant with a power of 80%."""
    seeds_to_significance: FloatArray
    """Further seeds per pair; see ``power.PowerAnalysis``. NaN for a decided arrow."""
    seeds_to_equivalence: FloatArray
    alpha_spent: FloatArray
    """Level that q is compared with: ``rule.alpha``, or the part of it that the deciding interim analysis spends."""
    decided_at_seeds: FloatArray
    """Seeds per pair at the interim analysis that decided the arrow; NaN if none has, and for a fixed design."""
    verdict: Words
    """Empty on the diagonal; "not measured" where a sequential design defers the pair."""
    untested_reason: Words
    """Why an arrow has no test; empty if it has one."""
    recommendation: Words
    """What would decide an inconclusive arrow, in words."""
    estimates: StoredEstimates | None = None
    """Estimates of gains, which give no verdict; see ``with_estimates``."""

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Names in the suite's order, which every array and figure follows."""
        return tuple(card.name for card in self.study.tasks)

    @cached_property
    def titles(self) -> tuple[str, ...]:
        return tuple(card.title for card in self.study.tasks)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Keys of ``METRICS``, one per task."""
        return tuple(card.metric for card in self.study.tasks)

    @cached_property
    def margins(self) -> tuple[float, ...]:
        """Equivalence margins in points, one per task."""
        return tuple(self.rule.margin_of(metric) for metric in self.metrics)

    @cached_property
    def arrows(self) -> tuple[tuple[int, int], ...]:
        """``(source, target)`` of every arrow, row by row."""
        size = range(len(self.tasks))
        return tuple((s, t) for s in size for t in size if s != t)

    def select(self, *verdicts: Verdict) -> tuple[tuple[int, int], ...]:
        """Return the arrows with one of these verdicts."""
        return tuple(arrow for arrow in self.arrows if self.verdict[arrow] in verdicts)


@without_collection()
def measure(study: Study, store: RunStore, rule: Rule | None = None) -> AffinityMatrix:
    """Measure the gain and decide the verdict of every arrow.

    The gain is the mean score of the pair less that of the baseline. Runs that are not in the store are left out. An
    arrow is tested if both of its arms have two runs or more; otherwise it is "inconclusive", with an
    ``untested_reason``.

    Parameters
    ----------
    rule : Rule, optional
        Default: the study's. A sequential design accepts no other, because its rule has stopped pairs.

    Raises
    ------
    ValueError
        If a file of the store is broken, or a sequential design is given another rule.

    Examples
    --------
    In a checkout of this repository:

    >>> from pathlib import Path
    >>> from taskaffinity import RunStore, Study
    >>> root = Path("notebooks/example_results")
    >>> matrix = measure(Study.load(root), RunStore(root))
    >>> source, target = matrix.tasks.index("shareclefe"), matrix.tasks.index("mednli")
    >>> str(matrix.verdict[source, target]), round(float(matrix.gain[source, target]), 1)
    ('improves', 15.3)
    """
    if study.interim_seeds and rule not in (None, study.rule):
        raise ValueError("a sequential design is analysed by the rule that it was run by; run it again with another")
    rule = rule or study.rule
    arms, margins = read_arms(study, store, rule=rule), margins_of(study, rule)
    check_estimand(arms)
    state: SequentialState | None = None
    if study.interim_seeds:
        state = follow(study, arms, rule, margins, lambda spec: spec in store or store.failure(spec) is not None)
        evidence, error, test = state.evidence, state.error, state.decision
    else:
        evidence, error = arms.evidence, standard_error(arms.evidence, rule.estimand, rule.test)
        test = decide(error, margins, rule, arms.covariance)
    return AffinityMatrix(
        study=study,
        rule=rule,
        error=error,
        failed=tuple(f"{spec.run_id}: {reason}" for spec in study.plan if (reason := store.failure(spec))),
        controls=controls_of(arms, rule),
        simulated=_simulated(arms, state, error, margins, rule),
        rare_classes=find_rare_classes(study, store),
        collapsed_runs=find_collapsed_runs(study, store, arms),
        undertrained=find_undertrained(study, store),
        gpu_models=count_gpu_models(study, store),
        **(scores := _scores(arms, evidence)),
        **_tests(error, test),
        **_power(recommend(study, rule, margins, evidence, test), test, scores, state),
        **_levels(state, test, rule),
    )


def _scores(arms: Arms, evidence: VarianceComponents) -> dict[str, Any]:
    """Return the fields on scores and sizes."""
    return {
        "single_mean": POINTS
        * np.array([arm.scores.mean() if (arm := arms.single_task(of)) else np.nan for of in arms.tasks]),
        "baseline": POINTS * evidence.mean_single,
        "seeds_single": np.nan_to_num(evidence.n_single).astype(np.int64),
        "seeds_pair": np.nan_to_num(evidence.n_pair).astype(np.int64),
        "n_test": np.array([arms.n_test(task) for task in arms.tasks]),
        "n_documents": np.array([arms.n_documents(task) for task in arms.tasks]),
        "effective_documents": np.array([arms.effective_documents(task) for task in arms.tasks]),
        "collapsed_pair": np.nan_to_num(evidence.collapsed_pair).astype(np.int64),
        "collapsed_single": np.nan_to_num(evidence.collapsed_single).astype(np.int64),
        "gain_trained": POINTS * evidence.gain_trained,
        "gain": POINTS * evidence.gain,
        "untested_reason": evidence.untested_reason,
    }


def _tests(error: GainError, test: Decision) -> dict[str, Any]:
    """Return the fields on intervals, tests and verdicts."""
    return {
        "low": POINTS * test.low,
        "high": POINTS * test.high,
        "df": error.df,
        **{name: POINTS * getattr(error, name) for name in ("se_seeds", "se_examples", "se")},
        **{name: getattr(test, name) for name in ("p", "q", "p_tost", "q_tost", "verdict")},
    }


def _power(
    power: PowerAnalysis, test: Decision, scores: dict[str, Any], state: SequentialState | None
) -> dict[str, Any]:
    """Return the fields on what would decide the inconclusive arrows."""
    has_collapsed = scores["collapsed_pair"] + scores["collapsed_single"] > 0
    return {
        "mde": POINTS * power.mde,
        "seeds_to_significance": power.seeds_to_significance,
        "seeds_to_equivalence": power.seeds_to_equivalence,
        "recommendation": describe_recommendations(power, test.verdict, scores["n_test"], has_collapsed, state),
    }


def _levels(state: SequentialState | None, test: Decision, rule: Rule) -> dict[str, Any]:
    """Return the fields on the design."""
    if state is None:
        alpha = np.where(test.verdict == "", np.nan, rule.alpha)
        return {"sequential": None, "alpha_spent": alpha, "decided_at_seeds": np.full_like(test.p, np.nan)}
    return {
        "sequential": state,
        "alpha_spent": state.alpha_spent,
        "decided_at_seeds": np.where(state.decided_at_seeds, state.decided_at_seeds, np.nan),
    }


def _simulated(
    arms: Arms, state: SequentialState | None, error: GainError, margins: FloatArray, rule: Rule
) -> SimulatedRates | None:
    can_simulate = bool(np.isfinite(error.variance).any()) and rule.correction != "dunnett"
    if state is None or not state.finished or not can_simulate:
        return None
    return simulate_design(arms, state.interim_seeds, margins, rule, state.admitted)


def margins_of(study: Study, rule: Rule) -> FloatArray:
    """Return the equivalence margin of each target, (n_tasks,), in score units."""
    return np.array([rule.margin_of(card.metric) for card in study.tasks]) / POINTS
