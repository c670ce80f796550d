"""``taskaffinity full``: every task alone, the whole set together, and from there every task fine-tuned."""

from __future__ import annotations

from typing import Annotated

import typer

from taskaffinity.cli.judging import Alpha, EstimandOption, rule_of
from taskaffinity.cli.options import (
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
    KeepPredictions,
    ProtocolName,
    ProtocolOption,
    Quiet,
    Results,
    SuiteFile,
    end_with,
    keep_suite_file,
    print_plan,
    resources_of,
    results_folder,
    train_and_show,
)
from taskaffinity.cli.recipe import changed, of_stages
from taskaffinity.cli.show import publish_stages_and_print
from taskaffinity.runs.store import RunStore
from taskaffinity.tasks.catalog import find_suite


def command(
    domain: Domain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    encoder: EncoderOption = None,
    seeds: Annotated[int, typer.Option(help="Seeds every stage is trained with.", min=1)] = 3,
    base_seed: BaseSeed = 0,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KEY=VALUE: change a setting; fine-tuning keeps its own rate and epochs but for finetune.KEY=VALUE.",
        ),
    ] = None,
    protocol: ProtocolOption = ProtocolName.honest,
    alpha: Alpha = None,
    estimand: EstimandOption = None,
    results: Results = None,
    executor: ExecutorOption = ExecutorName.ray,
    address: Address = None,
    gpus_per_run: GpusPerRun = None,
    cpus_per_run: CpusPerRun = 1,
    predictions: KeepPredictions = True,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Train every task alone, the whole set together, and fine-tune each task from there (Tables 2, 3 and 6)."""
    (settings, of_last), rule = of_stages(set_ or []), rule_of(alpha, None, None, estimand)
    suite = find_suite(domain, data, suite_file)
    folder = results_folder(results, suite)
    # torch: after all that can be refused
    from taskaffinity.conduct import default_finetune, default_recipe, define, placed

    is_tiny = suite.synthetic and encoder is None
    resources = resources_of(executor, cpus_per_run, gpus_per_run, address, is_tiny=is_tiny)
    recipe = changed(placed(default_recipe(suite, encoder, protocol.value), resources), settings)
    presets = default_finetune(suite, encoder, recipe)
    study, found = define(
        suite,
        encoder=encoder,
        recipe=recipe,
        seeds=range(base_seed, base_seed + seeds),
        design="full",
        finetune={name: changed(preset, of_last) for name, preset in presets.items()},
        rule=rule,
    )
    if dry_run:
        print_plan(study, RunStore(folder))
        return
    report = train_and_show(study, suite, found, folder, resources, keep_predictions=predictions, quiet=quiet)
    keep_suite_file(suite_file, folder)
    publish_stages_and_print(study, folder)
    end_with(report, folder)
