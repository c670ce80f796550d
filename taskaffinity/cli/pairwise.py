"""``taskaffinity pairwise``: plan, train what is missing, measure, show."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from taskaffinity.cli.console.forecast import print_plan
from taskaffinity.cli.console.results import publish_and_print, warn_of_leaks
from taskaffinity.cli.options.recipe import apply_settings, is_measured, merge_recipe_file, parse_settings
from taskaffinity.cli.options.rule import Alpha, CorrectionOption, EstimandOption, Margin, rule_of
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
from taskaffinity.errors import InputError
from taskaffinity.runs.plan import default_single_seeds
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule.resources import RunOptions
from taskaffinity.studies.defaults import default_finetune, default_recipe, is_tiny
from taskaffinity.studies.precision import settle_precision
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.tracking.tracker import trackers_named

LOOKS = (5, 8)
"""Seeds a pair after which a race looks, between ``--seeds`` and ``--max-seeds``."""


class BaselineName(StrEnum):
    single = "single"
    compute_matched = "compute-matched"


class EvaluateAfterName(StrEnum):
    joint = "joint"
    finetune = "finetune"


class InitFromName(StrEnum):
    encoder = "encoder"
    multitask = "multitask"


def command(
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    encoder: EncoderOption = None,
    seeds: Annotated[int, typer.Option(help="Seeds every pair is trained with.", min=1)] = 3,
    seeds_single: Annotated[
        int | None, typer.Option(help="Seeds of every task alone (default: sqrt(N - 1) times as many).", min=1)
    ] = None,
    base_seed: BaseSeed = 0,
    recipe_file: RecipeOption = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KEY=VALUE: change a setting; finetune.KEY=VALUE changes it for fine-tuning alone. Keys: below.",
        ),
    ] = None,
    baseline: Annotated[
        BaselineName,
        typer.Option(help="Single-task runs have as many updates on the target, or as many in all."),
    ] = BaselineName.single,
    evaluate_after: Annotated[
        EvaluateAfterName, typer.Option(help="Read gains as trained, or after both arms were fine-tuned on the target.")
    ] = EvaluateAfterName.joint,
    init_from: Annotated[
        InitFromName, typer.Option(help="Start singles and pairs from the encoder, or from the whole set's refinement.")
    ] = InitFromName.encoder,
    controls: Annotated[
        bool, typer.Option("--controls", help="Also train a placebo and a positive control for every task.")
    ] = False,
    sequential: Annotated[
        bool,
        typer.Option(
            "--sequential", help="Race: look after --seeds (3), 5, 8 and --max-seeds (12), go on with undecided pairs."
        ),
    ] = False,
    max_seeds: Annotated[
        int | None, typer.Option(help="Most seeds a pair gets in a race (default: 12).", min=4)
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Also train the whole set together.")] = False,
    protocol: ProtocolOption = ProtocolName.honest,
    alpha: Alpha = None,
    margin: Margin = None,
    correction: CorrectionOption = None,
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
    """Train every task alone and every pair, measure each directed gain, and draw the graph."""
    trackers = trackers_named(track or [])
    (settings, of_last), rule = parse_settings(set_ or []), rule_of(alpha, margin, correction, estimand)
    if of_last and evaluate_after is EvaluateAfterName.joint:
        raise InputError(f"--set finetune.{next(iter(of_last))}: of fine-tuning; give --evaluate-after finetune too")
    settings, of_last = merge_recipe_file(
        recipe_file, settings, of_last, protocol.value, finetunes=evaluate_after is EvaluateAfterName.finetune
    )
    suite = find_suite(domain, data, suite_file)
    folder = results_folder(results, suite, suite_file)
    # torch: after all that can be refused
    from taskaffinity.studies.compatibility import check_study
    from taskaffinity.studies.define import define, with_resources

    resources = resources_of(executor, cpus_per_run, gpus_per_run, address, is_tiny=is_tiny(suite, encoder))
    recipe = apply_settings(with_resources(default_recipe(suite, encoder, protocol.value), resources), settings)
    if controls and protocol is ProtocolName.paper:
        raise InputError("--controls: not under --protocol paper, whose update moves what a placebo must leave alone")
    if max_seeds is not None and not sequential:
        raise InputError(
            f"--max-seeds {max_seeds}: of a race; give --sequential too, or --seeds {max_seeds} to every pair"
        )
    looks = _looks_of(seeds, max_seeds or 12, seeds_single) if sequential else ()
    seeds = looks[-1] if looks else seeds
    presets = default_finetune(suite, encoder, recipe) if evaluate_after is EvaluateAfterName.finetune else {}
    study, found = define(
        suite,
        encoder=encoder,
        recipe=recipe,
        seeds=range(base_seed, base_seed + seeds),
        seeds_single=range(base_seed, base_seed + (seeds_single or default_single_seeds(len(suite), seeds))),
        baseline=baseline.value,
        evaluate_after=evaluate_after.value,
        init_from=init_from.value,
        finetune={name: apply_settings(preset, of_last) for name, preset in presets.items()},
        controls=controls,
        interim_seeds=looks,
        full=full,
        rule=rule,
    )
    refused = {"keep_models": keep_models, "replaces": replace}
    how = {**refused, "measured": is_measured(suite, encoder, protocol.value, settings, of_last)}
    how |= {"dry_run": dry_run, "quiet": quiet}
    [(study, found)], told = settle_precision([(study, found)], [folder], suite, **how)
    check_study(study, suite, found, folder, **refused)
    tell(told, quiet=quiet)
    warn_of_leaks(suite, suite_file)
    if dry_run:
        print_plan(study, suite, found, RunStore(folder), resources, keep_models=keep_models)
        return
    tracker = tracker_of(trackers, study, folder)
    options = RunOptions(predictions, keep_models, overwrite=replace)
    with suite_file_kept(suite_file, folder):
        report = train_and_show(study, suite, found, folder, resources, options=options, quiet=quiet, tracker=tracker)
    publish_and_print(study, folder, rule)
    tracker.end()
    end_with(report, folder)


def _looks_of(first: int, most: int, seeds_single: int | None) -> tuple[int, ...]:
    """Seeds a pair after which a race looks.

    Raises
    ------
    InputError
        If it has no room between its first look and its last, or is told the seeds of every task alone.
    """
    if seeds_single is not None:
        raise InputError("--seeds-single: a race gives every task alone sqrt(N - 1) times the seeds of its pairs")
    if not 2 <= first < most:
        raise InputError(f"--sequential: it looks after --seeds {first} first; expected 2 or more, below --max-seeds")
    return (first, *(n for n in LOOKS if first < n < most), most)
