"""The arms of a study: every task under every condition that it was trained in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.collapse import find_collapsed
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.statistics.seed_variance import RAW, Prior, StudyPrior, fit_prior, fit_study_prior
from taskaffinity.analysis.statistics.standard_errors import (
    VarianceComponents,
    standard_error,
    untested,
    variance_components,
)
from taskaffinity.runs.rule import Estimand, Rule, Test

Key = tuple[str, str, str]
"""Target, arm (``RunSpec.arm``; of a fine-tuned run its parent's) and partner (empty without one)."""

BASELINES = ("single", "matched", "half")
"""Arms that others are compared with."""


@dataclass(frozen=True)
class Arms:
    """Every arm that has a run, without its counts."""

    tasks: tuple[str, ...]
    by_key: Mapping[Key, Arm]
    seeds: Mapping[Key, tuple[int, ...]]
    """Seeds of each arm's runs, in the order of the runs."""
    baseline: str = "single"
    """Arm that pairs are compared with: ``single``, or ``matched`` (as many updates in total)."""
    test: Test = "behrens-fisher"
    """Test of the rule: it decides which prior the variances over seeds have."""
    estimand: Estimand = "population"
    """Estimand of the rule: gains on other test sets need enough documents."""
    studies: Mapping[Key, str] = dataclasses.field(default_factory=dict)
    """Study of each arm, if the arms are of several: collapsed runs are found within a target and a study."""

    def single_task(self, target: str) -> Arm | None:
        return self.by_key.get((target, "single", ""))

    def pair(self, target: str, source: str) -> Arm | None:
        return self.by_key.get((target, "pair", source))

    def single(self, target: str, source: str) -> Arm | None:
        """Return the baseline of the pair with ``source``."""
        return self.by_key.get(self.baseline_of(target, source))

    def baseline_of(self, target: str, source: str) -> Key:
        """Return the key of the baseline of the pair with ``source``."""
        return target, self.baseline, source if self.baseline == "matched" else ""

    @cached_property
    def of_target(self) -> Mapping[str, Mapping[Key, Arm]]:
        """The arms of each target that has one."""
        found: dict[str, dict[Key, Arm]] = {}
        for key, arm in self.by_key.items():
            found.setdefault(key[0], {})[key] = arm
        return found

    def n_test(self, target: str) -> int:
        """Return the number of test examples; 0 without a run."""
        return max((arm.n_examples for arm in self.of_target.get(target, {}).values()), default=0)

    def n_documents(self, target: str) -> int:
        """Return the number of test documents; an example of unknown document counts as one. 0 without a run."""
        return max((arm.n_documents for arm in self.of_target.get(target, {}).values()), default=0)

    def effective_documents(self, target: str) -> float:
        """Return the effective number of test documents (``Arm.effective_documents``); 0 without a run."""
        return max((arm.effective_documents for arm in self.of_target.get(target, {}).values()), default=0.0)

    def only(self, seeds_of: Callable[[Key], Collection[int]]) -> Arms:
        """Return the arms with the runs of the seeds in ``seeds_of(key)`` only."""
        by_key, seeds = {}, {}
        for key, arm in self.by_key.items():
            wanted = set(seeds_of(key))
            places = [place for place, seed in enumerate(self.seeds[key]) if seed in wanted]
            if places:
                by_key[key] = arm if len(places) == arm.n_runs else arm.of_runs(places)
                seeds[key] = tuple(self.seeds[key][place] for place in places)
        return dataclasses.replace(self, by_key=by_key, seeds=seeds)

    @cached_property
    def collapsed(self) -> dict[Key, npt.NDArray[np.bool_]]:
        """Which runs of each arm are collapsed."""
        pools: dict[tuple[str, str], dict[Key, Arm]] = {}
        for key, arm in self.by_key.items():
            pools.setdefault((key[0], self.studies.get(key, "")), {})[key] = arm
        found: dict[Key, npt.NDArray[np.bool_]] = {}
        for arms in pools.values():
            scores = {key: arm.scores for key, arm in arms.items()}
            found |= find_collapsed(scores, {key: arm.constant for key, arm in arms.items()})
        return found

    @cached_property
    def trained(self) -> Arms:
        """The arms without their collapsed runs."""
        if not any(flags.any() for flags in self.collapsed.values()):
            return self
        seeds = {key: np.asarray(self.seeds[key])[~flags] for key, flags in self.collapsed.items()}
        return self.only(lambda key: [int(seed) for seed in seeds[key]])

    def _collapse(self, pair: Key, single: Key) -> dict[str, float]:
        """Return the fields of ``VarianceComponents`` on the collapsed runs of two arms."""
        count, mean = {}, {}
        for key in (pair, single):
            flags = self.collapsed.get(key, np.ones(0, dtype=np.bool_))
            count[key] = float(flags.sum())
            mean[key] = math.nan if flags.all() else self.trained.by_key[key].mean_score
        gain = mean[pair] - mean[single]
        return {"collapsed_pair": count[pair], "collapsed_single": count[single], "gain_trained": gain}

    @cached_property
    def prior(self) -> StudyPrior:
        """Priors of the variance over seeds, from all arms of arrows.

        Controls and collapsed runs do not contribute.
        """
        used: dict[Key, Arm] = {}
        for key, arm in (self if self.test == "satterthwaite" else self.trained).by_key.items():
            known = key[1] == "matched" and any(_same_runs(arm, other) for other in used.values())
            if key[1] in ("pair", self.baseline) and not known:
                used[key] = arm
        return prior_of(used, self.test)

    def prior_for(self, key: Key) -> Prior:
        """Return the prior of an arm: of its target's baselines or pairs, and none if a run is collapsed."""
        if self.test != "satterthwaite" and key in self.collapsed and self.collapsed[key].any():
            return RAW
        return self.prior.of(key[0], key[1] in BASELINES)

    @cached_property
    def evidence(self) -> VarianceComponents:
        """Gains and variances of every arrow; arrays ``[source, target]``."""
        size = len(self.tasks)
        cells = [[untested("") for _ in range(size)] for _ in range(size)]
        for (s, source), (t, target) in permutations(enumerate(self.tasks), 2):
            keys = (target, "pair", source), self.baseline_of(target, source)
            pair, single = map(self.by_key.get, keys)
            prior_pair, prior_single = map(self.prior_for, keys)
            found = variance_components(pair, single, prior_pair, prior_single, self.estimand)
            cells[s][t] = found.map(self._collapse(*keys))
        names = [field.name for field in dataclasses.fields(VarianceComponents)]
        grids = {name: np.array([[getattr(cell, name) for cell in row] for row in cells]) for name in names}
        return VarianceComponents(**{**grids, "untested_reason": grids["untested_reason"].astype(object)})

    def covariance(self, t: int) -> FloatArray:
        """Return the covariances of the errors of the gains into target ``t``.

        Gains into a target share its test examples and its single-task runs. Compute-matched baselines share their
        runs if the partners are equally large.

        Returns
        -------
        (n_tasks, n_tasks)
            By source; NaN for an untested arrow.
        """
        target, e, size = self.tasks[t], self.evidence, len(self.tasks)
        error = standard_error(e, self.estimand, self.test)
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
            if self.estimand == "population":
                twice = float(e.i_single[s, t] / e.n_single[s, t]) if shared else 0.0
                between += float(np.cov(moved[s], moved[r])[0, 1]) / len(moved[s]) - twice
            covariance[s, r] = error.variance[s, t] if s == r else between
        return covariance


def arms_of(by_key: Mapping[Key, Arm], rule: Rule, studies: Mapping[Key, str] | None = None) -> Arms:
    """Return the arms of comparisons that are no arrows.

    The kind of a baseline is ``single``; the arm that is compared with it is ``pair``. ``studies`` names the study of
    each arm if there are several.
    """
    seeds = {key: tuple(range(arm.n_runs)) for key, arm in by_key.items()}
    names = tuple(dict.fromkeys(key[0] for key in by_key))
    return Arms(names, by_key, seeds, test=rule.test, estimand=rule.estimand, studies=studies or {})


def check_estimand(arms: Arms) -> None:
    """Raise ``ValueError`` for a gain on other test sets if only scores are known and no example."""
    if arms.estimand == "population" and any(arm.step is not None for arm in arms.by_key.values()):
        raise ValueError("estimand population: only scores are known, and no predictions; expected test-set")


def prior_of(arms: Mapping[Key, Arm], test: Test) -> StudyPrior:
    """Return the priors of the variance over seeds that these arms give, by the test of a rule."""
    used = {key: arm for key, arm in arms.items() if arm.n_runs > 1 and arm.scores.any() and arm.step != 0}
    ratios, degrees = [arm.s2 / arm.unit for arm in used.values()], [arm.n_runs - 1 for arm in used.values()]
    if test == "satterthwaite":
        return StudyPrior({}, fit_prior(ratios, degrees))
    return fit_study_prior(ratios, degrees, [key[0] for key in used], [key[1] in BASELINES for key in used])


def first_of_equal(arms: Arms) -> npt.NDArray[np.int64]:
    """Return the source of the first compute-matched baseline that has the same runs; indices ``[source, target]``.

    Partners with as many examples have equal runs. One arm may have more seeds than the other.
    """
    size = len(arms.tasks)
    first = np.tile(np.arange(size)[:, None], (1, size))
    for t, target in enumerate(arms.tasks):
        kept: dict[int, Arm] = {}
        for s, source in enumerate(arms.tasks):
            if one := arms.single(target, source):
                first[s, t] = next((place for place, other in kept.items() if _begin_equally(one, other)), s)
                kept.setdefault(int(first[s, t]), one)
    return first


def _begin_equally(one: Arm, other: Arm) -> bool:
    n = min(one.n_runs, other.n_runs)
    return np.array_equal(one.influence[:n], other.influence[:n])


def _same_runs(one: Arm | None, other: Arm | None) -> bool:
    return one is not None and other is not None and np.array_equal(one.influence, other.influence)
