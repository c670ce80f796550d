"""``taskaffinity tune``: search the recipe of a suite on dev scores, and write it for ``--recipe``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.cli.console.tuning import describe_budget, print_candidates, print_found, say_ended, write_found
from taskaffinity.cli.options.recipe import MEASURED, apply_settings, merge_recipe_file, parse_settings
from taskaffinity.cli.options.run import (
    AUTO,
    Address,
    CpusPerRun,
    Data,
    Domain,
    EncoderOption,
    ExecutorName,
    ExecutorOption,
    GpusPerRun,
    Quiet,
    RecipeOption,
    Results,
    SuiteFile,
    resources_of,
    results_folder,
)
from taskaffinity.errors import InputError
from taskaffinity.runs.recipe_file import RecipeFile
from taskaffinity.studies.defaults import default_recipe, is_tiny
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.tuning.candidates import IN_WORDS, searched_settings


def command(
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    encoder: EncoderOption = None,
    samples: Annotated[int, typer.Option(help="Recipes to try beside the default.", min=1)] = 12,
    finalists: Annotated[int, typer.Option(help="The best so many are trained again, and the default.", min=1)] = 3,
    confirm_seeds: Annotated[int, typer.Option(help="Fresh seeds for that; their mean chooses.", min=1)] = 2,
    search_seed: Annotated[int, typer.Option(help="Another one draws and trains others.", min=0)] = 0,
    recipe_file: RecipeOption = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE: change a setting of the recipe, and do not search it.")
    ] = None,
    results: Results = None,
    out: Annotated[Path | None, typer.Option(help="Recipe file to write (default: recipe.yaml in --results).")] = None,
    executor: ExecutorOption = ExecutorName.ray,
    address: Address = None,
    gpus_per_run: GpusPerRun = None,
    cpus_per_run: CpusPerRun = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print candidates and budget; train nothing.")] = False,
    quiet: Quiet = False,
) -> None:
    of_set, of_last = parse_settings(set_ or [])
    if of_last:
        raise InputError(f"--set finetune.{next(iter(of_last))}: nothing is fine-tuned here; give it to the study")
    if of_set.get("precision") == MEASURED:
        raise InputError(
            f"--set precision={MEASURED}: of a study, whose machine it is asked of; give bf16 or nothing here"
        )
    if gpus_per_run == AUTO:
        raise InputError(f"--gpus-per-run {AUTO}: of a study, which measures a run; give a number here")
    settings, of_finetune = merge_recipe_file(recipe_file, of_set, {})
    suite = find_suite(domain, data, suite_file)
    out = out or results_folder(results, suite, suite_file) / "recipe.yaml"
    if out.is_dir():
        raise InputError(f"--out {out}: a folder; expected a file")
    if recipe_file is not None and out.resolve() == recipe_file.resolve():
        raise InputError(f"--recipe {recipe_file}: what is found would be written over it; give another --out")
    # torch: after all that can be refused
    from taskaffinity.studies.define import define_search, with_resources
    from taskaffinity.tuning.tune import tune

    resources = resources_of(executor, cpus_per_run, gpus_per_run, address, is_tiny=is_tiny(suite, encoder))
    default = apply_settings(with_resources(default_recipe(suite, encoder), resources), settings)
    search, found_encoder = define_search(
        suite,
        encoder=encoder,
        recipe=default,
        fixed=of_set,
        samples=samples,
        seed=search_seed,
        finalists=finalists,
        confirm_seeds=confirm_seeds,
    )
    if dry_run:
        print_candidates(search.candidates, of_set)
        print(describe_budget(search))
        return
    warn_if_synthetic(suite.synthetic)
    if not quiet:
        print(describe_budget(search), file=sys.stderr)
    on_progress = {} if quiet else {"on_progress": say_ended}
    found = tune(search, found_encoder, out.parent / "tune", resources=resources, **on_progress)
    print_found(found, of_set)
    if found.recipe is not None:
        searched = searched_settings(of_set)
        said = {name: getattr(found.recipe, name) for name in (*searched, *settings)}
        write_found(out, found, suite, RecipeFile(said, of_finetune), searched)
    for path, reason in found.lost.items():
        print(f"failed: {path}: {reason}", file=sys.stderr)
    if found.recipe is None or found.lost:
        raise typer.Exit(1)


command.__doc__ = (
    "Search one recipe for all tasks of a suite by their dev scores alone, for --recipe of a study.\n\n"
    f"A candidate trains each task alone, every task for the same number of epochs. Searched: {IN_WORDS}. "
    "Candidates behind the median of those before them after a quarter or half of their epochs are stopped; the "
    "default never is. Test scores are not looked at. The same command again goes on where it stood."
)
