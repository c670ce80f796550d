"""``taskaffinity table N RESULTS ...``: a table of the paper, its numbers beside ours. Needs no torch and no data."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.show import print_encoders, print_stages, warn_if_synthetic
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import FILES, Study
from taskaffinity.tasks.task import BadInput


class FormatName(StrEnum):
    text = "text"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"


def command(
    number: Annotated[
        int, typer.Argument(help="Of the paper: 2, 3, 6 (stages; clinical, biomedical, both), 4, 5 (encoders).")
    ],
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Results folder, as `taskaffinity full` made it; for 4 and 5 one an encoder, or that of `--encoders`."
        ),
    ],
    format_: Annotated[FormatName, typer.Option("--format", help="How it is printed.")] = FormatName.text,
) -> None:
    """Print one of the paper's tables with our own scores."""
    from taskaffinity.analysis.stages import ENCODER_TABLES, PAPER_TABLES

    suites = {table: suite for tables in (PAPER_TABLES, ENCODER_TABLES) for suite, table in tables.items()}
    if number not in suites:
        raise BadInput(f"table {number}: expected one of {', '.join(map(str, sorted(suites)))}")
    if number in PAPER_TABLES.values() and len(results) > 1:
        raise BadInput(f"table {number}: {len(results)} results folders; expected one")
    if number in ENCODER_TABLES.values():
        results = [one for folder in results for one in _with_subfolders(folder)]
    studies = [_read(folder) for folder in results]
    for folder, study in zip(results, studies, strict=True):
        if study.suite != suites[number]:
            raise BadInput(f"table {number}: of suite {suites[number]}, but {folder} holds suite {study.suite}")
        for what, same in (
            ("data", study.refs == studies[0].refs),
            ("protocol", study.protocol == studies[0].protocol),
        ):
            if not same:
                raise BadInput(f"table {number}: {results[0]} and {folder} differ in their {what}")
    stores = [RunStore(folder) for folder in results]
    if number in PAPER_TABLES.values():
        print_stages(studies[0], stores[0], format_.value)
    else:
        print_encoders(list(zip(studies, stores, strict=True)), format_.value)
    warn_if_synthetic(studies[0].synthetic)


def _with_subfolders(folder: Path) -> list[Path]:
    """The studies below a folder, as `taskaffinity full --encoders` left them, else the folder itself."""
    return sorted(path.parent for path in folder.glob(f"*/{FILES['full']}")) or [folder]


def _read(folder: Path) -> Study:
    try:
        return Study.read(folder, "full")
    except (FileNotFoundError, ValueError) as error:
        raise BadInput(str(error)) from error
