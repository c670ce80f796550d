"""Gains and verdicts: how far training with a source task moves a target task, and whether that can be believed.

Every array is ``(n_tasks, n_tasks)`` and is read ``[source, target]``: row helps column. The diagonal is NaN, for a
task is not its own helper. Gains, intervals and standard errors are in points (100 x the target's metric); do not add
gains of different metrics.

The estimand is the *population's* gain unless the rule says otherwise: what training with the source changes on
average over seeds *and* over test sets drawn like this one, for this encoder, this recipe and these data. It is no
property of the two tasks alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from taskaffinity.analysis.statistics.arms import read_arms
from taskaffinity.analysis.statistics.controls import Control, controls_of
from taskaffinity.analysis.statistics.power import describe_power, per_comparison_alpha, power_analysis
from taskaffinity.analysis.statistics.seed_variance import Prior
from taskaffinity.analysis.statistics.sequential import Standing, alpha_spending, follow
from taskaffinity.analysis.statistics.sequential_simulation import Odds, odds_of
from taskaffinity.analysis.statistics.standard_errors import Arm, FloatArray, Words, standard_error
from taskaffinity.analysis.statistics.verdicts import Verdict, decide
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

POINTS = 100.0


@dataclass(frozen=True, eq=False)
class AffinityMatrix:
    """Every arrow of a study: gain, interval, verdict and the evidence for it. Arrays are ``[source, target]``."""

    study: Study
    rule: Rule
    prior: Prior
    """What the study's arms say together of the variance over seeds."""
    failed: tuple[str, ...]
    """Runs that failed and are left out, each with its reason."""
    controls: tuple[Control, ...]
    """Placebos and positive controls, in score units; no part of any array."""
    standing: Standing | None
    """Of a race: which looks are done, and when each arrow was decided. Arrays then hold what was known at that look,
    at its level."""
    odds: Odds | None
    """Of a finished race: its own error rates and savings, by simulation."""

    single_mean: FloatArray
    """(n_tasks,), points, of training alone, mean over seeds; NaN where no run is there."""
    baseline: FloatArray
    """Points, mean score of what the pair is compared with: ``single_mean``, or that of as many updates in all."""
    seeds_single: npt.NDArray[np.int64]
    """Runs of the arm that the pair is compared with; of one target the same, but for ``match: compute``."""
    seeds_pair: npt.NDArray[np.int64]
    """Runs found; symmetric, for a pair's one run gives both of its arrows."""
    n_test: npt.NDArray[np.int64]
    """(n_tasks,), test examples; 0 where no run is there."""
    n_documents: npt.NDArray[np.int64]
    """(n_tasks,), documents of these, by which errors are; as many as ``n_test`` where none are known, or each has
    one."""

    gain: FloatArray
    """NaN where an arm has no run."""
    low: FloatArray
    """Ends of the ``1 - level`` interval (``1 - alpha`` but in a race), adjusted for the number of arrows under
    ``dunnett`` alone; NaN, as all that follows, where ``untested_reason`` says why there is none."""
    high: FloatArray
    p: FloatArray
    """Of "the gain is zero", two-sided."""
    q: FloatArray
    """The same after the rule's correction for the study's measured arrows, where an arrow of no effect counts as 1."""
    p_tost: FloatArray
    """Of "the gain is the margin or more, up or down"."""
    q_tost: FloatArray
    df: FloatArray
    se_seeds: FloatArray
    se_examples: FloatArray
    """Known with one seed too."""
    se: FloatArray
    """Of seeds and examples together, what they share counted once: that of tests and intervals."""
    mde: FloatArray
    """Smallest gain that this study would have called with a chance of 80 %, beside what it did call."""
    seeds_to_significance: FloatArray
    """Further seeds a pair; see ``power.PowerAnalysis``."""
    seeds_to_equivalence: FloatArray
    alpha_spent: FloatArray
    """What q is held against, and one less that of the interval: ``rule.alpha``; in a race what the look that decided
    the arrow may spend of it."""
    decided_at_seeds: FloatArray
    """Of a race: seeds a pair at which the verdict fell; NaN where none has, and in a fixed design."""
    verdict: Words
    """Empty on the diagonal."""
    untested_reason: Words
    """Why an arrow could not be tested; empty where it was, whatever the verdict."""
    recommendation: Words
    """What an inconclusive arrow would take, in words."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names in the suite's order, which every array and figure keeps."""
        return tuple(card.name for card in self.study.tasks)

    @property
    def titles(self) -> tuple[str, ...]:
        return tuple(card.title for card in self.study.tasks)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Keys of ``METRICS``, one a task."""
        return tuple(card.metric for card in self.study.tasks)

    @property
    def margins(self) -> tuple[float, ...]:
        """Points, one a task."""
        return tuple(self.rule.margin_of(metric) for metric in self.metrics)

    @property
    def arrows(self) -> tuple[tuple[int, int], ...]:
        """``(source, target)`` of every arrow, row by row."""
        size = range(len(self.tasks))
        return tuple((s, t) for s in size for t in size if s != t)

    def select(self, *verdicts: Verdict) -> tuple[tuple[int, int], ...]:
        """The arrows with one of these verdicts."""
        return tuple(arrow for arrow in self.arrows if self.verdict[arrow] in verdicts)


def measure(study: Study, store: RunStore, rule: Rule | None = None) -> AffinityMatrix:
    """Score of each task trained in a pair, less its score trained alone, with a verdict for every arrow.

    Runs that are not in the store are left out: an arrow is tested where both of its arms have two runs or more, and
    is "inconclusive" with an ``untested_reason`` otherwise.

    Parameters
    ----------
    rule : Rule, optional
        Default: the study's own. A race knows no other, for by it pairs were stopped.

    Raises
    ------
    ValueError
        If a file of the store is broken, or a race is given another rule.

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
    own = study.rule
    if study.interim_seeds and rule not in (None, own):
        raise ValueError("a race is judged by the rule that it was run by; run it anew with another")
    rule, arms = rule or own, read_arms(study, store)
    margins = margins_of(study, rule)
    standing: Standing | None = None
    if study.interim_seeds:
        standing = follow(study, arms, rule, margins, lambda spec: spec in store or store.failure(spec) is not None)
        evidence, error, test = standing.evidence, standing.error, standing.call
    else:
        evidence, error = arms.evidence, standard_error(arms.evidence, rule.estimand)
        test = decide(error, margins, rule, partial(arms.covariance, estimand=rule.estimand))
    decided = int(np.isin(test.verdict, ("improves", "degrades")).sum())
    equal = int((test.verdict == "no effect").sum())
    alpha = alpha_spending(study.interim_seeds, rule.alpha)[-1] if study.interim_seeds else rule.alpha
    power = power_analysis(
        evidence,
        margins,
        alpha=per_comparison_alpha(test.p, alpha, decided, rule.correction),
        alpha_equivalence=per_comparison_alpha(test.p_tost, alpha, equal, rule.correction),
        estimand=rule.estimand,
    )
    can_simulate = bool(np.isfinite(error.variance).any()) and rule.correction != "dunnett"
    n_test = np.array([arms.n_test(task) for task in arms.tasks])
    return AffinityMatrix(
        study=study,
        rule=rule,
        prior=arms.prior,
        failed=tuple(f"{spec.run_id}: {reason}" for spec in study.plan if (reason := store.failure(spec))),
        controls=controls_of(arms, rule),
        standing=standing,
        odds=odds_of(arms, study.interim_seeds, margins, rule)
        if standing and standing.finished and can_simulate
        else None,
        single_mean=POINTS * np.array([_mean(arms.single_task(task)) for task in arms.tasks]),
        baseline=POINTS * evidence.mean_single,
        seeds_single=_count(evidence.n_single),
        seeds_pair=_count(evidence.n_pair),
        n_test=n_test,
        n_documents=np.array([arms.n_documents(task) for task in arms.tasks]),
        gain=POINTS * evidence.gain,
        low=POINTS * test.low,
        high=POINTS * test.high,
        p=test.p,
        q=test.q,
        p_tost=test.p_tost,
        q_tost=test.q_tost,
        df=error.df,
        se_seeds=POINTS * error.se_seeds,
        se_examples=POINTS * error.se_examples,
        se=POINTS * error.se,
        mde=POINTS * power.mde,
        seeds_to_significance=power.seeds_to_significance,
        seeds_to_equivalence=power.seeds_to_equivalence,
        alpha_spent=standing.alpha_spent if standing else np.where(test.verdict == "", np.nan, rule.alpha),
        decided_at_seeds=np.where(standing.decided_at_seeds, standing.decided_at_seeds, np.nan)
        if standing
        else np.full_like(test.p, np.nan),
        verdict=test.verdict,
        untested_reason=evidence.untested_reason,
        recommendation=describe_power(power, test.verdict, n_test),
    )


def margins_of(study: Study, rule: Rule) -> FloatArray:
    """(n_tasks,), of "no effect" for each target, in score units."""
    return np.array([rule.margin_of(card.metric) for card in study.tasks]) / POINTS


def _mean(arm: Arm | None) -> float:
    return float(arm.scores.mean()) if arm else math.nan


def _count(runs: FloatArray) -> npt.NDArray[np.int64]:
    return np.asarray(np.nan_to_num(runs), dtype=np.int64)
