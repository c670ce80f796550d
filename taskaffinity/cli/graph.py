"""``taskaffinity graph RESULTS``: the tables and pictures again, from what is stored. Needs no torch and no data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.judging import (
    Alpha,
    CorrectionName,
    CorrectionOption,
    EstimandName,
    EstimandOption,
    Margin,
    rule_of,
)
from taskaffinity.cli.show import publish_and_print, warn_if_synthetic
from taskaffinity.runs.study import Study
from taskaffinity.tasks.task import BadInput


def command(
    results: Annotated[Path, typer.Argument(help="A results folder, as `taskaffinity pairwise` made it.")],
    alpha: Alpha = 0.05,
    margin: Margin = None,
    correction: CorrectionOption = CorrectionName.bh,
    estimand: EstimandOption = EstimandName.population,
) -> None:
    """Draw a study again, without training."""
    rule = rule_of(alpha, margin or [], correction, estimand)
    try:
        study = Study.read(results)
    except (FileNotFoundError, ValueError) as error:
        raise BadInput(str(error)) from error
    publish_and_print(study, results, rule)
    warn_if_synthetic(study.synthetic)
