"""``taskaffinity full``: every task alone, the whole set together, and from there every task fine-tuned."""

from __future__ import annotations

from typing import Annotated

import typer

from taskaffinity.cli.console.forecast import print_plan
from taskaffinity.cli.console.results import publish_stages_and_print, warn_of_leaks
from taskaffinity.cli.encoders import names_of, own_folders, train_each
from taskaffinity.cli.options.recipe import apply_settings, is_measured, merge_recipe_file, parse_settings
from taskaffinity.cli.options.rule import Alpha, EstimandOption, rule_of
from taskaffinity.cli.options.run import (
    Address,
    BaseSeed,
    CpusPerRun,
    Data,
    Domain,
    DryRun,
    EncoderOption,
    ExecutorName,
    ExecutorOption,
    GpusPerRun,
    KeepModels,
    KeepPredictions,
    ProtocolName,
    ProtocolOption,
    Quiet,
    RecipeOption,
    Replace,
    Results,
    SuiteFile,
    TrackOption,
    end_with,
    resources_of,
    results_folder,
    suite_file_kept,
    tell,
    tracker_of,
    train_and_show,
)
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule.resources import RunOptions
from taskaffinity.studies.defaults import default_finetune, default_recipe, is_tiny
from taskaffinity.studies.precision import settle_precision
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.tracking.tracker import trackers_named


def command(
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    encoder: EncoderOption = None,
    encoders: Annotated[
        str | None,
        typer.Option(help="Several, joined by commas: a study of each in a folder of its own, and one table."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Seeds every stage is trained with.", min=1)] = 3,
    base_seed: BaseSeed = 0,
    recipe_file: RecipeOption = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KEY=VALUE: change a setting; fine-tuning keeps its own rate and epochs but for finetune.KEY=VALUE. "
            "Keys: at the end.",
        ),
    ] = None,
    protocol: ProtocolOption = ProtocolName.honest,
    alpha: Alpha = None,
    estimand: EstimandOption = None,
    results: Results = None,
    replace: Replace = False,
    executor: ExecutorOption = ExecutorName.ray,
    address: Address = None,
    gpus_per_run: GpusPerRun = None,
    cpus_per_run: CpusPerRun = 1,
    predictions: KeepPredictions = True,
    keep_models: KeepModels = False,
    track: TrackOption = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Train every task alone, the whole set together, and fine-tune each task from there (Tables 2 to 6)."""
    trackers = trackers_named(track or [])
    (settings, of_last), rule = parse_settings(set_ or []), rule_of(alpha, None, None, estimand)
    names = names_of(encoder, encoders)
    settings, of_last = merge_recipe_file(recipe_file, settings, of_last, protocol.value)
    suite = find_suite(domain, data, suite_file)
    folder = results_folder(results, suite, suite_file)
    # torch: after all that can be refused
    from taskaffinity.studies.compatibility import check_study
    from taskaffinity.studies.define import define, with_resources

    all_tiny = all(is_tiny(suite, name) for name in names)
    resources = resources_of(executor, cpus_per_run, gpus_per_run, address, is_tiny=all_tiny)
    asked = []
    for name in names:
        recipe = apply_settings(with_resources(default_recipe(suite, name, protocol.value), resources), settings)
        presets = default_finetune(suite, name, recipe)
        study, found = define(
            suite,
            encoder=name,
            recipe=recipe,
            seeds=range(base_seed, base_seed + seeds),
            design="full",
            finetune={task: apply_settings(preset, of_last) for task, preset in presets.items()},
            rule=rule,
        )
        asked.append((study, found))
    places = [folder] if encoders is None else own_folders(folder, [study.encoder for study, _ in asked])
    refused = {"keep_models": keep_models, "replaces": replace}
    how = {**refused, "measured": is_measured(suite, names[0], protocol.value, settings, of_last)}
    how |= {"dry_run": dry_run, "quiet": quiet}
    asked, told = settle_precision(asked, places, suite, **how)
    for (study, found), place in zip(asked, places, strict=True):
        check_study(study, suite, found, place, **refused)
    tell(told, quiet=quiet)
    warn_of_leaks(suite, suite_file)
    if dry_run:
        for (study, found), place in zip(asked, places, strict=True):
            if encoders is not None:
                print(f"{study.encoder.name}, in {place}:")
            print_plan(study, suite, found, RunStore(place), resources, keep_models=keep_models)
        return
    options = RunOptions(predictions, keep_models, overwrite=replace)
    if encoders is not None:
        with suite_file_kept(suite_file, folder):
            train_each(folder, suite, asked, places, resources, options=options, quiet=quiet, trackers=trackers)
        return
    [(study, found)] = asked
    tracker = tracker_of(trackers, study, folder)
    with suite_file_kept(suite_file, folder):
        report = train_and_show(study, suite, found, folder, resources, options=options, quiet=quiet, tracker=tracker)
    publish_stages_and_print(study, folder)
    tracker.end()
    end_with(report, folder)
