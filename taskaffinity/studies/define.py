"""Define a study of a suite: its encoder, recipe and design. Nothing is trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

from taskaffinity.errors import InputError
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.group_arrows import GroupArrow
from taskaffinity.runs.limits import MOST_CONFIRM_SEEDS, PLACEBO_SEEDS
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Baseline, Design, EvaluateAfter, InitFrom, Study
from taskaffinity.schedule.resources import Resources
from taskaffinity.studies.check_balance import check_sampling, check_weights
from taskaffinity.studies.defaults import DEFAULT_ENCODERS, default_finetune, default_recipe, is_tiny
from taskaffinity.tasks.catalog import vocabulary
from taskaffinity.tasks.suite import Suite
from taskaffinity.training.encoders.load import Encoder, find_encoder, tiny_encoder
from taskaffinity.training.execute import prepare, versions
from taskaffinity.tuning.candidates import candidates
from taskaffinity.tuning.search import Search


class StudyDesign(TypedDict, total=False):
    """Fields of ``Study`` that choose its runs; omitted fields have the defaults of ``Study``."""

    seeds: Sequence[int]
    """Default: 0, 1 and 2."""
    seeds_single: Sequence[int]
    """Default: ``seeds``. The commands use more (``runs.plan.default_single_seeds``), because every arrow into a task
    is compared with its single-task runs."""
    baseline: Baseline
    single_recipes: Mapping[str, Recipe]
    """Recipes by task, for the baseline ``paper-single``."""
    evaluate_after: EvaluateAfter
    init_from: InitFrom
    controls: bool
    interim_seeds: Sequence[int]
    full: bool
    groups: Sequence[GroupArrow]
    design: Design


def define(
    suite: Suite,
    *,
    encoder: str | None = None,
    recipe: Recipe | None = None,
    finetune: Mapping[str, Recipe] | None = None,
    rule: Rule | None = None,
    **design: Unpack[StudyDesign],
) -> tuple[Study, Encoder]:
    """Define a study of a suite; also return its encoder.

    Parameters
    ----------
    encoder : str, optional
        Folder or hub id of a transformers encoder. Default: the paper's encoder for real text, a tiny encoder
        with random weights for synthetic text.
    recipe : Recipe, optional
        Default: ``default_recipe``.
    finetune : dict of task name to Recipe, optional
        Fine-tuning recipes, for the design ``full`` and for ``evaluate_after="finetune"``. Tasks that are not named use
        ``default_finetune``.
    rule : Rule, optional
        Rule of the verdicts; a sequential design stops by it.
    **design
        Fields of ``StudyDesign``.

    Raises
    ------
    InputError
        If the encoder is not available; if a file of the suite is broken; if choices contradict each other; if a seed
        is reserved for placebos or searches; if a fine-tuning recipe names an unknown task or has other test examples.

    Examples
    --------
    >>> from taskaffinity import load_suite
    >>> study, encoder = define(load_suite("clinical"), seeds=range(3), seeds_single=range(6))
    >>> len(study.plan), study.synthetic
    (42, True)
    """
    _check_choices(suite, design)
    seeds = tuple(design.pop("seeds", (0, 1, 2)))
    single = tuple(design.pop("seeds_single", ()) or seeds)
    if (last := max(*seeds, *single)) >= PLACEBO_SEEDS:
        raise InputError(
            f"--base-seed: seeds up to {last}; expected seeds below {PLACEBO_SEEDS}; larger ones are reserved"
        )
    recipe = recipe or default_recipe(suite, encoder)
    check_sampling(recipe, design)
    for how in (recipe, *(finetune or {}).values()):
        check_weights(how, suite)
    has_stages = design.get("design") == "full" or design.get("evaluate_after") == "finetune"
    _check_finetune(suite, recipe, finetune or {})
    resolved = encoder_of(suite, encoder)
    choices: dict[str, Any] = dict(design)
    choices |= {name: tuple(choices.get(name, ())) for name in ("interim_seeds", "groups")}
    study = Study(
        suite=suite.name,
        tasks=_cards_of(suite),
        encoder=resolved.ref,
        recipe=recipe,
        seeds=seeds,
        seeds_single=single,
        finetune={**default_finetune(suite, encoder, recipe), **(finetune or {})} if has_stages else {},
        synthetic=suite.synthetic,
        protocol=recipe.protocol or "honest",
        rule=rule or Rule(),
        versions=versions(),
        **choices,
    )
    return study, resolved


def _cards_of(suite: Suite) -> tuple[StudiedTask, ...]:
    return tuple(
        StudiedTask(
            name=task.name,
            title=task.title,
            kind=task.kind,
            metric=task.metric_name,
            fingerprint=task.fingerprint,
            sizes={split: len(task.examples[split]) for split in task.splits},
            has_test=task.has_test,
            reading=task.reading,
        )
        for task in suite
    )


def _check_choices(suite: Suite, design: StudyDesign) -> None:
    evaluate_after, init_from = design.get("evaluate_after", "joint"), design.get("init_from", "encoder")
    if design.get("interim_seeds") and (several := [task.name for task in suite if task.test_sets]):
        raise InputError(
            f"--sequential: task {several[0]} has several test sets, and a sequential design stops by one; leave "
            "--sequential or tests: out"
        )
    asked = [f"--evaluate-after {evaluate_after}"] * (evaluate_after != "joint")
    asked += [f"--init-from {init_from}"] * (init_from != "encoder")
    choices = {
        "the design full": design.get("design") == "full",
        "--sequential": bool(design.get("interim_seeds")),
        "--controls": design.get("controls", False),
        f"--baseline {design.get('baseline')}": design.get("baseline", "single") != "single",
    }
    others = [flag for flag, is_chosen in choices.items() if is_chosen]
    if asked and others:
        raise InputError(f"{asked[0]}: not with {others[0]}; leave one of them out")
    if init_from == "multitask" and len(suite) < 3:
        raise InputError(
            f"--init-from multitask: the whole set of {len(suite)} tasks is a pair; expected 3 tasks or more"
        )


def _check_finetune(suite: Suite, recipe: Recipe, finetune: Mapping[str, Recipe]) -> None:
    names = [task.name for task in suite]
    if unknown := [name for name in finetune if name not in names]:
        raise InputError(f"fine-tuning of {unknown[0]}, which is no task of {suite.name}; there are {', '.join(names)}")
    for how in finetune.values():
        if (how.max_eval_examples, how.sample_seed) != (recipe.max_eval_examples, recipe.sample_seed):
            raise InputError("fine-tuning has other test examples than earlier stages; give all stages the same")


def encoder_of(suite: Suite, encoder: str | None) -> Encoder:
    """Return the named encoder, or the default encoder of the suite.

    Raises
    ------
    InputError
        If it is not available.
    """
    if is_tiny(suite, encoder):
        return tiny_encoder(vocabulary(suite), cache_folder())
    if encoder is not None:
        return find_encoder(encoder)
    try:
        return find_encoder(DEFAULT_ENCODERS.get(suite.name, "bluebert-p"))
    except InputError as error:
        reason = str(error).removeprefix("--encoder ")
        raise InputError(f"the default encoder of this suite (give --encoder FOLDER for another): {reason}") from error


def with_resources(recipe: Recipe, resources: Resources) -> Recipe:
    """Set threads and device of the recipe; both are part of a run's identity.

    On a GPU the sums do not depend on CPU threads, so a run has one thread, whatever its number of CPUs.
    """
    if resources.gpus_per_run:
        return replace(recipe, threads=1, device="cuda")
    return replace(recipe, threads=resources.cpus_per_run, device="cpu")


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
    """Define a search of one recipe for all tasks of a suite; also return its encoder.

    The tokenized tasks are cached.

    Parameters
    ----------
    encoder, recipe : optional
        As in ``define``. Candidates vary this recipe.
    fixed : collection of str
        Settings that are not searched.
    samples : int
        Number of recipes to try besides the default.
    seed, finalists, confirm_seeds : int
        As in ``Search``.

    Raises
    ------
    InputError
        If no setting remains to be searched; if ``confirm_seeds`` exceeds ``MOST_CONFIRM_SEEDS``; if the encoder is not
        available, or the recipe does not fit it; if a file of the suite is broken.
    """
    if confirm_seeds > MOST_CONFIRM_SEEDS:
        raise InputError(f"--confirm-seeds {confirm_seeds}: expected {MOST_CONFIRM_SEEDS} or fewer")
    default = recipe or default_recipe(suite, encoder)
    check_weights(default, suite)
    recipes = candidates(default, samples, fixed=fixed, seed=seed)
    resolved = encoder_of(suite, encoder)
    prepare(suite.tasks, resolved, default, cache_folder())
    tasks = tuple(task.ref for task in suite)
    return Search(tasks, resolved.ref, recipes, seed, finalists, confirm_seeds), resolved
