"""``taskaffinity pairwise``: plan a study, train its missing runs, print the gains."""

from __future__ import annotations

import typer

from taskaffinity.cli.console.forecast import print_plan
from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.console.results import print_pairwise
from taskaffinity.cli.options.design import (
    Admit,
    BaselineOption,
    ByEstimates,
    Controls,
    EvaluateAfterOption,
    Groups,
    InitFromOption,
    MaxSeeds,
    PairSeeds,
    Sequential,
    SingleSeeds,
    WholeSet,
)
from taskaffinity.cli.options.rule import Alpha, CorrectionOption, EstimandOption, Margin, TestOption
from taskaffinity.cli.options.run import (
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
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.studies.options import PairwiseOptions
from taskaffinity.studies.steps import plan_pairwise, train_pairwise
from taskaffinity.tracking.tracker import check_trackers

OF_PAIRS = (
    *("seeds_single", "baseline", "evaluate_after", "init_from", "controls", "full", "margin", "correction"),
    *("sequential", "max_seeds", "by_estimates", "admit"),
)
"""Parameters that are fields of ``PairwiseOptions`` and of no other study's options."""


def command(
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    tasks: Tasks = None,
    encoder: EncoderOption = None,
    seeds: PairSeeds = 3,
    seeds_single: SingleSeeds = None,
    base_seed: BaseSeed = 0,
    recipe: RecipeOption = None,
    set_: SetOption = None,
    baseline: BaselineOption = "single",
    evaluate_after: EvaluateAfterOption = "joint",
    init_from: InitFromOption = "encoder",
    controls: Controls = False,
    sequential: Sequential = False,
    max_seeds: MaxSeeds = None,
    by_estimates: ByEstimates = False,
    admit: Admit = None,
    full: WholeSet = False,
    groups: Groups = None,
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
    json: PlanJson = False,
    quiet: Quiet = False,
) -> None:
    """Train every task and every pair of tasks, and draw which tasks help which.

    The gain of an arrow s -> t is how much training with s changes the test score of t, in points. The command prints
    one row per arrow, with an interval and a verdict, and writes tables and figures to the results folder. Without
    data, it trains on synthetic text. The same command again trains only what is missing.
    """
    given = locals()
    of_pairs = {name: given[name] for name in OF_PAIRS}
    options = PairwiseOptions(**study_options(given), **of_pairs, groups=groups or ())
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
