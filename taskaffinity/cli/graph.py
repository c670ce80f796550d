"""``taskaffinity graph RESULTS``: the tables and pictures again, from what is stored. Needs no torch and no data."""

from __future__ import annotations

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
from taskaffinity.cli.show import publish_and_print, warn_if_synthetic
from taskaffinity.runs.study import Study
from taskaffinity.tasks.task import BadInput


def command(
    results: Annotated[Path, typer.Argument(help="A results folder, as `taskaffinity pairwise` made it.")],
    alpha: Alpha = None,
    margin: Margin = None,
    correction: CorrectionOption = None,
    estimand: EstimandOption = None,
) -> None:
    """Draw a study again, without training."""
    try:
        study = Study.read(results)
        rule = rule_of(alpha, margin, correction, estimand, otherwise=study.rule)
    except (FileNotFoundError, ValueError) as error:
        raise BadInput(str(error)) from error
    except TypeError as error:
        raise BadInput(f"{results / 'study.json'}: not a study of this version: rule: {error}") from error
    publish_and_print(study, results, rule)
    warn_if_synthetic(study.synthetic)
