"""``taskaffinity train``: train the tasks of a suite together once, and keep the models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.console.forecast import print_plan
from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.options.numbers import integer_option
from taskaffinity.cli.options.run import (
    DESIGN,
    OUTPUT,
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
    Json,
    KeepModels,
    KeepPredictions,
    Overwrite,
    ProtocolOption,
    Quiet,
    RecipeOption,
    ReportTo,
    SetOption,
    ShareWithGroup,
    SuiteFile,
    Tasks,
    suite_of,
    suite_options,
)
from taskaffinity.runs.limits import MOST_SEEDS
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.runs.study import EvaluateAfter
from taskaffinity.studies.options import TrainOptions
from taskaffinity.studies.steps import plan_train, train_together
from taskaffinity.tracking.tracker import check_trackers


def command(
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    tasks: Tasks = None,
    encoder: EncoderOption = None,
    seeds: Annotated[
        int, integer_option(1, MOST_SEEDS, help="Number of models, one per seed.", rich_help_panel=DESIGN)
    ] = 1,
    base_seed: BaseSeed = 0,
    recipe: RecipeOption = None,
    set_: SetOption = None,
    evaluate_after: Annotated[
        EvaluateAfter,
        typer.Option(
            help="finetune: after joint training, each task is fine-tuned from the joint model.",
            rich_help_panel=TRAINING,
        ),
    ] = "joint",
    protocol: ProtocolOption = "honest",
    results: Annotated[
        Path | None,
        typer.Option(
            "--out", "--results", help="Results folder to write (default: results/SUITE).", rich_help_panel=OUTPUT
        ),
    ] = None,
    overwrite: Overwrite = False,
    executor: ExecutorOption = "ray",
    address: Address = None,
    gpus_per_run: GpusPerRun = None,
    cpus_per_run: CpusPerRun = 1,
    checkpoint_minutes: CheckpointMinutes = DEFAULT_MINUTES,
    predictions: KeepPredictions = True,
    keep_models: KeepModels = True,
    share_with_group: ShareWithGroup = False,
    report_to: ReportTo = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train the tasks of a suite together once, print their scores and keep the models.

    Nothing is compared: there is one run per seed. A task may lack a test part; its dev part is scored in its place.
    The same command again continues a training that was killed.
    """
    options = TrainOptions(**suite_options(locals()), evaluate_after=evaluate_after)
    trackers = check_trackers(report_to)
    with ConsoleListener(quiet=quiet) as listener:
        planned = plan_train(suite_of(domain, suite_file), options, listener, data=data, dry_run=dry_run)
        if dry_run:
            print_plan([planned], as_json=json)
            return
        result = train_together(planned, listener, trackers)
    from taskaffinity.cli.console.trained import print_train  # pandas: not for --help

    print_train(result, as_json=json)
    if result.failed:
        raise typer.Exit(1)
