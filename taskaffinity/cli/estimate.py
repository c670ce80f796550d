"""``taskaffinity estimate``: estimate gains from probes, at a share of the cost of measuring them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from taskaffinity.cli.console.forecast import print_plan
from taskaffinity.cli.console.json_output import print_json
from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.options.design import Baselines, Budget, StudySeeds, Validate
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
    Json,
    Quiet,
    RecipeOption,
    Results,
    SetOption,
    ShareWithGroup,
    SuiteFile,
    Tasks,
    suite_of,
)
from taskaffinity.errors import InputError
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.studies.estimates.options import DEFAULT_BUDGET
from taskaffinity.studies.options import PairwiseOptions
from taskaffinity.studies.steps import plan_estimate, train_estimates

_OF_VALIDATE = ("results", "validate", "json", "quiet")
"""Parameters that ``--validate`` uses or that it may ignore."""


def command(
    context: typer.Context,
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    tasks: Tasks = None,
    encoder: EncoderOption = None,
    seeds: StudySeeds = 3,
    base_seed: BaseSeed = 0,
    budget: Budget = DEFAULT_BUDGET,
    recipe: RecipeOption = None,
    set_: SetOption = None,
    results: Results = None,
    executor: ExecutorOption = "ray",
    address: Address = None,
    gpus_per_run: GpusPerRun = None,
    cpus_per_run: CpusPerRun = 1,
    checkpoint_minutes: CheckpointMinutes = DEFAULT_MINUTES,
    share_with_group: ShareWithGroup = False,
    baselines: Baselines = False,
    validate: Validate = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Estimate the sign of every gain from short probes, before or instead of training every pair.

    A probe continues the single-task model of a target for a few updates, with and without a second task. The command
    trains missing single-task models and the probes, prints one row per arrow and writes estimates.csv to the results
    folder. An estimate has a sign and an interval; only `taskaffinity pairwise` measures a gain and gives a verdict.
    The same command again trains only what is missing.
    """
    if validate:
        _check_options_of_validate(context)
        _validate(results, as_json=json)
        return
    options = PairwiseOptions(
        tasks=tasks,
        encoder=encoder,
        seeds=seeds,
        base_seed=base_seed,
        recipe=recipe,
        settings=set_ or (),
        output_dir=results,
        executor=executor,
        address=address,
        gpus_per_run=gpus_per_run,
        cpus_per_run=cpus_per_run,
        checkpoint_minutes=checkpoint_minutes,
        share_with_group=share_with_group,
    )
    with ConsoleListener(quiet=quiet) as listener:
        planned = plan_estimate(
            suite_of(domain, suite_file), options, listener, budget=budget, data=data, dry_run=dry_run
        )
        if dry_run:
            print_plan([planned], as_json=json)
            return
        result = train_estimates(planned, listener, baselines=baselines)
    if json:
        arrows = result.to_frame().to_dict(orient="records")
        print_json({"share": result.share, "cautions": result.cautions, "arrows": arrows})
    else:
        from taskaffinity.cli.console.estimates import print_estimates  # pandas: not for --help

        print_estimates(result)
    if result.failed:
        raise typer.Exit(1)


def _check_options_of_validate(context: typer.Context) -> None:
    """Raise ``InputError`` for an option that ``--validate`` would ignore."""
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if parameter.name in _OF_VALIDATE or source is None or source.name != "COMMANDLINE":
            continue
        option = parameter.opts[0]
        if option == "--baselines":
            raise InputError(
                "--baselines: not with --validate, which computes nothing; give it without --validate first"
            )
        raise InputError(f"{option}: not with --validate, which trains nothing and reads only the folder of --results")


def _validate(results: Path | None, *, as_json: bool) -> None:
    from taskaffinity.analysis.estimates.results import EstimateResults  # pandas: not for --help
    from taskaffinity.cli.console.estimates import print_agreement

    if results is None:
        raise InputError("--validate: give --results, a folder with estimates and measured pairs")
    estimated = EstimateResults.load(results)
    found, ceiling = estimated.validate()
    if as_json:
        of_estimators = [asdict(one) for one in found]
        print_json({"estimators": of_estimators, "noise_ceiling": ceiling, "share": estimated.share})
    else:
        print_agreement(found, ceiling, estimated.share)
