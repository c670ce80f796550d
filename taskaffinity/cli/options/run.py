"""Options of all commands that train."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from taskaffinity.cli.options.numbers import integer_option, number_option
from taskaffinity.errors import InputError
from taskaffinity.runs.limits import MOST_CPUS, MOST_MINUTES, MOST_SEED
from taskaffinity.runs.settings import TYPES
from taskaffinity.runs.study import Protocol
from taskaffinity.schedule.resources import Executor
from taskaffinity.tasks.catalog import find_suite

DATA, TRAINING, DESIGN, STATISTICS, EXECUTION, OUTPUT = (
    "Data",
    "Training",
    "Design",
    "Statistics",
    "Execution",
    "Output",
)
"""The panels of a command's help."""
SETTINGS = f"Keys of --set: {', '.join(TYPES)}."
"""Last paragraph of a command's help, because a table would truncate it."""

Domain = Annotated[
    str | None,
    typer.Option(help="Tasks to train: clinical, biomedical, blue, open-clinical or planted-8.", rich_help_panel=DATA),
]
SuiteFile = Annotated[
    Path | None,
    typer.Option(
        "--suite", help="YAML file that names your own tasks; give it instead of --domain.", rich_help_panel=DATA
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Folder with the task files of --domain (default: TASKAFFINITY_DATA, else ./data).", rich_help_panel=DATA
    ),
]
Tasks = Annotated[
    str | None,
    typer.Option(
        "--tasks", help="Tasks of the suite to use, separated by commas (default: all).", rich_help_panel=DATA
    ),
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        help="Folder or hub id of the transformers encoder to train (default: BlueBERT; on synthetic text a tiny one).",
        rich_help_panel=TRAINING,
    ),
]
RecipeOption = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        help="File with settings, written by `taskaffinity tune`; --set overrides it.",
        rich_help_panel=TRAINING,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="KEY=VALUE changes a training setting (keys: see below); repeatable. finetune.KEY=VALUE changes it for "
        "fine-tuning only.",
        rich_help_panel=TRAINING,
    ),
]
ProtocolOption = Annotated[
    Protocol,
    typer.Option(
        help="honest: dev scores select the epoch, and test is scored once. paper: as the paper's released code does.",
        rich_help_panel=TRAINING,
    ),
]
BaseSeed = Annotated[
    int, integer_option(0, MOST_SEED, help="First seed; the others follow it.", rich_help_panel=DESIGN)
]
Results = Annotated[Path | None, typer.Option(help="Results folder (default: results/SUITE).", rich_help_panel=OUTPUT)]
ExecutorOption = Annotated[
    Executor,
    typer.Option(
        help="ray: train runs in parallel. local: train them one after the other in this process, without Ray.",
        rich_help_panel=EXECUTION,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Address of a running Ray cluster (default: start Ray on this machine).", rich_help_panel=EXECUTION
    ),
]
GpusPerRun = Annotated[
    str | None,
    typer.Option(
        help="GPUs per run (default: 1 if there is a GPU). With 0.5 two runs share a GPU; auto measures the share.",
        rich_help_panel=EXECUTION,
    ),
]
CpusPerRun = Annotated[
    int,
    integer_option(
        1,
        MOST_CPUS,
        help="CPU cores and threads per run; a run on a GPU has one thread.",
        rich_help_panel=EXECUTION,
    ),
]
CheckpointMinutes = Annotated[
    float,
    number_option(
        0,
        MOST_MINUTES,
        help="Minimum minutes between two checkpoints. A killed run resumes from the last one. 0: no checkpoints.",
        rich_help_panel=EXECUTION,
    ),
]
KeepPredictions = Annotated[
    bool,
    typer.Option(
        "--predictions/--no-predictions",
        help="Store each run's predictions by example id, without text.",
        rich_help_panel=OUTPUT,
    ),
]
KeepModels = Annotated[
    bool,
    typer.Option(
        "--keep-models/--no-models",
        help="Store each run's models, for `taskaffinity export` and `predict`.",
        rich_help_panel=OUTPUT,
    ),
]
ShareWithGroup = Annotated[
    bool,
    typer.Option(
        "--share-with-group",
        help="Let your group read models and predictions (modes 0640 and 0750); otherwise only you can.",
        rich_help_panel=OUTPUT,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace a different study in the results folder. Finished runs are not deleted.",
        rich_help_panel=OUTPUT,
    ),
]
ReportTo = Annotated[
    list[str] | None,
    typer.Option(
        "--report-to",
        help="Also log finished runs to mlflow, tensorboard or wandb; separate several with commas.",
        rich_help_panel=OUTPUT,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print the runs and the expected time and disk space; train nothing.", rich_help_panel=OUTPUT
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.", rich_help_panel=OUTPUT)]
PlanJson = Annotated[
    bool,
    typer.Option("--json", help="With --dry-run: print the plan as one JSON object.", rich_help_panel=OUTPUT),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print no progress.", rich_help_panel=OUTPUT)]


def check_json(json: bool, *, dry_run: bool) -> None:
    """Refuse ``--json`` without ``--dry-run``, if a command prints only its plan as JSON.

    Raises
    ------
    InputError
    """
    if json and not dry_run:
        raise InputError("--json: prints the plan; give --dry-run too")


def study_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Map the parameters of a command to fields of ``StudyOptions``.

    Raises
    ------
    InputError
        If ``--json`` is given without ``--dry-run``.
    """
    check_json(given["json"], dry_run=given["dry_run"])
    return suite_options(given) | {name: given[name] for name in ("alpha", "estimand", "test")}


def suite_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Map the parameters of a command to fields of ``SuiteOptions``."""
    unchanged = ("tasks", "encoder", "seeds", "base_seed", "recipe", "protocol", "overwrite", "executor")
    resources = ("address", "gpus_per_run", "cpus_per_run", "checkpoint_minutes", "keep_models", "share_with_group")
    return {name: given[name] for name in (*unchanged, *resources)} | {
        "settings": given["set_"] or (),
        "output_dir": given["results"],
        "keep_predictions": given["predictions"],
    }


def suite_of(domain: str | None, suite_file: Path | None) -> str | Path:
    """Return the domain or the suite file, whichever is given.

    Raises
    ------
    InputError
        If both are given, or none.
    """
    if domain is not None and suite_file is None:
        return domain
    if suite_file is not None and domain is None:
        return suite_file
    find_suite(domain, None, suite_file)
    raise AssertionError("find_suite refuses both and none")
