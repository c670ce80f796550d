"""A sequential design: test the arrows at interim analyses and stop the pairs that are decided.

The seeds per pair of every interim analysis are fixed in advance, such as 3, 5, 8 and 12. Each analysis spends a part
of alpha (Lan & DeMets 1983, with Pocock's shape). A verdict is never taken back, so false discoveries of all analyses
add up to alpha at most. A pair stops when both of its arrows are decided, or when neither is likely to be decided by
the last analysis; not because it has no test yet, after runs that failed. A task gets more single-task seeds while an
arrow into it is undecided. A study may defer pairs (``runs.admission``): they are not measured, and do not count as
arrows that are tested.

The state depends only on the runs in the store, so an interrupted design resumes and a finished one never changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from taskaffinity.analysis.statistics.arms import Arms, Key
from taskaffinity.analysis.statistics.gain_error import FloatArray, GainError
from taskaffinity.analysis.statistics.power import drop_last_axis, per_comparison_alpha, with_more_seeds
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents, standard_error
from taskaffinity.analysis.statistics.verdicts import NOT_MEASURED, Decision, decide
from taskaffinity.runs.plan import Plan, default_single_seeds
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.study import Study

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

DEFERRED = "deferred by estimates"
"""Why an arrow of a deferred pair has no test."""

MIN_CONDITIONAL_POWER = 0.1
"""A pair stops if neither of its arrows has this chance of a verdict at the last analysis."""


@dataclass(frozen=True, eq=False)
class SequentialState:
    """The state of a sequential design after its complete interim analyses. Arrays are ``[source, target]``."""

    interim_seeds: tuple[int, ...]
    """Seeds per pair at every interim analysis."""
    n_done: int
    """Complete interim analyses."""
    evidence: VarianceComponents
    """Each arrow at the analysis that decided it, or at the last complete one; before the first, from all runs."""
    error: GainError
    decision: Decision
    decided_at_seeds: IntArray
    """Seeds per pair at the analysis that decided the arrow; 0 if none has."""
    alpha_spent: FloatArray
    """Level of the analysis that ``decision`` shows: q is compared with it, and intervals cover 1 less it."""
    n_pair: IntArray
    """Seeds that each pair needs up to the next analysis; symmetric."""
    n_single: IntArray
    """(n_tasks,), single-task seeds that each task needs up to the next analysis."""
    finished: bool
    """Whether nothing remains to be trained."""
    admitted: BoolArray
    """Arrows that the design measures; all but the diagonal, unless the study defers pairs."""

    @property
    def n_shown(self) -> IntArray:
        """Seeds per pair of the analysis that each arrow shows."""
        if not self.n_done:
            return np.full_like(self.n_pair, self.interim_seeds[-1])
        last = np.minimum(self.n_pair, self.interim_seeds[self.n_done - 1])
        return np.where(self.decided_at_seeds > 0, self.decided_at_seeds, last)

    @property
    def pair_runs(self) -> int:
        return int(self.n_pair.sum()) // 2

    @property
    def single_runs(self) -> int:
        return int(self.n_single.sum())


Covariance = Callable[[int], FloatArray]
"""Maps a target's index to the covariances of the errors of the gains into it."""

EvidenceAt = Callable[[IntArray | None, IntArray | None], tuple[VarianceComponents, Covariance] | None]
"""Returns the evidence from a number of pair and single-task seeds (None: all), or None if runs are missing."""

Analysis = tuple[VarianceComponents, GainError, Decision]


def alpha_spending(interim_seeds: Sequence[int], alpha: float) -> list[float]:
    """Return the part of alpha that each interim analysis spends; the parts add up to alpha."""
    cumulative = [math.log(1 + (math.e - 1) * n / interim_seeds[-1]) for n in interim_seeds]
    return [alpha * (now - before) for before, now in zip([0.0, *cumulative], cumulative, strict=False)]


def sequential_design(
    interim_seeds: Sequence[int],
    n_tasks: int,
    evidence_at: EvidenceAt,
    margins: FloatArray,
    rule: Rule,
    admitted: BoolArray | None = None,
) -> SequentialState:
    """Apply the interim analyses in order, as far as there is evidence.

    Parameters
    ----------
    interim_seeds : sequence of int
        Seeds per pair at each interim analysis, ascending.
    margins : (n_tasks,)
        Equivalence margin of each target, in the unit of the gain.
    admitted : (n_tasks, n_tasks), optional
        Arrows to measure; symmetric. Default: all.
    """
    measured = ~np.eye(n_tasks, dtype=bool) & (True if admitted is None else admitted)
    running, undecided = measured.copy(), measured.copy()
    n_pair, n_single = np.zeros((n_tasks, n_tasks), dtype=np.int64), np.zeros(n_tasks, dtype=np.int64)
    decided_at_seeds = np.zeros_like(n_pair)
    alpha_spent = np.full(n_pair.shape, np.nan)
    shown: Analysis | None = None
    n_done, levels = 0, alpha_spending(interim_seeds, rule.alpha)
    for number, n in enumerate(interim_seeds):
        n_pair[running] = n
        n_single[(running & undecided).any(axis=0)] = default_single_seeds(n_tasks, n)
        found = evidence_at(n_pair, n_single)
        if found is None:
            break
        now = _analyse(found, margins, rule, levels[number])
        evidence, _, decision = now
        tested = undecided & running
        shown = now if shown is None else _merge(shown, now, tested)
        alpha_spent[tested if n_done else measured] = levels[number]
        decided_at_seeds[tested & (decision.verdict != "inconclusive")] = n
        undecided &= decided_at_seeds == 0
        n_done += 1
        if n == interim_seeds[-1]:
            running = np.zeros_like(running)
            break
        level = per_comparison_alpha(decision.p, levels[-1], int((decided_at_seeds > 0).sum()), rule.correction)
        power = conditional_power(evidence, interim_seeds[-1], margins, level, rule)
        lacks_runs = (evidence.n_pair < 2) | (evidence.n_single < 2)  # because some failed: they say nothing yet
        promising = undecided & ((power >= MIN_CONDITIONAL_POWER) | lacks_runs)
        running &= promising | promising.T
        if not running.any():
            break
    if shown is None:
        found = evidence_at(None, None)
        assert found is not None
        shown = _analyse(found, margins, rule, levels[0])
        shown[2].verdict[measured] = "inconclusive"
        alpha_spent[measured] = levels[0]
    finished = not running.any()
    return SequentialState(
        tuple(interim_seeds), n_done, *shown, decided_at_seeds, alpha_spent, n_pair, n_single, finished, measured
    )


def follow(
    study: Study, arms: Arms, rule: Rule, margins: FloatArray, is_done: Callable[[RunSpec], bool]
) -> SequentialState:
    """Return the state of a study's sequential design.

    Parameters
    ----------
    margins : (n_tasks,)
        Equivalence margin of each target, in score units.
    is_done : callable
        Whether a run is finished, or has failed for good.
    """

    def evidence_at(n_pair: IntArray | None, n_single: IntArray | None) -> tuple[VarianceComponents, Covariance] | None:
        if n_pair is None or n_single is None:
            used = arms
        elif not all(is_done(spec) for spec in _runs_for(study, n_pair, n_single)):
            return None
        else:
            place = {name: number for number, name in enumerate(arms.tasks)}
            pair_seeds, single_seeds = n_pair, n_single

            def seeds_of(key: Key) -> Sequence[int]:
                target, arm, partner = key
                if arm == "single":
                    return study.single_seeds[: single_seeds[place[target]]]
                return study.seeds[: pair_seeds[place[partner], place[target]]] if partner else ()

            used = arms.only(seeds_of)
        return used.evidence, used.covariance

    names = [card.name for card in study.tasks]
    admitted = np.array([[not (study.admission and study.admission.defers(s, t)) for t in names] for s in names])
    return _marked(sequential_design(study.interim_seeds, len(names), evidence_at, margins, rule, admitted))


def _marked(state: SequentialState) -> SequentialState:
    """Return the state whose deferred arrows say that they are not measured."""
    deferred = ~state.admitted & ~np.eye(len(state.admitted), dtype=bool)
    state.decision.verdict[deferred] = NOT_MEASURED
    state.evidence.untested_reason[deferred] = DEFERRED
    return state


def required_runs(study: Study, state: SequentialState) -> Plan:
    """Return every run that the design needs up to its next analysis, with controls and multi-task runs."""
    others = [spec for spec in study.plan if spec.arm not in ("single", "pair", "matched")]
    return Plan.of((*_runs_for(study, state.n_pair, state.n_single), *others))


def _runs_for(study: Study, n_pair: IntArray, n_single: IntArray) -> list[RunSpec]:
    place = {name: number for number, name in enumerate(card.name for card in study.tasks)}
    single_number = {seed: number for number, seed in enumerate(study.single_seeds)}
    pair_number = {seed: number for number, seed in enumerate(study.seeds)}
    needed = []
    for spec in study.plan:
        if spec.arm not in ("single", "pair", "matched"):
            continue
        at = [place[name] for name in spec.task_names] + ([place[spec.partner[0]]] if spec.partner else [])
        if len(at) == 1:
            is_needed = single_number[spec.seed] < n_single[at[0]]
        else:
            is_needed = pair_number[spec.seed] < n_pair[at[0], at[1]]
        if is_needed:
            needed.append(spec)
    return needed


def _analyse(found: tuple[VarianceComponents, Covariance], margins: FloatArray, rule: Rule, level: float) -> Analysis:
    evidence, covariance = found
    error = standard_error(evidence, rule.estimand, rule.test)
    return evidence, error, decide(error, margins, replace(rule, alpha=level), covariance)


def conditional_power(
    evidence: VarianceComponents, last: int, margins: FloatArray, level: float, rule: Rule
) -> FloatArray:
    """Return the chance that each arrow is decided with ``last`` seeds per pair, given the evidence.

    The later gain is taken as normal about the gain so far; its variance is what the further seeds take off the gain's
    variance. It decides the arrow if it differs from zero, or lies within the margin, by the later standard error.

    Parameters
    ----------
    margins : (n_tasks,)
        Equivalence margin of each target, in the unit of the gain.
    level : float
        Level that one arrow has to reach by itself.
    rule : Rule
        Its estimand and test.

    Returns
    -------
    (n_tasks, n_tasks)
        Between 0 and 1; 0 for an untested arrow, even if more runs would test it.
    """
    more = np.maximum(last - np.asarray(evidence.n_pair), 0.0)[..., None]
    now, later = (
        standard_error(evidence, rule.estimand, rule.test),
        standard_error(drop_last_axis(with_more_seeds(evidence, more)), rule.estimand, rule.test),
    )
    spread = np.sqrt(np.maximum(np.asarray(now.se_seeds) ** 2 - np.asarray(later.se_seeds) ** 2, 1e-12))
    needed = later.half_width(level)
    room = margins - later.half_width(2 * level)
    significant = ndtr((now.gain - needed) / spread) + ndtr((-needed - now.gain) / spread)
    inside = np.minimum(room, needed)
    equivalent = ndtr((inside - now.gain) / spread) - ndtr((-inside - now.gain) / spread)
    return np.asarray(np.nan_to_num(significant + np.where(inside > 0, equivalent, 0.0)))


def _merge(old: Analysis, new: Analysis, where: npt.NDArray[np.bool_]) -> Analysis:
    """Return ``new`` for the arrows in ``where`` and ``old`` for the others."""

    def pick(before: Any, after: Any) -> Any:
        names = [field.name for field in fields(after) if isinstance(getattr(after, field.name), np.ndarray)]
        return replace(after, **{name: np.where(where, getattr(after, name), getattr(before, name)) for name in names})

    return pick(old[0], new[0]), pick(old[1], new[1]), pick(old[2], new[2])
