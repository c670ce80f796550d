"""Plan the probes of a study: their length, cost and specs.

A probe continues a finished single-task run of its target for a few updates, with updates on one source in between. A
probe without a source is its baseline. Costs are in updates; the forward pass of an evaluation counts as a third of an
update.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from taskaffinity.errors import STRICT
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.sampling import examples_in_an_epoch
from taskaffinity.runs.spec import Probe, RunSpec
from taskaffinity.runs.study import Study
from taskaffinity.runs.used_settings import used_settings

REPEATS = 2
"""The largest number of probes per arrow, each from a single-task run with another seed."""
FEWEST, MOST = 20, 40
"""Updates on the target in a probe, and as many on the source. With fewer updates, a source is seldom learned in time
to show harm. One long probe is worth more than two short ones."""
LEARNED = 2 / 3
"""A source counts as learned from this share of its single-task dev score."""
LONGEST = 0.10
"""Longest probe, as a share of the updates of a run of the pair."""
WARMUP = 0.25
"""Share of a probe's first round in which the learning rate rises, for a pre-trained encoder."""
_FORWARD = 1 / 3


@dataclass(frozen=True)
class ProbeDesign:
    """Length and number of the probes of a study."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    steps: Annotated[int, Field(ge=FEWEST, le=MOST)]
    """Updates on the target per round, and as many on the source."""
    repeats: Annotated[int, Field(ge=1, le=REPEATS)]
    """Probes per arrow."""
    share: Annotated[float, Field(gt=0, le=1)]
    """Expected cost of one round of all probes, as a share of the training of all pairs."""


class Costs:
    """Cost in updates of the runs of a study."""

    def __init__(self, study: Study) -> None:
        self._study = study
        recipe = study.recipe
        caps = {"train": recipe.max_train_examples, "dev": recipe.max_dev_examples or recipe.max_eval_examples}
        self._batches: dict[str, dict[str, int]] = {
            split: {
                task.name: math.ceil(min(task.sizes.get(split, 1), cap or task.sizes.get(split, 1)) / recipe.batch_size)
                for task in study.tasks
            }
            for split, cap in caps.items()
        }
        trained, size = self._batches["train"], recipe.batch_size
        for name, n in trained.items():
            trained[name] = math.ceil(examples_in_an_epoch(n * size, recipe.sampling) / size)

    def updates(self, names: Sequence[str]) -> int:
        """Return the updates of a run of these tasks, without evaluations."""
        return self._study.recipe.num_train_epochs * sum(self._batches["train"][name] for name in names)

    def evaluation(self, name: str) -> float:
        """Return the cost of one evaluation of dev."""
        return _FORWARD * self._batches["dev"][name]

    def of_pairs(self) -> float:
        """Cost of all runs of all pairs: updates, and dev after each epoch."""
        epochs, names = self._study.recipe.num_train_epochs, [task.name for task in self._study.tasks]
        of_one_seed = sum(
            self.updates(pair) + epochs * sum(map(self.evaluation, pair)) for pair in combinations(names, 2)
        )
        return len(self._study.seeds) * of_one_seed

    def of_probe(self, target: str, source: str | None, updates: int, rounds: int = 1) -> float:
        """Return the cost of a probe with this number of updates in all.

        It has two readouts of the target, and one of the source per round.
        """
        return updates + 2 * self.evaluation(target) + (rounds * self.evaluation(source) if source else 0.0)

    def most_rounds(self, target: str, source: str, steps: int) -> int:
        """Return the rounds of the longest probe of an arrow, with ``steps`` updates of each task per round."""
        return max(1, int(LONGEST * self.updates((target, source)) / (2 * steps)))

    def of_probes(self, steps: int, repeats: int) -> float:
        """Return the cost of one round of all probes of a study, baselines included."""
        names = [task.name for task in self._study.tasks]
        arrows = sum(self.of_probe(target, source, 2 * steps) for target, source in permutations(names, 2))
        return repeats * (arrows + sum(self.of_probe(name, None, steps) for name in names))


def design_of(study: Study, budget: float) -> ProbeDesign | None:
    """Return the longest probes within a budget, two per arrow if possible.

    The result is None if the budget is too small for any probe.

    Parameters
    ----------
    budget : float
        Share of the cost of all pairs.
    """
    costs = Costs(study)
    whole = costs.of_pairs()
    for steps in range(MOST, FEWEST - 1, -1):
        for repeats in range(min(REPEATS, len(study.single_seeds)), 0, -1):
            share = costs.of_probes(steps, repeats) / whole
            if share <= budget:
                return ProbeDesign(steps, repeats, share)
    return None


def longest_probes(study: Study, design: ProbeDesign) -> tuple[int, float]:
    """Return the rounds of the longest probe, and a bound of the cost of all probes.

    The cost is a share of the cost of all pairs, as if no source was learned early. It exceeds a budget that only
    pays for one round. Probes of several rounds may each need a baseline of their own.
    """
    costs, cost = Costs(study), 0.0
    arrows = list(permutations([task.name for task in study.tasks], 2))
    rounds = {arrow: costs.most_rounds(*arrow, design.steps) for arrow in arrows}
    if max(rounds.values()) == 1:
        return 1, design.share
    for (target, source), n in rounds.items():
        cost += costs.of_probe(target, source, 2 * n * design.steps, n) + costs.of_probe(target, None, n * design.steps)
    return max(rounds.values()), design.repeats * cost / costs.of_pairs()


def least_budget(study: Study) -> float:
    """Return the cost of the shortest probes, as a share of the cost of all pairs."""
    costs = Costs(study)
    return costs.of_probes(FEWEST, 1) / costs.of_pairs()


def singles_to_probe(study: Study, repeats: int) -> dict[tuple[str, int], RunSpec]:
    """Return the single-task runs that probes continue, by task and seed."""
    seeds = study.single_seeds[:repeats]
    return {
        (spec.task_names[0], spec.seed): spec
        for spec in study.plan
        if spec.arm == "single" and spec.seed in seeds and spec.parent is None
    }


def probes_of(
    study: Study, design: ProbeDesign, singles: Mapping[tuple[str, int], RunSpec], dev: Mapping[tuple[str, int], float]
) -> Iterator[RunSpec]:
    """Yield the probes of every arrow between tasks that have a finished single-task run.

    Parameters
    ----------
    singles : mapping of RunSpec
        ``singles_to_probe``.
    dev : mapping of float
        Dev scores of the finished ones, as fractions, by task and seed.
    """
    costs = Costs(study)
    refs = dict(study.refs)
    for (target, seed), parent in singles.items():
        for source in refs:
            if source == target or (source, seed) not in dev or (target, seed) not in dev:
                continue
            rounds = costs.most_rounds(target, source, design.steps)
            probe = Probe(
                target_steps=design.steps,
                source_steps=design.steps,
                most_rounds=rounds,
                source_goal=round(LEARNED * max(0.0, dev[source, seed]), 6),
                warmup=_warmup(study),
            )
            recipe = _recipe(study, target, source)
            yield replace(
                parent, recipe=recipe, parent=parent, variant="probe", partner=(source, refs[source]), probe=probe
            )


def target_only(probe: RunSpec, rounds: int) -> RunSpec:
    """Return the probe without a source for the first ``rounds`` of ``probe``.

    Its target has the same updates.
    """
    assert probe.probe is not None
    assert probe.parent is not None  # the spec of a probe
    steps = replace(probe.probe, source_steps=0, most_rounds=rounds, source_goal=-1.0)
    return replace(probe, recipe=probe.parent.recipe, partner=None, probe=steps)


def updates_of(probe: Probe, rounds: int) -> int:
    """Return the updates of a number of rounds."""
    return rounds * (probe.target_steps + probe.source_steps)


def _recipe(study: Study, *names: str) -> Recipe:
    """Return the recipe of joint training, with the settings that these tasks use.

    A probe draws its mini-batches by its own design.
    """
    recipe = replace(study.recipe, sampling=None) if study.recipe.sampling is not None else study.recipe
    return used_settings(recipe, names, {task.name: task.kind for task in study.tasks})


def _warmup(study: Study) -> float:
    return 0.0 if study.synthetic else WARMUP
