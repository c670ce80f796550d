"""The options that every command that trains shares, and the object that prints what a study says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from taskaffinity.errors import InputError
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
"""At the end of a command's help, where no column cuts them."""

Domain = Annotated[
    str | None, typer.Option(help="clinical, biomedical, blue, open-clinical or planted-8.", rich_help_panel=DATA)
]
SuiteFile = Annotated[
    Path | None,
    typer.Option("--suite", help="A YAML file of your own tasks, instead of --domain.", rich_help_panel=DATA),
]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder of task files (default: TASKAFFINITY_DATA, else ./data).", rich_help_panel=DATA),
]
EncoderOption = Annotated[
    str | None, typer.Option(help="Folder or hub id of a transformers encoder.", rich_help_panel=TRAINING)
]
RecipeOption = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        help="A recipe file, as `taskaffinity tune` writes it; --set overrides it.",
        rich_help_panel=TRAINING,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="KEY=VALUE changes a setting; finetune.KEY=VALUE changes it for fine-tuning alone. Keys: below.",
        rich_help_panel=TRAINING,
    ),
]
ProtocolOption = Annotated[
    Protocol,
    typer.Option(
        help="honest: dev selects the epoch, test is scored once. paper: as the paper's released code.",
        rich_help_panel=TRAINING,
    ),
]
BaseSeed = Annotated[int, typer.Option(help="The first seed; the others follow it.", min=0, rich_help_panel=DESIGN)]
Results = Annotated[Path | None, typer.Option(help="Results folder (default: results/SUITE).", rich_help_panel=OUTPUT)]
ExecutorOption = Annotated[
    Executor,
    typer.Option(help="ray: runs in parallel. local: one after the other in this process.", rich_help_panel=EXECUTION),
]
Address = Annotated[
    str | None, typer.Option(help="Address of a running Ray cluster, instead of a Ray here.", rich_help_panel=EXECUTION)
]
GpusPerRun = Annotated[
    str | None,
    typer.Option(
        help="GPUs per run (default: 1 if there is one); below 1 a share; auto: the share that a trial needs.",
        rich_help_panel=EXECUTION,
    ),
]
CpusPerRun = Annotated[int, typer.Option(help="CPU cores, and threads, per run.", min=1, rich_help_panel=EXECUTION)]
KeepPredictions = Annotated[
    bool, typer.Option("--predictions/--no-predictions", help="Keep each run's, by id.", rich_help_panel=OUTPUT)
]
KeepModels = Annotated[
    bool,
    typer.Option("--keep-models", help="Keep each run's models, for `taskaffinity export`.", rich_help_panel=OUTPUT),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace another study in the results folder; its runs stay.", rich_help_panel=OUTPUT
    ),
]
ReportTo = Annotated[
    list[str] | None,
    typer.Option(
        "--report-to",
        help="mlflow, tensorboard, wandb: also log each finished run there (several: commas).",
        rich_help_panel=OUTPUT,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print the runs, what is done, and a forecast; train nothing.", rich_help_panel=OUTPUT
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.", rich_help_panel=OUTPUT)]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on stderr.", rich_help_panel=OUTPUT)]


def study_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``StudyOptions`` from the parameters of a command.

    Raises
    ------
    InputError
        If ``--json`` is given without ``--dry-run``.
    """
    if given["json"] and not given["dry_run"]:
        raise InputError("--json: prints the plan; give --dry-run too")
    same = ("encoder", "seeds", "base_seed", "recipe", "protocol", "alpha", "estimand", "overwrite", "executor")
    also = ("address", "gpus_per_run", "cpus_per_run", "keep_models")
    return {name: given[name] for name in (*same, *also)} | {
        "settings": given["set_"] or (),
        "output_dir": given["results"],
        "keep_predictions": given["predictions"],
    }


def suite_of(domain: str | None, suite_file: Path | None) -> str | Path:
    """The domain or the suite file, whichever is given.

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
