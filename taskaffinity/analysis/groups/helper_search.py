"""The runs and scores of a search for helpers: dev scores decide; fresh seeds measure the chosen set on test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count, islice

import numpy as np

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.groups.retrained import RealisedGain, realised_gain
from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Key
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.statistics.read_arms import arm_of
from taskaffinity.analysis.statistics.same_examples import SameExamples
from taskaffinity.grouping.helper_race import Helpers, Race, RaceRule
from taskaffinity.runs.limits import RETRAIN_SEEDS
from taskaffinity.runs.plan import Plan, multitask_runs, without_unused_settings
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study


@dataclass(frozen=True)
class HelperRuns:
    """The runs that a search for helpers of one task may need."""

    study: Study
    target: int
    """Place of the task in the suite. Sets hold places too, without the target's."""
    n_seeds: int
    """Largest number of seeds of a set."""

    @property
    def sources(self) -> tuple[int, ...]:
        """All other tasks."""
        return tuple(place for place in range(len(self.study.tasks)) if place != self.target)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the races: those of the study's pairs, then the smallest other ones."""
        own = self.study.seeds
        others = (seed for seed in count() if seed not in own)
        return tuple(islice(chain(own, others), self.n_seeds))

    @property
    def first(self) -> int:
        """Number of seeds that the study trains of every pair."""
        return self.study.interim_seeds[0] if self.study.interim_seeds else len(self.study.seeds)

    def names(self, helpers: Helpers) -> tuple[str, ...]:
        """Return the target's name and those of the helpers."""
        return tuple(self.study.tasks[place].name for place in (self.target, *helpers))

    def plan(self, sets: Sequence[Helpers], n_seeds: int) -> Plan:
        """Return the runs of the sets with the first ``n_seeds`` seeds."""
        return self._runs(sets, self.seeds[:n_seeds])

    def final_plan(self, helpers: Helpers) -> Plan:
        """Return the runs of the chosen set and of the single task, with seeds that no study and no race has."""
        return self._runs([(), helpers], range(RETRAIN_SEEDS, RETRAIN_SEEDS + self.n_seeds))

    def _runs(self, sets: Sequence[Helpers], seeds: Sequence[int]) -> Plan:
        study = self.study
        refs = [[study.refs[place] for place in (self.target, *helpers)] for helpers in sets]
        plan = Plan.of(spec for group in refs for spec in multitask_runs(group, study.encoder, study.recipe, seeds))
        return without_unused_settings(plan, {card.name: card.kind for card in study.tasks})

    def dev_scores(self, store: RunStore, sets: Sequence[Helpers], n_seeds: int) -> FloatArray:
        """Return the target's dev scores in points, ``(n_sets, n_seeds)``; NaN where the store lacks the run.

        Raises
        ------
        ValueError
            If a file of the store is broken.
        """
        name = self.study.tasks[self.target].name
        runs = [[store.get(spec) for spec in self.plan([one], n_seeds)] for one in sets]
        return np.array([[POINTS * run.outcomes[name].dev_score if run else math.nan for run in row] for row in runs])


@dataclass(frozen=True)
class HelperSearch:
    """The races of a search, and the gain of the set that they chose."""

    matrix: AffinityMatrix
    runs: HelperRuns
    rule: RaceRule
    races: tuple[Race, ...]
    final: RealisedGain | None
    """None if no helper was chosen."""

    @property
    def chosen(self) -> Helpers:
        """The chosen helpers, in the order of choice."""
        found = [race.chosen.helpers for race in self.races if race.chosen]
        return found[-1] if found else ()

    @property
    def raced(self) -> Plan:
        """Every run whose dev score was read."""
        sets = [(race.current, race.scores) for race in self.races]
        sets += [(one.helpers, one.scores) for race in self.races for one in race.candidates]
        return Plan.of(spec for helpers, scores in sets for spec in self.runs.plan([helpers], len(scores)))

    @property
    def n_new(self) -> int:
        """Number of raced runs that the study does not have."""
        own = {spec.run_id for spec in self.runs.study.plan}
        return sum(spec.run_id not in own for spec in self.raced)

    @property
    def n_exhaustive(self) -> int:
        """Number of runs of all sets of up to as many helpers as the last race had, each with all seeds."""
        sets = sum(math.comb(len(self.runs.sources), size) for size in range(len(self.races) + 1))
        return sets * self.runs.n_seeds


def final_gain(matrix: AffinityMatrix, runs: HelperRuns, helpers: Helpers, store: RunStore) -> RealisedGain | None:
    """Return the test gain of the chosen set over single-task training, with fresh seeds; None without helpers.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    if not helpers:
        return None
    name, metric = matrix.tasks[runs.target], matrix.metrics[runs.target]
    done = [run for spec in runs.final_plan(helpers) if (run := store.get(spec))]
    arms: dict[Key, Arm] = {}
    examples = SameExamples()
    for key, is_single in (((name, "single", ""), True), ((name, "pair", "group"), False)):
        if found := [run for run in done if (len(run.spec.tasks) == 1) is is_single]:
            arms[key] = arm_of(found, f"{name}/test", metric, examples)
    return realised_gain(arms, name, matrix.rule)
