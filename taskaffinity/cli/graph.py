"""``taskaffinity graph RESULTS``: the tables and pictures again, from what is stored. Needs no torch and no data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.show import publish_and_print, warn_if_synthetic
from taskaffinity.runs.study import Study
from taskaffinity.tasks.task import BadInput


def command(
    results: Annotated[Path, typer.Argument(help="A results folder, as `taskaffinity pairwise` made it.")],
    alpha: Annotated[float, typer.Option(help="Level of tests and intervals.", min=0.0001, max=0.5)] = 0.05,
    margin: Annotated[
        float, typer.Option(help="Gains surely within this many points are 'no effect'.", min=0.01)
    ] = 1.0,
) -> None:
    """Draw a study again, without training."""
    try:
        study = Study.read(results)
    except (FileNotFoundError, ValueError) as error:
        raise BadInput(str(error)) from error
    publish_and_print(study, results, alpha=alpha, margin=margin)
    warn_if_synthetic(study.synthetic)
