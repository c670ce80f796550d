"""Make plans: ordered sets of run specs, parents before children."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

from taskaffinity.runs.group_arrows import GroupArrow
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec, TaskRef, Variant
from taskaffinity.runs.used_settings import OF_SOME_RUNS, used_settings


@dataclass(frozen=True)
class Plan:
    """Distinct specs in the given order, every parent before its children."""

    specs: tuple[RunSpec, ...]

    @classmethod
    def of(cls, specs: Iterable[RunSpec]) -> Plan:
        return cls(tuple(dict.fromkeys(one for spec in specs for one in (*spec.lineage, spec))))

    def __iter__(self) -> Iterator[RunSpec]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)

    def __contains__(self, spec: object) -> bool:
        return spec in self.specs

    def __or__(self, other: Plan) -> Plan:
        """Return the runs of both plans; shared runs appear once."""
        return Plan.of((*self.specs, *other.specs))


def without_unused_settings(plan: Plan, kinds: Mapping[str, str]) -> Plan:
    """Return the same runs, each with the settings of its recipe that it uses (``used_settings``).

    So the identity of a run does not depend on the other tasks of its study.

    Parameters
    ----------
    kinds : mapping of str
        The kind of each task.
    """
    if all(getattr(spec.recipe, name) is None for spec in plan for name in OF_SOME_RUNS):
        return plan
    recipes: dict[Recipe, Recipe] = {}
    runs: dict[RunSpec, RunSpec] = {}

    def needed(spec: RunSpec) -> RunSpec:
        if spec not in runs:
            recipe = used_settings(spec.recipe, spec.task_names, kinds)
            recipe = recipes.setdefault(recipe, recipe)
            runs[spec] = replace(spec, recipe=recipe, parent=needed(spec.parent) if spec.parent else None)
        return runs[spec]

    return Plan.of(map(needed, plan))


def pairwise(
    tasks: Sequence[TaskRef],
    encoder: EncoderRef,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    seeds_single: Sequence[int] | None = None,
    single_recipes: Mapping[str, Recipe] | None = None,
    full: bool = False,
) -> Plan:
    """Return the pairs for each of ``seeds``, and the single tasks for each of ``seeds_single``.

    ``full`` adds the multi-task run of all tasks. One run of a pair gives both of its arrows, so N tasks with S seeds
    per pair and B seeds per single task are ``B N + S N (N - 1) / 2`` runs. By default B is S. ``single_recipes`` are
    as in ``single_task_runs``.
    """
    tasks = sorted(tasks)
    singles = single_task_runs(tasks, encoder, recipe, seeds_single or seeds, single_recipes)
    pairs = Plan.of(RunSpec(pair, encoder, seed, recipe) for seed in seeds for pair in combinations(tasks, 2))
    return singles | pairs | (multitask_runs(tasks, encoder, recipe, seeds) if full else Plan(()))


def multitask_runs(tasks: Sequence[TaskRef], encoder: EncoderRef, recipe: Recipe, seeds: Sequence[int]) -> Plan:
    """Return the runs of all tasks together, one per seed. For two tasks this is their pair."""
    whole = tuple(sorted(tasks))
    return Plan.of(RunSpec(whole, encoder, seed, recipe) for seed in seeds)


def group_runs(
    tasks: Sequence[TaskRef],
    encoder: EncoderRef,
    recipe: Recipe,
    seeds: Sequence[int],
    arrows: Iterable[GroupArrow],
) -> Plan:
    """Both arms of group arrows, one run per arm and seed; an arm of one task is the baseline of the pairs."""
    sets = dict.fromkeys(names for arrow in arrows for names in (arrow.without_sources, arrow.with_sources))
    chosen = [[ref for ref in tasks if ref[0] in names] for names in sets if len(names) > 1]
    return Plan.of(spec for group in chosen for spec in multitask_runs(group, encoder, recipe, seeds))


def single_task_runs(
    tasks: Sequence[TaskRef],
    encoder: EncoderRef,
    recipe: Recipe,
    seeds: Sequence[int],
    recipes: Mapping[str, Recipe] | None = None,
) -> Plan:
    """Return the single-task runs, one per task and seed.

    Parameters
    ----------
    recipes : mapping of task name to Recipe, optional
        Recipes of tasks that are not trained with ``recipe``.
    """
    recipes = recipes or {}
    return Plan.of(
        RunSpec((task,), encoder, seed, recipes.get(task[0], recipe)) for seed in seeds for task in sorted(tasks)
    )


def finetuned(refinements: Iterable[RunSpec], recipes: Mapping[str, Recipe]) -> Plan:
    """Return the fine-tuning of every task of every refinement.

    It has the task's recipe and the refinement's seed.

    The plan also has the refinements; they come first.
    """
    return Plan.of(
        RunSpec((task,), parent.encoder, parent.seed, recipes[task[0]], parent=parent)
        for parent in refinements
        for task in parent.tasks
    )


def warm_started(runs: Iterable[RunSpec], refinements: Iterable[RunSpec]) -> tuple[RunSpec, ...]:
    """Return the runs, each started from the refinement of its seed, not the encoder."""
    of_seed = {refinement.seed: refinement for refinement in refinements}
    return tuple(replace(run, parent=of_seed[run.seed], variant="continued") for run in runs)


def compute_matched(tasks: Sequence[TaskRef], encoder: EncoderRef, recipe: Recipe, seeds: Sequence[int]) -> Plan:
    """Return single-task runs with as many updates as each pair: N (N - 1) runs per seed."""
    return Plan.of(
        RunSpec((target,), encoder, seed, recipe, variant="matched", partner=partner)
        for seed in seeds
        for target, partner in permutations(sorted(tasks), 2)
    )


def controls(
    tasks: Sequence[TaskRef],
    encoder: EncoderRef,
    recipe: Recipe,
    seeds: Sequence[int],
    placebo_seeds: Sequence[int],
) -> Plan:
    """Return the controls of each task, 3 N runs per seed.

    They are a placebo, one half of its data, and both halves as two tasks.

    A placebo with the seed of a single-task run would differ from it by dropout only, and would be no independent draw.
    Placebos therefore have other seeds.
    """
    variants: tuple[tuple[Variant, Sequence[int]], ...] = (
        ("placebo", placebo_seeds),
        ("half", seeds),
        ("halves", seeds),
    )
    return Plan.of(
        RunSpec((task,), encoder, seed, recipe, variant=variant)
        for variant, own_seeds in variants
        for seed in own_seeds
        for task in sorted(tasks)
    )


def default_single_seeds(n_tasks: int, n_seeds: int) -> int:
    """Return the seeds per single task: ``sqrt(N - 1)`` times ``n_seeds``, rounded up.

    All N - 1 arrows into a task share its single-task runs. This ratio gives the smallest error for a given number of
    runs (Dunnett 1955).
    """
    return math.ceil(n_seeds * math.sqrt(max(1, n_tasks - 1)) - 1e-9)
