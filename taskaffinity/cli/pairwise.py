"""``taskaffinity pairwise``: plan, train what is missing, measure, show."""

from __future__ import annotations

from typing import Annotated

import typer

from taskaffinity.cli.console.forecast import print_plan
from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.console.results import print_pairwise
from taskaffinity.cli.options.rule import Alpha, CorrectionOption, EstimandOption, Margin
from taskaffinity.cli.options.run import (
    DESIGN,
    Address,
    BaseSeed,
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
    SuiteFile,
    study_options,
    suite_of,
)
from taskaffinity.runs.study import Baseline, EvaluateAfter, InitFrom
from taskaffinity.studies.options import PairwiseOptions
from taskaffinity.studies.steps import plan_pairwise, train_pairwise
from taskaffinity.tracking.tracker import check_trackers


def command(
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    encoder: EncoderOption = None,
    seeds: Annotated[int, typer.Option(help="Seeds of every pair.", min=1, rich_help_panel=DESIGN)] = 3,
    seeds_single: Annotated[
        int | None,
        typer.Option(
            help="Seeds of every single-task arm (default: sqrt(N - 1) times as many).", min=1, rich_help_panel=DESIGN
        ),
    ] = None,
    base_seed: BaseSeed = 0,
    recipe: RecipeOption = None,
    set_: SetOption = None,
    baseline: Annotated[
        Baseline,
        typer.Option(
            help="Single-task runs have as many updates on the target (single), or as many in all (compute-matched).",
            rich_help_panel=DESIGN,
        ),
    ] = "single",
    evaluate_after: Annotated[
        EvaluateAfter,
        typer.Option(help="Compare after joint training, or after fine-tuning on the target.", rich_help_panel=DESIGN),
    ] = "joint",
    init_from: Annotated[
        InitFrom,
        typer.Option(
            help="Start runs from the encoder, or from the multi-task model of the whole set.", rich_help_panel=DESIGN
        ),
    ] = "encoder",
    controls: Annotated[
        bool,
        typer.Option(
            "--controls", help="Also train a placebo and a positive control for every task.", rich_help_panel=DESIGN
        ),
    ] = False,
    sequential: Annotated[
        bool,
        typer.Option(
            "--sequential",
            help="Add seeds to undecided pairs after --seeds (3), 5, 8 and --max-seeds (12).",
            rich_help_panel=DESIGN,
        ),
    ] = False,
    max_seeds: Annotated[
        int | None,
        typer.Option(help="Most seeds of a pair in a sequential design (default: 12).", min=4, rich_help_panel=DESIGN),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Also train the whole set together.", rich_help_panel=DESIGN)
    ] = False,
    protocol: ProtocolOption = "honest",
    alpha: Alpha = None,
    margin: Margin = None,
    correction: CorrectionOption = None,
    estimand: EstimandOption = None,
    results: Results = None,
    overwrite: Overwrite = False,
    executor: ExecutorOption = "ray",
    address: Address = None,
    gpus_per_run: GpusPerRun = None,
    cpus_per_run: CpusPerRun = 1,
    predictions: KeepPredictions = True,
    keep_models: KeepModels = False,
    report_to: ReportTo = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train every task and every pair, measure each directed gain, and draw the graph."""
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
    trackers = check_trackers(report_to or [])
    with ConsoleListener(quiet=quiet) as listener:
        planned = plan_pairwise(suite_of(domain, suite_file), options, listener, data=data, dry_run=dry_run)
        if dry_run:
            print_plan([planned], as_json=json)
            return
        result = train_pairwise(planned, listener, trackers)
    print_pairwise(result)
    if result.failed:
        raise typer.Exit(1)
