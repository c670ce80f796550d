"""Measure a study: read its runs, test every arrow, and say what would decide the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.cautions.collapsed_runs import find_collapsed_runs
from taskaffinity.analysis.cautions.equal_runs import find_equal_runs
from taskaffinity.analysis.cautions.gpu_models import count_gpu_models
from taskaffinity.analysis.cautions.rare_classes import find_rare_classes
from taskaffinity.analysis.cautions.undertrained import find_undertrained
from taskaffinity.analysis.recommendations import describe_recommendations, recommend
from taskaffinity.analysis.statistics.arms import Arms, check_estimand
from taskaffinity.analysis.statistics.controls import controls_of
from taskaffinity.analysis.statistics.gain_error import FloatArray, GainError
from taskaffinity.analysis.statistics.power import PowerAnalysis
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.statistics.seed_variance import RAW
from taskaffinity.analysis.statistics.sequential import SequentialState, follow
from taskaffinity.analysis.statistics.sequential_simulation import SimulatedRates, simulate_design
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents, standard_error
from taskaffinity.analysis.statistics.verdicts import Decision, decide
from taskaffinity.garbage_collection import without_collection
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study


@without_collection()
def measure(study: Study, store: RunStore, rule: Rule | None = None, test_set: str = "") -> AffinityMatrix:
    """Measure the gain and decide the verdict of every arrow.

    The gain is the mean score of the pair less that of the baseline. Runs that are not in the store are left out. An
    arrow is tested if both of its arms have two runs or more; otherwise it is "inconclusive", with an
    ``untested_reason``. The correction for multiple comparisons counts the arrows on every test set of the study.

    Parameters
    ----------
    rule : Rule, optional
        Default: the study's. A sequential design accepts no other, because its rule has stopped pairs.
    test_set : str
        A further test set of the study; tasks without it are no targets. Default: every task's split ``test``.

    Raises
    ------
    ValueError
        If a file of the store is broken, a sequential design is given another rule, or the study has no such test set.

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
    if test_set and test_set not in study.test_sets:
        raise ValueError(f"no test set {test_set!r}; there are {', '.join(study.test_sets) or 'none'}")
    return _measure(study, store, rule or study.rule, test_set, _read(study, store, rule or study.rule))


@without_collection()
def measure_further(study: Study, store: RunStore, rule: Rule) -> list[AffinityMatrix]:
    """Return ``measure`` of every further test set; the runs are read once."""
    read = _read(study, store, rule) if study.test_sets else {}
    return [_measure(study, store, rule, test_set, read) for test_set in study.test_sets]


def _read(study: Study, store: RunStore, rule: Rule) -> dict[str, Arms]:
    """Return the arms on every test set."""
    return {name: read_arms(study, store, rule=rule, test_set=name) for name in ("", *study.test_sets)}


def _measure(study: Study, store: RunStore, rule: Rule, test_set: str, read: Mapping[str, Arms]) -> AffinityMatrix:
    arms, margins = read[test_set], margins_of(study, rule)
    check_estimand(arms)
    state: SequentialState | None = None
    if study.interim_seeds:
        state = follow(study, arms, rule, margins, lambda spec: spec in store or store.failure(spec) is not None)
        evidence, error, test = state.evidence, state.error, state.decision
    else:
        evidence, error = arms.evidence, _errors(arms, rule)
        beside = [_errors(other, rule) for name, other in read.items() if name != test_set]
        test = decide(error, margins, rule, arms.covariance, beside)
        for place, card in enumerate(study.tasks):
            if test_set and test_set not in card.test_sets:
                test.verdict[:, place] = ""
    return AffinityMatrix(
        study=study,
        rule=rule,
        error=error,
        failed=tuple(f"{spec.run_id}: {reason}" for spec in study.plan if (reason := store.failure(spec))),
        controls=() if test_set else controls_of(arms, rule),
        simulated=_simulated(arms, state, error, margins, rule),
        rare_classes=find_rare_classes(study, store, test_set),
        collapsed_runs=find_collapsed_runs(study, store, arms, test_set),
        undertrained=find_undertrained(study, store),
        equal_runs=find_equal_runs(arms, across_arms=study.is_external),
        gpu_models=count_gpu_models(study, store),
        test_set=test_set,
        beside=test.beside,
        pools_seeds=arms.prior.common != RAW,
        **(scores := _scores(arms, evidence)),
        **_tests(error, test),
        **_power(recommend(study, rule, margins, evidence, test), test, scores, state),
        **_levels(state, test, rule),
    )


def _errors(arms: Arms, rule: Rule) -> GainError:
    return standard_error(arms.evidence, rule.estimand, rule.test)


def _scores(arms: Arms, evidence: VarianceComponents) -> dict[str, Any]:
    """Return the fields on scores and sizes."""
    singles = [arms.single_task(of) for of in arms.tasks]
    return {
        "single_mean": POINTS * np.array([arm.scores.mean() if arm else np.nan for arm in singles]),
        "runs_single": np.array([arm.n_runs if arm else 0 for arm in singles]),
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
