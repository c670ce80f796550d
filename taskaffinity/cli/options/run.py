"""What every command that trains shares: its options, and what it does between planning and publishing."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taskaffinity.cli.console.progress import ProgressDisplay
from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.errors import InputError
from taskaffinity.runs.files import write_atomic
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule.progress import Progress, Report
from taskaffinity.schedule.resources import Resources, RunOptions
from taskaffinity.schedule.run import pending_runs
from taskaffinity.studies.forecast import PADDED, duration
from taskaffinity.tasks.task import Suite
from taskaffinity.tracking.tracker import RunTracker

if TYPE_CHECKING:
    from taskaffinity.training.encoders import Encoder


AUTO = "auto"
"""The ``--gpus-per-run`` that is yet to be measured."""


class ExecutorName(StrEnum):
    ray = "ray"
    local = "local"


class ProtocolName(StrEnum):
    honest = "honest"
    paper = "paper"


ProtocolOption = Annotated[
    ProtocolName,
    typer.Option(help="honest: dev decides, test once. paper: as its released code, dev trained on, no selection."),
]
Domain = Annotated[str | None, typer.Option(help="clinical, biomedical, blue, open-clinical or planted-8.")]
SuiteFile = Annotated[Path | None, typer.Option("--suite", help="A YAML file of your own tasks, instead of --domain.")]
Data = Annotated[Path | None, typer.Option(help="Folder of task files (else TASKAFFINITY_DATA, else ./data).")]
EncoderOption = Annotated[str | None, typer.Option(help="Folder or hub id of a transformers encoder.")]
RecipeOption = Annotated[
    Path | None,
    typer.Option("--recipe", help="A recipe file, as `taskaffinity tune` writes it; --set has the last word."),
]
BaseSeed = Annotated[int, typer.Option(help="The first seed; the others follow it.", min=0)]
Results = Annotated[Path | None, typer.Option(help="Results folder (default: results/SUITE).")]
ExecutorOption = Annotated[ExecutorName, typer.Option(help="Where runs go.")]
Address = Annotated[str | None, typer.Option(help="A running Ray to use instead of one started here.")]
GpusPerRun = Annotated[
    str | None,
    typer.Option(
        help="GPUs a run takes (default: 1 if any); below 1 a share; auto: as much as it is measured to need."
    ),
]
CpusPerRun = Annotated[int, typer.Option(help="CPU cores, and threads, a run takes.", min=1)]
KeepPredictions = Annotated[bool, typer.Option("--predictions/--no-predictions", help="Keep each run's, by id.")]
KeepModels = Annotated[
    bool, typer.Option("--keep-models", help="Keep each run's trained tasks, for `taskaffinity export`.")
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Put the study in the place of another one in the folder; its runs stay.")
]
TrackOption = Annotated[
    list[str] | None,
    typer.Option("--track", help="mlflow, tensorboard, wandb: also log each finished run there (several: commas)."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the runs, what is done, and a forecast; train nothing.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")]


def results_folder(given: Path | None, suite: Suite, suite_file: Path | None) -> Path:
    """Where a study of the suite goes.

    Raises
    ------
    InputError
        If that is a file, or the folder of the suite's own file, which a copy of it could overwrite.
    """
    folder = given or Path("results") / suite.name
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--results {folder}: a file; expected a folder, or a name that is free")
    if suite_file is not None and folder.resolve() == suite_file.resolve().parent:
        raise InputError(f"--results {folder}: the folder of the suite file; expected one for the results alone")
    return folder


@contextmanager
def suite_file_kept(file: Path | None, folder: Path) -> Iterator[None]:
    """However what is done here ends, but for a refusal, a copy of the file lies beside the results: ``study.json``
    says what was trained on, this how it was split and read."""
    try:
        yield
    except InputError:
        raise
    except BaseException:
        _keep(file, folder)
        raise
    _keep(file, folder)


def _keep(file: Path | None, folder: Path) -> None:
    if file is not None and folder.is_dir():
        write_atomic(folder / "suite.yaml", file.read_bytes())


def resources_of(
    executor: ExecutorName, cpus_per_run: int, given_gpus: str | None, address: str | None, *, is_tiny: bool
) -> Resources:
    """Where runs go; one of them takes a GPU if there is one, unless its encoder is tiny.

    Raises
    ------
    InputError
        If this machine can never run them, or nothing can be measured on it.
    """
    from taskaffinity.training.execute import gpus  # torch: only where runs are planned

    is_measured = given_gpus == AUTO and not is_tiny
    if is_measured and not gpus():
        raise InputError(
            f"--gpus-per-run {AUTO}: this machine has no GPU that torch can use, to measure a run on; give a number"
        )
    if given_gpus is None or given_gpus == AUTO:
        gpus_per_run = 0.0 if is_tiny or not gpus() else 1.0
    else:
        gpus_per_run = _number_of_gpus(given_gpus)
    resources = Resources(executor.value, cpus_per_run, gpus_per_run, is_measured, address)
    if address is not None:
        return resources
    cores = os.cpu_count() or 1
    if resources.executor == "ray" and cpus_per_run > cores:
        raise InputError(f"--cpus-per-run {cpus_per_run}: this machine has {cores} cores")
    if gpus_per_run > gpus():
        raise InputError(
            f"--gpus-per-run {gpus_per_run:g}: this machine has {gpus()} GPUs that torch "
            "can use; give 0, or the --address of a Ray that has them"
        )
    return resources


def _number_of_gpus(given: str) -> float:
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise InputError(f"--gpus-per-run {given}: expected a number, 0 or more, or {AUTO}")
    if number > 1 and not number.is_integer():
        raise InputError(f"--gpus-per-run {given}: expected a share below 1, or a whole number of GPUs")
    return number


def train_and_show(
    study: Study,
    suite: Suite,
    encoder: Encoder,
    folder: Path,
    resources: Resources,
    *,
    options: RunOptions,
    quiet: bool,
    tracker: RunTracker,
) -> Report:
    """Train what the folder lacks, with a banner for made-up text, progress on stderr, and a tracker that follows."""
    from taskaffinity.studies.forecast import measured_cost
    from taskaffinity.studies.run import run_study  # torch

    warn_if_synthetic(suite.synthetic)
    pace = None
    is_asked = resources.is_measured or not suite.synthetic
    if is_asked and len(pending_runs(study.plan, RunStore(folder), keep_models=options.keep_models)) > 1:
        pace = measured_cost(study, suite, encoder)
        if pace and pace.attention == "padded" and pace.device == "cpu" and not quiet:
            print(PADDED, file=sys.stderr)
        if pace and pace.gpu_share and resources.is_measured:
            resources = replace(resources, gpus_per_run=pace.gpu_share)
    with ProgressDisplay(quiet=quiet) as display:

        def on_progress(progress: Progress) -> None:
            display.show(progress)
            tracker.update(progress)

        return run_study(
            study,
            suite,
            encoder,
            folder,
            resources=resources,
            on_progress=on_progress,
            options=options,
            cost_model=pace,
        )


def tell(lines: Iterable[str], *, quiet: bool) -> None:
    """Progress, on stderr."""
    for line in lines:
        if not quiet:
            print(line, file=sys.stderr)


def tracker_of(names: Sequence[str], study: Study, folder: Path) -> RunTracker:
    """What tells the trackers of ``--track``; one that fails is told of on stderr, whatever ``--quiet`` says."""
    return RunTracker(names, study, RunStore(folder), lambda line: print(line, file=sys.stderr))


def end_with(report: Report, folder: Path) -> None:
    """``print_summary``, and exit code 1 if a run failed."""
    print_summary(report, folder)
    if report.failed:
        raise typer.Exit(1)


def print_summary(report: Report, folder: Path) -> None:
    """How many runs were trained and how long it took; failures with their reasons."""
    spent = f" in {duration(report.seconds)}" if report.trained or report.failed else ""
    print(
        f"{report.planned} runs: {len(report.trained)} trained now{spent}, {len(report.failed)} failed", file=sys.stderr
    )
    for spec, reason in report.failed.items():
        print(f"failed: {folder / 'runs' / spec.run_id}: {reason}", file=sys.stderr)
