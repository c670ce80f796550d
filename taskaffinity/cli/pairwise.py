"""``taskaffinity pairwise``: plan, train what is missing, measure, show."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.progress import ProgressDisplay, duration
from taskaffinity.cli.recipe import changed
from taskaffinity.cli.show import publish_and_print, warn_if_synthetic
from taskaffinity.runs.spec import FROM_SCRATCH, REFINE, Recipe, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study, TaskCard
from taskaffinity.schedule import Report, Resources, run
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.tasks.task import BadInput, Suite

DEFAULT_ENCODERS = {
    "clinical": "bionlp/bluebert_pubmed_mimic_uncased_L-12_H-768_A-12",
    "biomedical": "bionlp/bluebert_pubmed_uncased_L-12_H-768_A-12",
    "blue": "bionlp/bluebert_pubmed_uncased_L-12_H-768_A-12",
}
"""The paper's: BlueBERT (P+M) for clinical text, BlueBERT (P) for the others."""


class ExecutorName(StrEnum):
    ray = "ray"
    local = "local"


def command(
    domain: Annotated[str, typer.Option(help="clinical, biomedical or blue.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of task files (else TASKAFFINITY_DATA, else ./data).")
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="Folder or hub id of a transformers encoder.")] = None,
    seeds: Annotated[int, typer.Option(help="Seeds a run is repeated with.", min=1)] = 3,
    base_seed: Annotated[int, typer.Option(help="The first seed; the others follow it.", min=0)] = 0,
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE: change a setting of the recipe.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Also train the whole set together.")] = False,
    results: Annotated[Path | None, typer.Option(help="Results folder (default: results/SUITE).")] = None,
    executor: Annotated[ExecutorName, typer.Option(help="Where runs go.")] = ExecutorName.ray,
    address: Annotated[str | None, typer.Option(help="A running Ray to use instead of one started here.")] = None,
    gpus_per_run: Annotated[
        float | None, typer.Option(help="GPUs a run takes; shares below 1 pack several on one.", min=0)
    ] = None,
    cpus_per_run: Annotated[int, typer.Option(help="CPU cores, and threads, a run takes.", min=1)] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the runs and what is done; train nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Train every task alone and every pair, measure each directed gain, and draw the graph."""
    suite = find_suite(domain, data)
    gpus = _gpus() if gpus_per_run is None else gpus_per_run
    resources = Resources(executor.value, cpus_per_run, gpus, address)
    recipe = replace(
        FROM_SCRATCH if suite.synthetic and encoder is None else REFINE,
        threads=cpus_per_run,
        device="cuda" if gpus else "cpu",
    )
    recipe = changed(recipe, set_ or [])
    folder = results or Path("results") / suite.name
    study, encoder_folder = resolve(suite, encoder, recipe, tuple(range(base_seed, base_seed + seeds)), full=full)
    if dry_run:
        print_plan(study, RunStore(folder))
        return
    warn_if_synthetic(suite.synthetic)
    report = train(suite, study, encoder_folder, folder, resources, quiet=quiet)
    publish_and_print(study, folder)
    say_what_came(report, folder, len(study.plan))
    if report.failed:
        raise typer.Exit(1)


def resolve(
    suite: Suite, encoder: str | None, recipe: Recipe, seeds: tuple[int, ...], *, full: bool
) -> tuple[Study, Path]:
    """What was asked as a study, and where its encoder lies."""
    from taskaffinity.tasks.planted import VOCABULARY
    from taskaffinity.training.encoders import find_encoder, tiny_encoder
    from taskaffinity.training.execute import versions

    if encoder is None and suite.synthetic:
        found = tiny_encoder(VOCABULARY, cache_folder())
    else:
        found = find_encoder(encoder or DEFAULT_ENCODERS[suite.name])
    cards = tuple(
        TaskCard(
            name=task.name,
            title=task.title,
            kind=task.kind,
            metric=task.metric_name,
            fingerprint=task.fingerprint,
            sizes={split: len(examples) for split, examples in task.examples.items()},
        )
        for task in suite
    )
    study = Study(
        suite.name, cards, found.ref, recipe, seeds, full=full, synthetic=suite.synthetic, versions=versions()
    )
    return study, found.folder


def train(
    suite: Suite, study: Study, encoder_folder: Path, folder: Path, resources: Resources, *, quiet: bool
) -> Report:
    """Train what the results folder lacks.

    Interrupted, it says how to go on and exits with 130; what is finished stays.
    """
    from taskaffinity.training.encoders import Encoder
    from taskaffinity.training.execute import prepare

    store = RunStore(folder)
    study.write(folder)
    sizes = {task.name: task.sizes["train"] for task in study.tasks}
    cap = study.recipe.max_train_examples

    def cost(spec: RunSpec) -> float:
        return sum(min(sizes[name], cap or sizes[name]) for name in spec.task_names)

    if any(spec not in store for spec in study.plan):
        prepare(suite.tasks, Encoder(encoder_folder, study.encoder), study.recipe, cache_folder())
    with ProgressDisplay(quiet=quiet) as display:
        try:
            return run(
                study.plan,
                store,
                encoder_folder=encoder_folder,
                cache=cache_folder(),
                resources=resources,
                cost=cost,
                watch=display.show,
            )
        except KeyboardInterrupt:
            print("interrupted; finished runs are kept, the same command continues", file=sys.stderr)
            raise typer.Exit(130) from None
        except ValueError as error:
            raise BadInput(str(error)) from error


def print_plan(study: Study, store: RunStore) -> None:
    """Every run with whether it is done."""
    for spec in study.plan:
        print(f"{'done' if spec in store else 'to do':6} {spec.run_id}")
    done = sum(spec in store for spec in study.plan)
    print(f"{len(study.plan)} runs, {done} done, {len(study.plan) - done} to train")


def say_what_came(report: Report, folder: Path, planned: int) -> None:
    """How many runs were trained and how long it took; failures with their reasons."""
    spent = f" in {duration(report.seconds)}" if report.trained or report.failed else ""
    print(f"{planned} runs: {len(report.trained)} trained now{spent}, {len(report.failed)} failed", file=sys.stderr)
    for spec, reason in report.failed.items():
        print(f"failed: {folder / 'runs' / spec.run_id}: {reason}", file=sys.stderr)


def cache_folder() -> Path:
    """Where encoded corpora lie: ``TASKAFFINITY_CACHE``, else ``~/.cache/taskaffinity``."""
    if given := os.environ.get("TASKAFFINITY_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taskaffinity"


def _gpus() -> float:
    import torch

    return 1.0 if torch.cuda.is_available() else 0.0
