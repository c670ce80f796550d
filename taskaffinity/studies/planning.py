"""Plan a study from options; all checks precede the first training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from taskaffinity.errors import InputError
from taskaffinity.runs.group_arrows import parse_groups
from taskaffinity.runs.plan import default_single_seeds
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.study import Study
from taskaffinity.schedule.resources import Resources
from taskaffinity.studies.check_options import (
    admission_bound,
    check_full_options,
    check_pairwise_options,
    check_train_options,
    encoder_names,
    interim_seeds,
)
from taskaffinity.studies.compatibility import check_study, describe_replaced
from taskaffinity.studies.data_facts import data_lines, find_leaks, with_data_facts
from taskaffinity.studies.defaults import (
    default_finetune,
    default_recipe,
    default_single,
    is_tiny,
    scored_by_protocol,
)
from taskaffinity.studies.define import define, with_resources
from taskaffinity.studies.folders import check_compared, encoder_folders, results_folder
from taskaffinity.studies.listener import Listener
from taskaffinity.studies.options import FullOptions, PairwiseOptions, SuiteOptions, TrainOptions
from taskaffinity.studies.planned import PlannedStudy
from taskaffinity.studies.precision import settle_precision
from taskaffinity.studies.resources import resolve_resources
from taskaffinity.studies.settings import Settings, apply_settings, make_rule
from taskaffinity.studies.stored_arms import with_stored_arms
from taskaffinity.studies.targets import with_recorded_targets
from taskaffinity.tasks.suite import Suite
from taskaffinity.training.encoders.load import Encoder


def plan_pairwise(suite: Suite, options: PairwiseOptions, listener: Listener, *, dry_run: bool = False) -> PlannedStudy:
    """Plan and check the pairwise study of these options.

    Parameters
    ----------
    dry_run : bool
        Whether the study will not be trained. Then other processes ignore the precision that this call chooses.

    Raises
    ------
    InputError
    """
    settings = check_pairwise_options(options)
    suite = scored_by_protocol(suite, options.protocol)
    root = results_folder(options.output_dir, suite, options.suite_file)
    resources = _resources(options, is_tiny(suite, options.encoder))
    recipe = _recipe(suite, options.encoder, options, resources, settings)
    analyses = interim_seeds(options) if options.sequential else ()
    n_seeds = analyses[-1] if analyses else options.seeds
    n_single = options.seeds_single or default_single_seeds(len(suite), n_seeds)
    presets = default_finetune(suite, options.encoder, recipe) if options.evaluate_after == "finetune" else {}
    first = options.base_seed
    rule_options = (options.alpha, options.margin, options.correction, options.estimand, options.test)
    study, encoder = define(
        suite,
        encoder=options.encoder,
        recipe=recipe,
        seeds=range(first, first + n_seeds),
        seeds_single=range(first, first + n_single),
        baseline=options.baseline,
        single_recipes=_single_recipes(suite, options, recipe, settings),
        evaluate_after=options.evaluate_after,
        init_from=options.init_from,
        finetune={name: apply_settings(preset, settings.finetune) for name, preset in presets.items()},
        controls=options.controls,
        interim_seeds=analyses,
        full=options.full,
        groups=parse_groups(options.groups, [task.name for task in suite]),
        rule=make_rule(*rule_options, metrics=[task.metric_name for task in suite]),
    )
    if options.by_estimates:
        from taskaffinity.studies.admission import with_admission  # pandas: only if it is needed

        study = with_admission(study, root, admission_bound(options), replaces=options.overwrite)
    asked = [(study, encoder)]
    [planned] = _settled(suite, asked, [root], resources, options, settings, listener, dry_run=dry_run)
    if options.by_estimates:
        from taskaffinity.analysis.estimates.admission import describe_admission  # as above
        from taskaffinity.studies.admission import check_admitting_estimates  # as above

        check_admitting_estimates(planned.study, root, replaces=options.overwrite)
        for line in describe_admission(planned.study):
            listener.notice(line)
    return planned


def plan_full(suite: Suite, options: FullOptions, listener: Listener, *, dry_run: bool = False) -> list[PlannedStudy]:
    """Plan and check the studies in stages of these options, one per encoder.

    Raises
    ------
    InputError
        As ``plan_pairwise``.
    """
    settings = check_full_options(options)
    suite = scored_by_protocol(suite, options.protocol)
    rule = make_rule(options.alpha, estimand=options.estimand, test=options.test)
    names = encoder_names(options)
    folder = results_folder(options.output_dir, suite, options.suite_file)
    resources = _resources(options, all(is_tiny(suite, name) for name in names))
    asked = []
    for name in names:
        recipe = _recipe(suite, name, options, resources, settings)
        presets = default_finetune(suite, name, recipe)
        asked.append(
            define(
                suite,
                encoder=name,
                recipe=recipe,
                seeds=range(options.base_seed, options.base_seed + options.seeds),
                design="full",
                baseline=options.baseline,
                single_recipes=_single_recipes(suite, options, recipe, settings),
                finetune={task: apply_settings(preset, settings.finetune) for task, preset in presets.items()},
                rule=rule,
            )
        )
    roots = [folder] if options.encoders is None else encoder_folders(folder, [study.encoder for study, _ in asked])
    if options.encoders is not None and not options.overwrite:
        check_compared(folder, [study.encoder for study, _ in asked])
    return _settled(suite, asked, roots, resources, options, settings, listener, dry_run=dry_run)


def plan_train(suite: Suite, options: TrainOptions, listener: Listener, *, dry_run: bool = False) -> PlannedStudy:
    """Plan and check the joint training of these options.

    Raises
    ------
    InputError
        Also if the paper's protocol, which trains on dev, is asked for a task without a test part.
    """
    settings = check_train_options(options)
    if options.protocol == "paper" and (without := [task.name for task in suite if not task.has_test]):
        raise InputError(f"--protocol paper: trains on the dev part, and {without[0]} has no test part to score")
    suite = scored_by_protocol(suite, options.protocol)
    root = results_folder(options.output_dir, suite, options.suite_file)
    resources = _resources(options, is_tiny(suite, options.encoder))
    recipe = _recipe(suite, options.encoder, options, resources, settings)
    finetunes = options.evaluate_after == "finetune"
    presets = default_finetune(suite, options.encoder, recipe) if finetunes else {}
    asked = define(
        suite,
        encoder=options.encoder,
        recipe=recipe,
        seeds=range(options.base_seed, options.base_seed + options.seeds),
        design="train",
        evaluate_after=options.evaluate_after,
        finetune={task: apply_settings(preset, settings.finetune) for task, preset in presets.items()},
    )
    [planned] = _settled(suite, [asked], [root], resources, options, settings, listener, dry_run=dry_run)
    return planned


def _resources(options: SuiteOptions, is_tiny: bool) -> Resources:
    return resolve_resources(
        options.executor, options.cpus_per_run, options.gpus_per_run, options.address, is_tiny=is_tiny
    )


def _recipe(
    suite: Suite, encoder: str | None, options: SuiteOptions, resources: Resources, settings: Settings
) -> Recipe:
    default = with_resources(default_recipe(suite, encoder, options.protocol), resources)
    return apply_settings(default, settings.all_stages)


def _single_recipes(
    suite: Suite, options: PairwiseOptions | FullOptions, recipe: Recipe, settings: Settings
) -> dict[str, Recipe]:
    """Return the recipes of single-task runs that differ from the study's recipe, by task."""
    return default_single(suite, recipe, settings.all_stages) if options.baseline == "paper-single" else {}


def _measures_precision(suite: Suite, encoder: str | None, options: SuiteOptions, settings: Settings) -> bool:
    """Whether a trial chooses the precision.

    It does if ``precision=auto`` is set, or if no precision is set. There are two exceptions: bf16 does not speed up
    the tiny encoder, and the paper's protocol trains in fp32.
    """
    if "precision" in settings.all_stages:
        return settings.measures_precision
    return "precision" not in settings.finetune and not is_tiny(suite, encoder) and options.protocol != "paper"


def _settled(
    suite: Suite,
    asked: Sequence[tuple[Study, Encoder]],
    roots: Sequence[Path],
    resources: Resources,
    options: SuiteOptions,
    settings: Settings,
    listener: Listener,
    *,
    dry_run: bool,
) -> list[PlannedStudy]:
    """Return the studies with their precision, checked against their results folders."""
    first = options.encoder if not isinstance(options, FullOptions) else encoder_names(options)[0]
    checks: dict[str, Any] = {"keep_models": options.keep_models, "replaces": options.overwrite}
    notes: list[str] = []
    if not options.overwrite and "similarity_targets" not in {*settings.all_stages, *settings.finetune}:
        found = [with_recorded_targets(study, root) for (study, _), root in zip(asked, roots, strict=True)]
        asked = [(study, encoder) for (study, _), (_, encoder) in zip(found, asked, strict=True)]
        notes += dict.fromkeys(line for _, lines in found for line in lines)
    if not options.overwrite:
        found = [with_stored_arms(study, root) for (study, _), root in zip(asked, roots, strict=True)]
        asked = [(study, encoder) for (study, _), (_, encoder) in zip(found, asked, strict=True)]
        notes += [line for _, lines in found for line in lines]
    studies, of_precision = settle_precision(
        asked,
        roots,
        suite,
        measured=_measures_precision(suite, first, options, settings),
        dry_run=dry_run,
        notice=listener.notice,
        **checks,
    )
    for (study, encoder), root in zip(studies, roots, strict=True):
        check_study(study, suite, encoder, root, **checks)
        for line in () if options.overwrite else describe_replaced(study, root):
            listener.warn(line)
    notes += of_precision
    for line in notes:
        listener.notice(line)
    leaked = find_leaks(suite, options.suite_file)
    planned = []
    for (study, encoder), root in zip(studies, roots, strict=True):
        known = with_data_facts(study, suite, encoder, root, leaked)
        lines = data_lines(known, suite, options.suite_file)
        planned.append(PlannedStudy(known, suite, encoder, root, resources, replace(options), tuple(lines)))
    if not dry_run:
        for line in (f"{task.name}: {note}" for task in suite.tasks for note in task.notes):
            listener.warn(line)
        for line in dict.fromkeys(line for one in planned for line in one.cautions):
            listener.warn(line)
    return planned
