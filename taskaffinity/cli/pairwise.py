"""``taskaffinity pairwise``: plan, train what is missing, measure, show."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.judging import (
    Alpha,
    CorrectionOption,
    EstimandOption,
    Margin,
    rule_of,
)
from taskaffinity.cli.progress import ProgressDisplay, duration
from taskaffinity.cli.recipe import changed, parse
from taskaffinity.cli.show import publish_and_print, warn_if_synthetic
from taskaffinity.runs.plan import seeds_alone
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule import Report, Resources
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.tasks.task import BadInput

LOOKS = (5, 8)
"""Seeds a pair after which a race looks, between ``--seeds`` and ``--max-seeds``."""


class MatchName(StrEnum):
    updates = "updates"
    compute = "compute"


class ExecutorName(StrEnum):
    ray = "ray"
    local = "local"


def command(
    domain: Annotated[str, typer.Option(help="clinical, biomedical, blue, open-clinical or planted-8.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of task files (else TASKAFFINITY_DATA, else ./data).")
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="Folder or hub id of a transformers encoder.")] = None,
    seeds: Annotated[int, typer.Option(help="Seeds every pair is trained with.", min=1)] = 3,
    seeds_single: Annotated[
        int | None, typer.Option(help="Seeds of every task alone (default: sqrt(N - 1) times as many).", min=1)
    ] = None,
    base_seed: Annotated[int, typer.Option(help="The first seed; the others follow it.", min=0)] = 0,
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE: change a setting of the recipe.")] = None,
    match: Annotated[
        MatchName, typer.Option(help="Compare a pair with as many updates on the target, or as many in all (compute).")
    ] = MatchName.updates,
    controls: Annotated[
        bool, typer.Option("--controls", help="Also train a placebo and a positive control for every task.")
    ] = False,
    adaptive: Annotated[
        bool,
        typer.Option(
            "--adaptive", help="Race: look after --seeds (3), 5, 8 and --max-seeds (12), go on with undecided pairs."
        ),
    ] = False,
    max_seeds: Annotated[
        int | None, typer.Option(help="Most seeds a pair gets in a race (default: 12).", min=4)
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Also train the whole set together.")] = False,
    alpha: Alpha = None,
    margin: Margin = None,
    correction: CorrectionOption = None,
    estimand: EstimandOption = None,
    results: Annotated[Path | None, typer.Option(help="Results folder (default: results/SUITE).")] = None,
    executor: Annotated[ExecutorName, typer.Option(help="Where runs go.")] = ExecutorName.ray,
    address: Annotated[str | None, typer.Option(help="A running Ray to use instead of one started here.")] = None,
    gpus_per_run: Annotated[
        float | None, typer.Option(help="GPUs a run takes, below 1 a share (default: 1 if there is one).", min=0)
    ] = None,
    cpus_per_run: Annotated[int, typer.Option(help="CPU cores, and threads, a run takes.", min=1)] = 1,
    predictions: Annotated[bool, typer.Option(help="Keep each run's predictions, by id.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the runs and what is done; train nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Train every task alone and every pair, measure each directed gain, and draw the graph."""
    settings, rule = parse(set_ or []), rule_of(alpha, margin, correction, estimand)
    suite = find_suite(domain, data)
    folder = results or Path("results") / suite.name
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"--results {folder}: a file; expected a folder, or a name that is free")
    from taskaffinity.conduct import conduct, default_recipe, define, placed  # torch: after all that can be refused

    if gpus_per_run is None:
        gpus_per_run = 0.0 if suite.synthetic and encoder is None else _a_gpu_if_there_is_one()
    resources = Resources(executor.value, cpus_per_run, gpus_per_run, address)
    check_machine(resources)
    recipe = changed(placed(default_recipe(suite, encoder), resources), settings)
    looks: tuple[int, ...] = ()
    if max_seeds is not None and not adaptive:
        raise BadInput(f"--max-seeds {max_seeds}: of a race; give --adaptive too, or --seeds {max_seeds} to every pair")
    if adaptive:
        most = max_seeds or 12
        if seeds_single is not None:
            raise BadInput("--seeds-single: a race gives every task alone sqrt(N - 1) times the seeds of its pairs")
        if not 2 <= seeds < most:
            raise BadInput(f"--adaptive: it looks after --seeds {seeds} first; expected 2 or more, below --max-seeds")
        looks = (seeds, *(n for n in LOOKS if seeds < n < most), most)
        seeds = most
    study, found = define(
        suite,
        encoder=encoder,
        recipe=recipe,
        seeds=range(base_seed, base_seed + seeds),
        seeds_single=range(base_seed, base_seed + (seeds_single or seeds_alone(len(suite), seeds))),
        match=match.value,
        controls=controls,
        looks=looks,
        full=full,
        rule=rule,
    )
    if dry_run:
        print_plan(study, RunStore(folder))
        return
    warn_if_synthetic(suite.synthetic)
    with ProgressDisplay(quiet=quiet) as display:
        report = conduct(
            study,
            suite,
            found,
            folder,
            resources=resources,
            watch=display.show,
            keep_predictions=predictions,
        )
    publish_and_print(study, folder, rule)
    say_what_came(report, folder)
    if report.failed:
        raise typer.Exit(1)


def check_machine(resources: Resources) -> None:
    """Refuse what this machine can never run, before anything is written."""
    from taskaffinity.training.execute import gpus

    if resources.address is not None:
        return
    cores = os.cpu_count() or 1
    if resources.executor == "ray" and resources.cpus_per_run > cores:
        raise BadInput(f"--cpus-per-run {resources.cpus_per_run}: this machine has {cores} cores")
    if resources.gpus_per_run > gpus():
        raise BadInput(
            f"--gpus-per-run {resources.gpus_per_run:g}: this machine has {gpus()} GPUs that torch "
            "can use; give 0, or the --address of a Ray that has them"
        )


def print_plan(study: Study, store: RunStore) -> None:
    """Every run with whether it is done."""
    for spec in study.plan:
        print(f"{'done' if spec in store else 'to do':6} {spec.run_id}")
    done = sum(spec in store for spec in study.plan)
    most = "at most " if study.looks else ""
    print(f"{most}{len(study.plan)} runs, {done} done, {most}{len(study.plan) - done} to train")


def say_what_came(report: Report, folder: Path) -> None:
    """How many runs were trained and how long it took; failures with their reasons."""
    spent = f" in {duration(report.seconds)}" if report.trained or report.failed else ""
    print(
        f"{report.planned} runs: {len(report.trained)} trained now{spent}, {len(report.failed)} failed", file=sys.stderr
    )
    for spec, reason in report.failed.items():
        print(f"failed: {folder / 'runs' / spec.run_id}: {reason}", file=sys.stderr)


def _a_gpu_if_there_is_one() -> float:
    from taskaffinity.training.execute import gpus

    return 1.0 if gpus() else 0.0
