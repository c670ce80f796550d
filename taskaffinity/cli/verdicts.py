"""``taskaffinity verdicts SCORES``: verdicts on runs that were trained elsewhere, without torch and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.console.results import print_pairwise
from taskaffinity.cli.options.rule import Alpha, CorrectionOption, Margin, TestOption
from taskaffinity.cli.options.run import DATA, OUTPUT, Quiet, Results
from taskaffinity.studies.settings import make_rule
from taskaffinity.studies.verdicts import write_verdicts


def command(
    scores: Annotated[
        Path, typer.Argument(help="CSV or parquet file with the columns target, source, seed and score.")
    ],
    scale: Annotated[
        Literal["fraction", "point"] | None,
        typer.Option(
            help="Unit of the scores (default: fraction if no score is above 1, else point).", rich_help_panel=DATA
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the study in captions (default: that of the file).", rich_help_panel=OUTPUT),
    ] = None,
    alpha: Alpha = None,
    margin: Margin = None,
    correction: CorrectionOption = None,
    test: TestOption = None,
    results: Results = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace scores in the results folder that have more tasks or seeds.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Test the gains of runs that you trained elsewhere, from their scores.

    One row is one score: of a target trained with a source, or single-task if the source is empty. Verdicts hold for
    new seeds on exactly this test set, because nothing is known about its examples. Nothing is trained.
    """
    rule = make_rule(alpha, margin, correction, None, test)
    with ConsoleListener(quiet=quiet) as listener:
        found = write_verdicts(
            scores, scale=scale, name=name, rule=rule, output_dir=results, overwrite=overwrite, listener=listener
        )
    print_pairwise(found)
