"""``taskaffinity tune``: search training settings by dev scores, and write them for ``--recipe``."""

from __future__ import annotations

import sys

import typer

from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.cli.console.tuning import describe_budget, print_ended, print_found, print_search
from taskaffinity.cli.options.design import (
    ConfirmSeeds,
    DryRunOfSearch,
    Finalists,
    RecipeOut,
    RecipeToTune,
    SearchSeed,
    Trials,
)
from taskaffinity.cli.options.run import (
    Address,
    CheckpointMinutes,
    CpusPerRun,
    Data,
    Domain,
    EncoderOption,
    ExecutorOption,
    GpusPerRun,
    PlanJson,
    Quiet,
    Results,
    SetOption,
    SuiteFile,
    Tasks,
    check_json,
    suite_of,
)
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.studies.options import TuneOptions
from taskaffinity.studies.steps import plan_tune
from taskaffinity.tuning.candidates import SEARCHED_SETTINGS


def command(
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    tasks: Tasks = None,
    encoder: EncoderOption = None,
    n_trials: Trials = 12,
    finalists: Finalists = 3,
    confirm_seeds: ConfirmSeeds = 2,
    search_seed: SearchSeed = 0,
    recipe: RecipeToTune = None,
    set_: SetOption = None,
    results: Results = None,
    out: RecipeOut = None,
    executor: ExecutorOption = "ray",
    address: Address = None,
    gpus_per_run: GpusPerRun = None,
    cpus_per_run: CpusPerRun = 1,
    checkpoint_minutes: CheckpointMinutes = DEFAULT_MINUTES,
    dry_run: DryRunOfSearch = False,
    json: PlanJson = False,
    quiet: Quiet = False,
) -> None:
    check_json(json, dry_run=dry_run)
    options = TuneOptions(
        tasks=tasks,
        encoder=encoder,
        n_trials=n_trials,
        finalists=finalists,
        confirm_seeds=confirm_seeds,
        search_seed=search_seed,
        recipe=recipe,
        settings=set_ or (),
        output_dir=results,
        out=out,
        executor=executor,
        address=address,
        gpus_per_run=gpus_per_run,
        cpus_per_run=cpus_per_run,
        checkpoint_minutes=checkpoint_minutes,
    )
    planned = plan_tune(suite_of(domain, suite_file), options, data=data)
    fixed = planned.given.all_stages
    if dry_run:
        print_search(planned.search, fixed, as_json=json)
        return
    warn_if_synthetic(planned.suite.synthetic)
    if not quiet:
        print(describe_budget(planned.search), file=sys.stderr)
    found = planned.run(**({} if quiet else {"on_progress": print_ended}))
    planned.write_recipe(found)
    print_found(found)
    if found.recipe is not None:
        print(f"{planned.out}: for --recipe of `taskaffinity pairwise` and `full`")
    for path, reason in found.lost.items():
        print(f"failed: {path}: {reason}", file=sys.stderr)
    if found.recipe is None or found.lost:
        raise typer.Exit(1)


command.__doc__ = (
    "Search training settings that suit all tasks of a suite, and write them to a recipe file.\n\n"
    "Pass the file to `taskaffinity pairwise --recipe`. Each candidate trains every task by itself, all tasks for the "
    "same number of epochs. The mean dev score decides; test scores are not used.\n\n"
    f"Searched settings: {SEARCHED_SETTINGS}.\n\n"
    "After a quarter and after half of its epochs, a candidate below the median of earlier candidates is stopped. The "
    "default recipe is never stopped. The same command again resumes the search."
)
