"""The arms of a study, read from its results folder: every task under every condition that it was trained in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, permutations, product

import numpy as np

from taskaffinity.analysis.statistics.seed_variance import Prior, fit_prior
from taskaffinity.analysis.statistics.standard_errors import (
    Arm,
    FloatArray,
    VarianceComponents,
    nothing,
    standard_error,
    summarise,
    variance_components,
)
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.rule import Estimand
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS

Key = tuple[str, str, str]
"""Target, arm (``RunSpec.arm``, of a fine-tuned run its parent's) and partner, which is empty where there is none."""


@dataclass(frozen=True)
class Arms:
    """Every arm that has a run. Counts are not kept."""

    tasks: tuple[str, ...]
    found: Mapping[Key, Arm]
    seeds: Mapping[Key, tuple[int, ...]]
    """Of each arm's runs, in their order."""
    baseline: str = "single"
    """What pairs are compared with: ``single``, or ``matched`` (as many updates in all)."""

    def single_task(self, target: str) -> Arm | None:
        return self.found.get((target, "single", ""))

    def pair(self, target: str, source: str) -> Arm | None:
        return self.found.get((target, "pair", source))

    def single(self, target: str, source: str) -> Arm | None:
        """What the pair with ``source`` is compared with."""
        return self.found.get((target, self.baseline, source if self.baseline == "matched" else ""))

    def n_test(self, target: str) -> int:
        """Test examples; 0 where no run is there."""
        return max((arm.n_examples for (name, _, _), arm in self.found.items() if name == target), default=0)

    def n_documents(self, target: str) -> int:
        """Test documents, each example by itself where none are known; 0 where no run is there."""
        return max((arm.n_documents for (name, _, _), arm in self.found.items() if name == target), default=0)

    def only(self, seeds_of: Callable[[Key], Collection[int]]) -> Arms:
        """As if each arm had been trained with its seeds in ``seeds_of(key)`` alone."""
        found, seeds = {}, {}
        for key, arm in self.found.items():
            wanted = set(seeds_of(key))
            kept = [place for place, seed in enumerate(self.seeds[key]) if seed in wanted]
            if kept:
                found[key] = Arm(arm.scores[kept], arm.influence[kept], arm.spread[kept], arm.counting[kept])
                seeds[key] = tuple(self.seeds[key][place] for place in kept)
        return dataclasses.replace(self, found=found, seeds=seeds)

    @cached_property
    def prior(self) -> Prior:
        """What the arms of the study's arrows say of the variance over seeds (controls say nothing)."""
        used: list[Arm] = []
        for (_, kind, _), arm in self.found.items():
            known = kind == "matched" and any(_same_runs(arm, other) for other in used)
            if kind in ("pair", self.baseline) and arm.n_runs > 1 and arm.scores.any() and not known:
                used.append(arm)
        return fit_prior([arm.s2 / arm.unit for arm in used], [arm.n_runs - 1 for arm in used])

    @cached_property
    def evidence(self) -> VarianceComponents:
        """Of every arrow, arrays ``[source, target]``."""
        size = len(self.tasks)
        cells = [[nothing("") for _ in range(size)] for _ in range(size)]
        for (s, source), (t, target) in permutations(enumerate(self.tasks), 2):
            cells[s][t] = variance_components(self.pair(target, source), self.single(target, source), self.prior)
        names = [field.name for field in dataclasses.fields(VarianceComponents)]
        grids = {name: np.array([[getattr(cell, name) for cell in row] for row in cells]) for name in names}
        return VarianceComponents(**{**grids, "untested_reason": grids["untested_reason"].astype(object)})

    def covariance(self, t: int, estimand: Estimand = "population") -> FloatArray:
        """Of the errors of the gains into target ``t``, ``(n_tasks, n_tasks)`` by source; NaN where nothing is tested.

        Gains into a target share its test examples and its single runs; of matched baselines those whose partners are
        equally large, which are the same runs.
        """
        target, e, size = self.tasks[t], self.evidence, len(self.tasks)
        error = standard_error(e, estimand)
        moved: dict[int, FloatArray] = {}
        for s, source in enumerate(self.tasks):
            pair, single = self.pair(target, source), self.single(target, source)
            if pair and single and not np.isnan(e.s2_pair[s, t]):
                moved[s] = pair.mean_influence - single.mean_influence
        covariance = np.full((size, size), np.nan)
        for s, r in product(moved, repeat=2):
            single, other = (self.single(target, self.tasks[place]) for place in (s, r))
            shared = single is other or (self.baseline == "matched" and _same_runs(single, other))
            between = float(e.s2_single[s, t] / e.n_single[s, t]) if shared else 0.0
            if estimand == "population":
                twice = float(e.i_single[s, t] / e.n_single[s, t]) if shared else 0.0
                between += float(np.cov(moved[s], moved[r])[0, 1]) / len(moved[s]) - twice
            covariance[s, r] = error.variance[s, t] if s == r else between
        return covariance


def read_arms(study: Study, store: RunStore, by: Mapping[str, str] | None = None) -> Arms:
    """Every arm of a study's runs that are in the store, at the stage where its gains are read, but for the whole set.

    Parameters
    ----------
    by : mapping, optional
        Tasks and keys of ``METRICS``: these tasks alone, by these metrics. Default: all by their official ones.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    official = {card.name: card.metric for card in study.tasks}
    by = by or official
    found: dict[Key, Arm] = {}
    seeds: dict[Key, tuple[int, ...]] = {}
    read = (spec for spec in study.plan if (spec.stage == "finetune") == (study.evaluate_after == "finetune"))
    specs = sorted((spec for spec in read if spec.trained_as.arm != "full"), key=_condition)
    for (arm, names, targets, partner), group in groupby(specs, key=_condition):
        done = [run for run in map(store.get, group) if run]
        for target in (name for name in targets if name in by):
            of_test = f"{target}/test" + ("" if by[target] == official[target] else f"/{by[target]}")
            runs = [run for run in done if of_test in run.counts]  # an older version kept the official ones alone
            if not runs:
                continue
            key = (target, arm, partner or "".join(name for name in names if name != target))
            found[key] = arm_of(runs, of_test, by[target])
            seeds[key] = tuple(run.spec.seed for run in runs)
    baseline = "matched" if study.baseline == "compute-matched" else "single"
    return Arms(tuple(card.name for card in study.tasks), found, seeds, baseline)


def arm_of(runs: Sequence[RunResult], key: str, metric: str) -> Arm:
    """Of runs of one condition, by their counts under a key of ``RunResult.counts``."""
    return summarise(np.stack([run.counts[key] for run in runs]), METRICS[metric], runs[0].documents.get(key))


def _same_runs(one: Arm | None, other: Arm | None) -> bool:
    return one is not None and other is not None and np.array_equal(one.influence, other.influence)


def _condition(spec: RunSpec) -> tuple[str, tuple[str, ...], tuple[str, ...], str]:
    """The arm, the tasks that were trained together, the targets among them, and the partner of a matched run."""
    first = spec.trained_as
    return first.arm, first.task_names, spec.task_names, spec.partner[0] if spec.partner else ""
