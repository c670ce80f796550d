"""A race: look at the arrows after a few seeds, stop the pairs that are decided, and go on with the others.

Looks are fixed beforehand (3, 5, 8, 12 seeds a pair). Each spends a part of alpha (Lan & DeMets 1983, with Pocock's
shape), and false discoveries of the looks add up to alpha at most, for a verdict that fell is not taken back. A pair is
stopped when both of its arrows are decided, or when neither is likely to be by the last look. Alone a task goes on
while an arrow into it does. Everything follows from the runs in the store, so a race that was killed goes on where it
stood, and a finished one reads the same for ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from taskaffinity.analysis.statistics.arms import Arms, Key
from taskaffinity.analysis.statistics.power import last_axis_gone, per_comparison_alpha, with_more_seeds
from taskaffinity.analysis.statistics.standard_errors import FloatArray, GainError, VarianceComponents, standard_error
from taskaffinity.analysis.statistics.verdicts import Decision, decide
from taskaffinity.runs.plan import Plan, default_single_seeds
from taskaffinity.runs.rule import Estimand, Rule
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.study import Study

IntArray = npt.NDArray[np.int64]

LEAST_CHANCE = 0.1
"""A pair neither of whose arrows has this chance of being decided by the last look is stopped."""


@dataclass(frozen=True, eq=False)
class Standing:
    """How a race stands. Grids are ``[source, target]``."""

    looks: tuple[int, ...]
    done: int
    """Looks that are complete."""
    evidence: VarianceComponents
    """Of every arrow at the look that decided it, else at the last complete one; of what there is before the first."""
    error: GainError
    call: Decision
    decided_at_seeds: IntArray
    """Seeds a pair at which the verdict fell; 0 where it has not."""
    alpha_spent: FloatArray
    """Of the look whose evidence is shown: what ``call``'s q is held against, and one less that of its interval."""
    n_pair: IntArray
    """Seeds that each pair needs for the looks up to now; symmetric."""
    n_single: IntArray
    """(n_tasks,)"""
    finished: bool
    """Whether nothing more is to be trained."""

    @property
    def pair_runs(self) -> int:
        return int(self.n_pair.sum()) // 2

    @property
    def single_runs(self) -> int:
        return int(self.n_single.sum())


Covariance = Callable[[int], FloatArray]
"""Of a target's number: covariances of the errors of the gains into it."""

EvidenceAt = Callable[[IntArray | None, IntArray | None], tuple[VarianceComponents, Covariance] | None]
"""Evidence from so many seeds a pair and a task alone (None: all there are), or None if runs are missing."""


def alpha_spending(looks: Sequence[int], alpha: float) -> list[float]:
    """What each look may spend of alpha; they add up to it."""
    shares = [math.log(1 + (math.e - 1) * n / looks[-1]) for n in looks]
    return [alpha * (share - before) for before, share in zip([0.0, *shares], shares, strict=False)]


def race(
    looks: Sequence[int],
    n_tasks: int,
    evidence_at: EvidenceAt,
    margins: FloatArray,
    rule: Rule,
) -> Standing:
    """Follow a race as far as there is evidence.

    Parameters
    ----------
    looks : sequence of int
        Seeds a pair at each look, ascending.
    margins : (n_tasks,)
        Of "no effect" for each target, in the unit of the gain.
    """
    apart = ~np.eye(n_tasks, dtype=bool)
    alive, undecided = apart.copy(), apart.copy()
    n_pair, n_single = np.zeros((n_tasks, n_tasks), dtype=np.int64), np.zeros(n_tasks, dtype=np.int64)
    decided_at_seeds = np.zeros_like(n_pair)
    level_at = np.full(n_pair.shape, np.nan)
    kept: tuple[VarianceComponents, GainError, Decision] | None = None
    done, levels = 0, alpha_spending(looks, rule.alpha)
    for look, n in enumerate(looks):
        n_pair[alive] = n
        n_single[(alive & undecided).any(axis=0)] = default_single_seeds(n_tasks, n)
        found = evidence_at(n_pair, n_single)
        if found is None:
            break
        evidence, error, call = _called(found, margins, rule, levels[look])
        running = undecided & alive
        kept = (evidence, error, call) if kept is None else _merged(kept, (evidence, error, call), running)
        level_at[running if done else apart] = levels[look]
        decided_at_seeds[running & (call.verdict != "inconclusive")] = n
        undecided &= decided_at_seeds == 0
        done += 1
        if n == looks[-1]:
            alive = np.zeros_like(alive)
            break
        level = per_comparison_alpha(call.p, levels[-1], int((decided_at_seeds > 0).sum()), rule.correction)
        chance = chance_of_a_verdict(evidence, looks[-1], margins, level, rule.estimand)
        hopeful = undecided & (chance >= LEAST_CHANCE)
        alive &= hopeful | hopeful.T
        if not alive.any():
            break
    if kept is None:
        found = evidence_at(None, None)
        assert found is not None
        kept = _called(found, margins, rule, levels[0])
        kept[2].verdict[apart] = "inconclusive"
        level_at[apart] = levels[0]
    return Standing(tuple(looks), done, *kept, decided_at_seeds, level_at, n_pair, n_single, finished=not alive.any())


def follow(study: Study, arms: Arms, rule: Rule, margins: FloatArray, is_done: Callable[[RunSpec], bool]) -> Standing:
    """Follow a study's race through the runs that are there; ``is_done`` says of a run that it is, or never will be."""

    def evidence_at(n_pair: IntArray | None, n_single: IntArray | None) -> tuple[VarianceComponents, Covariance] | None:
        if n_pair is None or n_single is None:
            there = arms
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

            there = arms.only(seeds_of)
        return there.evidence, partial(there.covariance, estimand=rule.estimand)

    return race(study.interim_seeds, len(study.tasks), evidence_at, margins, rule)


def required_runs(study: Study, standing: Standing) -> Plan:
    """Every run that a race needs up to its next look, and the whole set and the controls where they are asked for."""
    others = [spec for spec in study.plan if spec.arm not in ("single", "pair", "matched")]
    return Plan.of((*_runs_for(study, standing.n_pair, standing.n_single), *others))


def _runs_for(study: Study, n_pair: IntArray, n_single: IntArray) -> list[RunSpec]:
    place = {name: number for number, name in enumerate(card.name for card in study.tasks)}
    alone = {seed: number for number, seed in enumerate(study.single_seeds)}
    paired = {seed: number for number, seed in enumerate(study.seeds)}
    needed = []
    for spec in study.plan:
        if spec.arm not in ("single", "pair", "matched"):
            continue
        at = [place[name] for name in spec.task_names] + ([place[spec.partner[0]]] if spec.partner else [])
        first = alone[spec.seed] < n_single[at[0]] if len(at) == 1 else paired[spec.seed] < n_pair[at[0], at[1]]
        if first:
            needed.append(spec)
    return needed


def _called(
    found: tuple[VarianceComponents, Covariance], margins: FloatArray, rule: Rule, level: float
) -> tuple[VarianceComponents, GainError, Decision]:
    evidence, covariance = found
    error = standard_error(evidence, rule.estimand)
    return evidence, error, decide(error, margins, replace(rule, alpha=level), covariance)


def chance_of_a_verdict(
    evidence: VarianceComponents, last: int, margins: FloatArray, level: float, estimand: Estimand
) -> FloatArray:
    """Chance that an arrow is decided with ``last`` seeds a pair, given what is known now.

    The gain that will be found then is normal about the one found now, its variance what more seeds take off the
    variance of the gain; it must leave zero behind, or keep within the margin, by that time's standard error.
    """
    more = np.maximum(last - np.asarray(evidence.n_pair), 0.0)[..., None]
    now, later = (
        standard_error(evidence, estimand),
        standard_error(last_axis_gone(with_more_seeds(evidence, more)), estimand),
    )
    spread = np.sqrt(np.maximum(np.asarray(now.se_seeds) ** 2 - np.asarray(later.se_seeds) ** 2, 1e-12))
    needed = -stdtrit(later.df, level / 2) * later.se
    room = margins + stdtrit(later.df, level) * later.se
    coloured = ndtr((now.gain - needed) / spread) + ndtr((-needed - now.gain) / spread)
    inside = np.minimum(room, needed)
    equal = ndtr((inside - now.gain) / spread) - ndtr((-inside - now.gain) / spread)
    return np.asarray(np.nan_to_num(coloured + np.where(inside > 0, equal, 0.0)))


def _merged(
    old: tuple[VarianceComponents, GainError, Decision],
    new: tuple[VarianceComponents, GainError, Decision],
    where: npt.NDArray[np.bool_],
) -> tuple[VarianceComponents, GainError, Decision]:
    """Each field of ``new`` where an arrow was undecided, else of ``old``."""

    def pick(before: Any, after: Any) -> Any:
        names = [field.name for field in fields(after)]
        return type(after)(**{name: np.where(where, getattr(after, name), getattr(before, name)) for name in names})

    return pick(old[0], new[0]), pick(old[1], new[1]), pick(old[2], new[2])
