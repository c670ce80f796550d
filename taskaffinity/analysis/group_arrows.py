"""Measured group arrows: what tasks add to a target together, or beside the rest, tested like the arrows of pairs.

Beside each gain stand its predictions from the gains of pairs, which need no training of the group: their sum
(*pair-sum*), and the change of their mean (*pair-mean*, which ``taskaffinity group`` uses). Where the measured gain is
larger than both, the tasks help only together; where it is smaller, they say the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from taskaffinity.analysis.affinity import POINTS
from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Arms, Key
from taskaffinity.analysis.statistics.gain_error import FloatArray, GainError
from taskaffinity.analysis.statistics.read_arms import arm_of, read_arms
from taskaffinity.analysis.statistics.same_examples import SameExamples
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents, standard_error, variance_components
from taskaffinity.analysis.statistics.verdicts import Decision, decide_each
from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.runs.group_arrows import GroupArrow
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

GROUP_ARROWS_COLUMNS = tuple(COLUMNS["group_arrows.csv"])


@dataclass(frozen=True, eq=False)
class GroupArrows:
    """The group arrows of a study; arrays have one entry per arrow, in points where gains are."""

    study: Study
    rule: Rule
    arrows: tuple[GroupArrow, ...]
    evidence: VarianceComponents
    """In score units, as ``error`` and ``decision``."""
    error: GainError
    decision: Decision
    pair_sum: FloatArray
    """Sum of the sources' gains in pairs; NaN if one is not measured."""
    pair_mean: FloatArray
    """Mean of the gains in pairs of all other tasks of the group, less that without the sources."""

    @property
    def gain(self) -> FloatArray:
        """Points, the measured gain."""
        return np.asarray(POINTS * self.error.gain, dtype=np.float64)


def measure_group_arrows(study: Study, store: RunStore, rule: Rule | None = None) -> GroupArrows:
    """Measure the group arrows of a study and decide their verdicts.

    The correction counts the group arrows alone; Holm's replaces Dunnett's. A variance over seeds is moderated by the
    single-task runs and the pairs of its target, as that of a pair is.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    rule = rule or study.rule
    if rule.correction == "dunnett":  # it is for arms of one target that share a baseline; Holm controls more
        rule = dataclasses.replace(rule, correction="holm")
    arms = _with_groups(study, store, read_arms(study, store, rule=rule))
    evidence = _stacked([_components(arms, arrow, rule) for arrow in study.groups])
    error = standard_error(evidence, rule.estimand, rule.test)
    metrics = {card.name: card.metric for card in study.tasks}
    margins = np.array([rule.margin_of(metrics[arrow.target]) for arrow in study.groups]) / POINTS
    gains = _gains_of_pairs(arms)
    sums, means = zip(*(_predictions(arrow, gains) for arrow in study.groups), strict=True)
    return GroupArrows(
        *(study, rule, study.groups, evidence, error, decide_each(error, margins, rule)),
        pair_sum=np.array(sums),
        pair_mean=np.array(means),
    )


def _with_groups(study: Study, store: RunStore, arms: Arms) -> Arms:
    """Return the arms with those of groups of three tasks or more."""
    by_key: dict[Key, Arm] = {}
    seeds: dict[Key, tuple[int, ...]] = {}
    official = {card.name: card.metric for card in study.tasks}
    needed = {_key(arrow.target, names) for arrow in study.groups for names in _sides(arrow)} - arms.by_key.keys()
    plain = [spec for spec in study.plan if spec.variant == "plain" and spec.stage == "refine"]
    singles, groups = ([spec for spec in plain if (len(spec.tasks) > 2) is is_group] for is_group in (False, True))
    examples = SameExamples()
    for name in {key[0] for key in needed}:
        beside = (run for spec in singles if name in spec.task_names and (run := store.get(spec)))
        examples.check([*islice(beside, 1)], f"{name}/test", official[name])  # all others are as this one: read_arms
    for key in needed:
        names = frozenset((key[0], *key[2].split("+")))
        runs = [run for spec in groups if frozenset(spec.task_names) == names and (run := store.get(spec))]
        if runs:
            by_key[key] = arm_of(runs, f"{key[0]}/test", official[key[0]], examples)
            seeds[key] = tuple(run.spec.seed for run in runs)
    return dataclasses.replace(arms, by_key={**arms.by_key, **by_key}, seeds={**arms.seeds, **seeds})


def _sides(arrow: GroupArrow) -> tuple[frozenset[str], frozenset[str]]:
    return arrow.with_sources, arrow.without_sources


def _key(target: str, names: frozenset[str]) -> Key:
    others = sorted(names - {target})
    return target, {0: "single", 1: "pair"}.get(len(others), "group"), "+".join(others)


def _components(arms: Arms, arrow: GroupArrow, rule: Rule) -> VarianceComponents:
    more, less = (_key(arrow.target, names) for names in _sides(arrow))
    found = variance_components(
        *(arms.by_key.get(more), arms.by_key.get(less), arms.prior_for(more), arms.prior_for(less), rule.estimand)
    )
    reason = str(found.untested_reason)
    for word, ours in (("pair and no single run", "run"), ("pair run", "run with them"), ("single run", "run without")):
        reason = reason.replace(word, ours)
    flags = [arms.collapsed.get(key, np.zeros(0, dtype=np.bool_)) for key in (more, less)]
    counts = {"collapsed_pair": float(flags[0].sum()), "collapsed_single": float(flags[1].sum())}
    return found.map({**counts, "untested_reason": reason})


def _stacked(cells: Sequence[VarianceComponents]) -> VarianceComponents:
    names = [field.name for field in dataclasses.fields(VarianceComponents)]
    grids = {name: np.array([getattr(cell, name) for cell in cells]) for name in names}
    return VarianceComponents(**{**grids, "untested_reason": grids["untested_reason"].astype(object)})


def _gains_of_pairs(arms: Arms) -> dict[tuple[str, str], float]:
    """Return the gains in points of the pairs that have runs, by source and target."""
    gains = {}
    for target, arm, source in arms.by_key:
        pair, single = arms.by_key[target, arm, source], arms.by_key.get((target, "single", ""))
        if arm == "pair" and single is not None:
            gains[source, target] = POINTS * (pair.mean_score - single.mean_score)
    return gains


def _predictions(arrow: GroupArrow, gains: Mapping[tuple[str, str], float]) -> tuple[float, float]:
    """Return pair-sum and pair-mean of an arrow, in points; NaN if a pair is not measured."""
    of_sources, of_given = (
        [gains.get((name, arrow.target), np.nan) for name in names] for names in (arrow.sources, arrow.given)
    )
    before = float(np.mean(of_given)) if of_given else 0.0
    return float(np.sum(of_sources)), float(np.mean([*of_sources, *of_given])) - before


def group_arrows_frame(found: GroupArrows) -> pd.DataFrame:
    """Return one row per group arrow, in points: ``GROUP_ARROWS_COLUMNS``."""
    rule, study = found.rule, found.study
    metrics = {card.name: card.metric for card in study.tasks}
    same = {name: getattr(rule, name) for name in ("alpha", "correction", "estimand", "test")}
    rows = []
    for place, arrow in enumerate(found.arrows):
        error, decision, evidence = found.error, found.decision, found.evidence
        without = POINTS * evidence.mean_single[place]
        row = {
            **same,
            "sources": "+".join(arrow.sources),
            "target": arrow.target,
            "given": "+".join(arrow.given),
            "gain": found.gain[place],
            "pair_sum": found.pair_sum[place],
            "pair_mean": found.pair_mean[place],
            **{name: POINTS * getattr(decision, name)[place] for name in ("low", "high")},
            **{name: getattr(decision, name)[place] for name in ("p", "q", "p_tost", "q_tost", "verdict")},
            **{name: POINTS * getattr(error, name)[place] for name in ("se_seeds", "se_examples")},
            "df": error.df[place],
            "seeds_with": int(np.nan_to_num(evidence.n_pair[place])),
            "seeds_without": int(np.nan_to_num(evidence.n_single[place])),
            "score_without": without,
            "score_with": without + found.gain[place],
            "collapsed_with": int(evidence.collapsed_pair[place]),
            "collapsed_without": int(evidence.collapsed_single[place]),
            "metric": metrics[arrow.target],
            "margin": rule.margin_of(metrics[arrow.target]),
            "untested_reason": evidence.untested_reason[place],
            "synthetic": study.synthetic,
        }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(GROUP_ARROWS_COLUMNS))
