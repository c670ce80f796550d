"""What is asked: a study of a suite, its encoder found and its recipe settled. Nothing is trained here,
and no results folder is touched.

What the command line's ``pairwise`` and ``full`` call, and what a script may.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from taskaffinity.errors import InputError
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.study import PLACEBO_SEEDS, Baseline, Design, EvaluateAfter, InitFrom, StudiedTask, Study
from taskaffinity.schedule.resources import Resources
from taskaffinity.studies.defaults import DEFAULT_ENCODERS, default_finetune, default_recipe, is_tiny
from taskaffinity.tasks.catalog import vocabulary
from taskaffinity.tasks.task import Suite
from taskaffinity.training.encoders import Encoder, find_encoder, tiny_encoder
from taskaffinity.training.execute import prepare, versions
from taskaffinity.tuning.candidates import candidates
from taskaffinity.tuning.search import MOST_CONFIRM_SEEDS, Search


def define(
    suite: Suite,
    *,
    encoder: str | None = None,
    recipe: Recipe | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    seeds_single: Sequence[int] | None = None,
    baseline: Baseline = "single",
    evaluate_after: EvaluateAfter = "joint",
    init_from: InitFrom = "encoder",
    controls: bool = False,
    interim_seeds: Sequence[int] = (),
    full: bool = False,
    design: Design = "pairwise",
    finetune: Mapping[str, Recipe] | None = None,
    rule: Rule | None = None,
) -> tuple[Study, Encoder]:
    """A study of a suite, and where its encoder lies.

    Parameters
    ----------
    encoder : str, optional
        Folder or hub id of a transformers encoder. Default: the paper's for real data, a tiny one without weights for
        a planted suite.
    recipe : Recipe, optional
        Default: ``default_recipe``.
    seeds, seeds_single : sequence of int
        Of every pair and of every task alone; by default both have the same. The command line asks for more alone
        (``runs.plan.default_single_seeds``), for all arrows are measured against these.
    baseline : {"single", "compute-matched"}
        The single-task run that a pair is compared with: with as many updates on the target, or with as many updates
        as the pair has in all.
    evaluate_after : {"joint", "finetune"}
        When both arms are evaluated: as trained, or after each was fine-tuned on the target.
    init_from : {"encoder", "multitask"}
        Where single-task runs and pairs start: from the encoder, or from the multi-task model of the whole set.
    controls : bool
        Whether every task has a placebo and a positive control.
    interim_seeds : sequence of int
        Of a race: seeds a pair at which its arrows are looked at, the last of them all ``seeds``; none for a fixed
        design.
    full : bool
        Whether the whole set is trained together too.
    design : str
        ``pairwise``: every task alone and every pair. ``full``: every task alone, the whole set, and from there every
        task fine-tuned.
    finetune : dict of task name to Recipe, optional
        Of the design ``full`` and of the stage ``finetune``. Default, also of tasks that are left out:
        ``default_finetune``.
    rule : Rule, optional
        When an arrow is coloured, and by which a race decides where to go on.

    Raises
    ------
    InputError
        If the encoder cannot be had, or a file of the suite is broken; if stage or start do not go with another choice;
        if a seed is one of placebos or searches; if a recipe for fine-tuning is of no task of the suite, or has other
        test examples.

    Examples
    --------
    >>> from taskaffinity import find_suite
    >>> study, encoder = define(find_suite("clinical"), seeds=range(3), seeds_single=range(6))
    >>> len(study.plan), study.synthetic
    (42, True)
    """
    _refuse_to_combine(
        suite,
        evaluate_after,
        init_from,
        {
            "the design full": design == "full",
            "--sequential": interim_seeds,
            "--controls": controls,
            "--baseline compute-matched": baseline == "compute-matched",
        },
    )
    if (last := max(*seeds, *(seeds_single or seeds))) >= PLACEBO_SEEDS:
        raise InputError(f"--base-seed: seeds up to {last}; expected them below {PLACEBO_SEEDS}, where others' begin")
    recipe = recipe or default_recipe(suite, encoder)
    has_stages = design == "full" or evaluate_after == "finetune"
    _refuse_to_finetune(suite, recipe, finetune or {})
    found = encoder_of(suite, encoder)
    study = Study(
        suite=suite.name,
        tasks=_cards_of(suite),
        encoder=found.ref,
        recipe=recipe,
        seeds=tuple(seeds),
        seeds_single=tuple(seeds_single or seeds),
        baseline=baseline,
        evaluate_after=evaluate_after,
        init_from=init_from,
        controls=controls,
        interim_seeds=tuple(interim_seeds),
        full=full,
        design=design,
        finetune={**default_finetune(suite, encoder, recipe), **(finetune or {})} if has_stages else {},
        synthetic=suite.synthetic,
        protocol=recipe.protocol or "honest",
        rule=rule or Rule(),
        versions=versions(),
    )
    return study, found


def _cards_of(suite: Suite) -> tuple[StudiedTask, ...]:
    return tuple(
        StudiedTask(
            name=task.name,
            title=task.title,
            kind=task.kind,
            metric=task.metric_name,
            fingerprint=task.fingerprint,
            sizes={split: len(examples) for split, examples in task.examples.items()},
        )
        for task in suite
    )


def _refuse_to_combine(
    suite: Suite, evaluate_after: EvaluateAfter, init_from: InitFrom, choices: Mapping[str, object]
) -> None:
    asked = [f"--evaluate-after {evaluate_after}"] * (evaluate_after != "joint")
    asked += [f"--init-from {init_from}"] * (init_from != "encoder")
    others = [flag for flag, is_chosen in choices.items() if is_chosen]
    if asked and others:
        raise InputError(f"{asked[0]}: not with {others[0]}; leave one of them out")
    if init_from == "multitask" and len(suite) < 3:
        raise InputError(
            f"--init-from multitask: the whole set of {len(suite)} tasks is no more than a pair; expected 3 or more"
        )


def _refuse_to_finetune(suite: Suite, recipe: Recipe, finetune: Mapping[str, Recipe]) -> None:
    names = [task.name for task in suite]
    if unknown := [name for name in finetune if name not in names]:
        raise InputError(f"fine-tuning of {unknown[0]}, which is no task of {suite.name}; there are {', '.join(names)}")
    for how in finetune.values():
        if (how.max_eval_examples, how.sample_seed) != (recipe.max_eval_examples, recipe.sample_seed):
            raise InputError("fine-tuning has other test examples than the stages before it; give all the same")


def encoder_of(suite: Suite, encoder: str | None) -> Encoder:
    """The encoder that was named, or the suite's own.

    Raises
    ------
    InputError
        If it cannot be had.
    """
    if is_tiny(suite, encoder):
        return tiny_encoder(vocabulary(suite), cache_folder())
    if encoder is not None:
        return find_encoder(encoder)
    try:
        return find_encoder(DEFAULT_ENCODERS.get(suite.name, "bluebert-p"))
    except InputError as error:
        said = str(error).removeprefix("--encoder ")
        raise InputError(f"the default encoder of this suite (give --encoder FOLDER for another): {said}") from error


def with_resources(recipe: Recipe, resources: Resources) -> Recipe:
    """The recipe for where its runs will go: threads and device are part of what identifies a run."""
    return replace(recipe, threads=resources.cpus_per_run, device="cuda" if resources.gpus_per_run else "cpu")


def define_search(
    suite: Suite,
    *,
    encoder: str | None = None,
    recipe: Recipe | None = None,
    fixed: Collection[str] = (),
    samples: int = 12,
    seed: int = 0,
    finalists: int = 3,
    confirm_seeds: int = 2,
) -> tuple[Search, Encoder]:
    """A search of the recipe by which a suite's tasks are trained well alone, and where its encoder lies. The encoded
    corpora are cached.

    Parameters
    ----------
    encoder, recipe : optional
        As in ``define``; the recipe is the default that candidates are drawn around.
    fixed : collection of str
        Settings that are left as it has them.
    samples : int
        Recipes to try beside it.
    seed, finalists, confirm_seeds : int
        As in ``Search``.

    Raises
    ------
    InputError
        If nothing is left to search, there are more than ``MOST_CONFIRM_SEEDS``, the encoder cannot be had or the
        recipe does not fit it, or a file of the suite is broken.
    """
    if confirm_seeds > MOST_CONFIRM_SEEDS:
        raise InputError(f"--confirm-seeds {confirm_seeds}: above {MOST_CONFIRM_SEEDS}, where the next search's begin")
    default = recipe or default_recipe(suite, encoder)
    tried = candidates(default, samples, fixed=fixed, seed=seed)
    found = encoder_of(suite, encoder)
    prepare(suite.tasks, found, default, cache_folder())
    tasks = tuple(task.ref for task in suite)
    return Search(tasks, found.ref, tried, seed, finalists, confirm_seeds), found
