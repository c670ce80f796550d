"""``taskaffinity full``: train each task, all tasks together, and fine-tune each task after that."""

from __future__ import annotations

from typing import Annotated

import typer

from taskaffinity.cli.console.forecast import print_plan
from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.console.results import print_full
from taskaffinity.cli.options.numbers import integer_option
from taskaffinity.cli.options.rule import Alpha, EstimandOption, TestOption
from taskaffinity.cli.options.run import (
    DESIGN,
    TRAINING,
    Address,
    BaseSeed,
    CheckpointMinutes,
    CpusPerRun,
    Data,
    Domain,
    DryRun,
    EncoderOption,
    ExecutorOption,
    GpusPerRun,
    KeepModels,
    KeepPredictions,
    Overwrite,
    PlanJson,
    ProtocolOption,
    Quiet,
    RecipeOption,
    ReportTo,
    Results,
    SetOption,
    ShareWithGroup,
    SuiteFile,
    Tasks,
    study_options,
    suite_of,
)
from taskaffinity.runs.limits import MOST_SEEDS
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.runs.study import FullBaseline
from taskaffinity.studies.options import FullOptions
from taskaffinity.studies.steps import plan_full, train_full
from taskaffinity.tracking.tracker import check_trackers


def command(
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    tasks: Tasks = None,
    encoder: EncoderOption = None,
    encoders: Annotated[
        str | None,
        typer.Option(
            help="Several encoders, separated by commas. Each gets a study in its own folder; one table compares them.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    seeds: Annotated[int, integer_option(1, MOST_SEEDS, help="Number of seeds per stage.", rich_help_panel=DESIGN)] = 3,
    base_seed: BaseSeed = 0,
    recipe: RecipeOption = None,
    set_: SetOption = None,
    baseline: Annotated[
        FullBaseline,
        typer.Option(
            help="How single tasks are trained: with the recipe of joint training (single), or, with --protocol paper, "
            "by the recipes of the paper's single-task models (paper-single).",
            rich_help_panel=DESIGN,
        ),
    ] = "single",
    protocol: ProtocolOption = "honest",
    alpha: Alpha = None,
    estimand: EstimandOption = None,
    test: TestOption = None,
    results: Results = None,
    overwrite: Overwrite = False,
    executor: ExecutorOption = "ray",
    address: Address = None,
    gpus_per_run: GpusPerRun = None,
    cpus_per_run: CpusPerRun = 1,
    checkpoint_minutes: CheckpointMinutes = DEFAULT_MINUTES,
    predictions: KeepPredictions = True,
    keep_models: KeepModels = False,
    share_with_group: ShareWithGroup = False,
    report_to: ReportTo = None,
    dry_run: DryRun = False,
    json: PlanJson = False,
    quiet: Quiet = False,
) -> None:
    """Train each task, then all tasks together, then fine-tune each task from the joint model.

    These are the stages of Tables 2 to 6 of the paper.
    """
    names = None if encoders is None else encoders.split(",")
    options = FullOptions(**study_options(locals()), encoders=names, baseline=baseline)
    trackers = check_trackers(report_to)
    with ConsoleListener(quiet=quiet) as listener:
        planned = plan_full(suite_of(domain, suite_file), options, listener, data=data, dry_run=dry_run)
        if dry_run:
            print_plan(planned, as_json=json)
            return
        result = train_full(planned, options, listener, trackers)
    print_full(result)
    if result.failed:
        raise typer.Exit(1)
