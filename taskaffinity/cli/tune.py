"""``taskaffinity tune``: search training settings by dev scores, and write them for ``--recipe``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.cli.console.tuning import describe_budget, print_candidates, print_ended, print_found
from taskaffinity.cli.options.numbers import whole
from taskaffinity.cli.options.run import (
    DESIGN,
    OUTPUT,
    Address,
    CpusPerRun,
    Data,
    Domain,
    EncoderOption,
    ExecutorOption,
    GpusPerRun,
    Quiet,
    RecipeOption,
    Results,
    SetOption,
    SuiteFile,
    suite_of,
)
from taskaffinity.runs.limits import MOST_CONFIRM_SEEDS, MOST_SEARCH_SEED, MOST_TRIALS
from taskaffinity.studies.options import TuneOptions
from taskaffinity.studies.steps import plan_tune
from taskaffinity.tuning.candidates import IN_WORDS


def command(
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    encoder: EncoderOption = None,
    n_trials: Annotated[
        int,
        whole(1, MOST_TRIALS, help="Number of recipes to try besides the default.", rich_help_panel=DESIGN),
    ] = 12,
    finalists: Annotated[
        int,
        whole(
            1,
            MOST_TRIALS,
            help="Number of best recipes that are trained again, together with the default.",
            rich_help_panel=DESIGN,
        ),
    ] = 3,
    confirm_seeds: Annotated[
        int,
        whole(
            1,
            MOST_CONFIRM_SEEDS,
            help="Number of new seeds for each of them; their mean dev score decides.",
            rich_help_panel=DESIGN,
        ),
    ] = 2,
    search_seed: Annotated[
        int, whole(0, MOST_SEARCH_SEED, help="Seed that draws the recipes.", rich_help_panel=DESIGN)
    ] = 0,
    recipe: RecipeOption = None,
    set_: SetOption = None,
    results: Results = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Recipe file to write (default: recipe.yaml in --results).", rich_help_panel=OUTPUT),
    ] = None,
    executor: ExecutorOption = "ray",
    address: Address = None,
    gpus_per_run: GpusPerRun = None,
    cpus_per_run: CpusPerRun = 1,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print the recipes to try and the most that the search trains; train nothing.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    options = TuneOptions(
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
    )
    planned = plan_tune(suite_of(domain, suite_file), options, data=data)
    fixed = planned.given.all_stages
    if dry_run:
        print_candidates(planned.search.candidates, fixed)
        print(describe_budget(planned.search))
        return
    warn_if_synthetic(planned.suite.synthetic)
    if not quiet:
        print(describe_budget(planned.search), file=sys.stderr)
    found = planned.run(**({} if quiet else {"on_progress": print_ended}))
    print_found(found, fixed)
    if found.recipe is not None:
        planned.write_recipe(found)
        print(f"{planned.out}: for --recipe of `taskaffinity pairwise` and `full`")
    for path, reason in found.lost.items():
        print(f"failed: {path}: {reason}", file=sys.stderr)
    if found.recipe is None or found.lost:
        raise typer.Exit(1)


command.__doc__ = (
    "Search training settings that suit all tasks of a suite, and write them to a recipe file.\n\n"
    "Pass the file to `taskaffinity pairwise --recipe`. Each candidate trains every task by itself, all tasks for the "
    "same number of epochs. The mean dev score decides; test scores are not used.\n\n"
    f"Searched settings: {IN_WORDS}.\n\n"
    "After a quarter and after half of its epochs, a candidate below the median of earlier candidates is stopped. The "
    "default recipe is never stopped. The same command again resumes the search."
)
