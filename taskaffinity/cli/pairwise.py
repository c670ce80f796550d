"""``taskaffinity pairwise``: plan a study, train its missing runs, print the gains."""

from __future__ import annotations

from typing import Annotated

import typer

from taskaffinity.cli.console.forecast import print_plan
from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.console.results import print_pairwise
from taskaffinity.cli.options.numbers import whole
from taskaffinity.cli.options.rule import Alpha, CorrectionOption, EstimandOption, Margin, TestOption
from taskaffinity.cli.options.run import (
    DESIGN,
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
    Results,
    SetOption,
    ShareWithGroup,
    SuiteFile,
    study_options,
    suite_of,
)
from taskaffinity.runs.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.runs.limits import MOST_SEEDS
from taskaffinity.runs.study import Baseline, EvaluateAfter, InitFrom
from taskaffinity.studies.options import PairwiseOptions
from taskaffinity.studies.steps import plan_pairwise, train_pairwise
from taskaffinity.tracking.tracker import check_trackers


def command(
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    encoder: EncoderOption = None,
    seeds: Annotated[
        int,
        whole(1, MOST_SEEDS, help="Number of seeds per pair; more seeds decide more arrows.", rich_help_panel=DESIGN),
    ] = 3,
    seeds_single: Annotated[
        int | None,
        whole(
            1,
            MOST_SEEDS,
            help="Number of seeds per single task (default: sqrt(N - 1) times --seeds, for N tasks).",
            rich_help_panel=DESIGN,
        ),
    ] = None,
    base_seed: BaseSeed = 0,
    recipe: RecipeOption = None,
    set_: SetOption = None,
    baseline: Annotated[
        Baseline,
        typer.Option(
            help="What a pair is compared with: a single-task run with as many updates on the target (single), with "
            "as many updates in total (compute-matched), or, with --protocol paper, by the recipes of the paper's "
            "single-task models (paper-single).",
            rich_help_panel=DESIGN,
        ),
    ] = "single",
    evaluate_after: Annotated[
        EvaluateAfter,
        typer.Option(
            help="Compare models after joint training, or after both are then fine-tuned on the target.",
            rich_help_panel=DESIGN,
        ),
    ] = "joint",
    init_from: Annotated[
        InitFrom,
        typer.Option(
            help="Start training from the encoder, or from a multi-task model of all tasks (multitask).",
            rich_help_panel=DESIGN,
        ),
    ] = "encoder",
    controls: Annotated[
        bool,
        typer.Option(
            "--controls",
            help="Also train two controls per task, to check the method: a placebo, whose gain should be zero, and a "
            "positive control, whose gain should not.",
            rich_help_panel=DESIGN,
        ),
    ] = False,
    sequential: Annotated[
        bool,
        typer.Option(
            "--sequential",
            help="Start with --seeds, and train more seeds (5, 8, then --max-seeds) only for inconclusive pairs.",
            rich_help_panel=DESIGN,
        ),
    ] = False,
    max_seeds: Annotated[
        int | None,
        whole(
            3,
            MOST_SEEDS,
            help="Maximum number of seeds per pair with --sequential (default: 12).",
            rich_help_panel=DESIGN,
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Also train all tasks together.", rich_help_panel=DESIGN)
    ] = False,
    protocol: ProtocolOption = "honest",
    alpha: Alpha = None,
    margin: Margin = None,
    correction: CorrectionOption = None,
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
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train every task and every pair of tasks, and draw which tasks help which.

    The gain of an arrow s -> t is how much training with s changes the test score of t, in points. The command prints
    one row per arrow, with an interval and a verdict, and writes tables and figures to the results folder. Without
    data, it trains on synthetic text. The same command again trains only what is missing.
    """
    options = PairwiseOptions(
        **study_options(locals()),
        seeds_single=seeds_single,
        baseline=baseline,
        evaluate_after=evaluate_after,
        init_from=init_from,
        controls=controls,
        sequential=sequential,
        max_seeds=max_seeds,
        full=full,
        margin=margin,
        correction=correction,
    )
    trackers = check_trackers(report_to)
    with ConsoleListener(quiet=quiet) as listener:
        planned = plan_pairwise(suite_of(domain, suite_file), options, listener, data=data, dry_run=dry_run)
        if dry_run:
            print_plan([planned], as_json=json)
            return
        result = train_pairwise(planned, listener, trackers)
    print_pairwise(result)
    if result.failed:
        raise typer.Exit(1)
