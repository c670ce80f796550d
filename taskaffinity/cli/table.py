"""``taskaffinity table N RESULTS``: a table of the paper, its numbers beside ours. Needs no torch and no data."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.show import print_stages, warn_if_synthetic
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.task import BadInput


class FormatName(StrEnum):
    text = "text"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"


def command(
    number: Annotated[int, typer.Argument(help="Of the paper's table: 2 (clinical), 3 (biomedical) or 6 (both).")],
    results: Annotated[Path, typer.Argument(help="A results folder, as `taskaffinity full` made it.")],
    format_: Annotated[FormatName, typer.Option("--format", help="How it is printed.")] = FormatName.text,
) -> None:
    """Print one of the paper's tables with our own scores."""
    from taskaffinity.analysis.stages import PAPER_TABLES

    suites = {table: suite for suite, table in PAPER_TABLES.items()}
    if number not in suites:
        raise BadInput(f"table {number}: expected one of {', '.join(map(str, suites))}")
    try:
        study = Study.read(results, "full")
    except (FileNotFoundError, ValueError) as error:
        raise BadInput(str(error)) from error
    if study.suite != suites[number]:
        raise BadInput(f"table {number}: of suite {suites[number]}, but {results} holds suite {study.suite}")
    print_stages(study, RunStore(results), format_.value)
    warn_if_synthetic(study.synthetic)
