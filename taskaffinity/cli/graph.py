"""``taskaffinity graph RESULTS``: write tables and figures again, without torch and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.console.results import draw_stages_and_print, publish_and_print, read_study, warn_if_synthetic
from taskaffinity.cli.options.figures import Figures, Formats, Ordered, Palette, pictures_of
from taskaffinity.cli.options.rule import Alpha, CorrectionOption, EstimandOption, Margin, TestOption
from taskaffinity.studies.settings import make_rule


def command(
    results: Annotated[Path, typer.Argument(help="Results folder of `taskaffinity pairwise`.")],
    alpha: Alpha = None,
    margin: Margin = None,
    correction: CorrectionOption = None,
    estimand: EstimandOption = None,
    test: TestOption = None,
    figures: Figures = None,
    formats: Formats = None,
    palette: Palette = "paper",
    order: Ordered = "suite",
) -> None:
    """Write the tables and figures of a study again, for example with other figures or another alpha.

    Nothing is trained. Options that are not given are as in the study.
    """
    pictures = pictures_of(figures, formats, palette, order)
    staged = read_study(results, "full") if "stages" in pictures.figures else None
    if staged is not None and pictures.figures == ("stages",):
        draw_stages_and_print(staged, results, pictures)
        warn_if_synthetic(staged.synthetic)
        return
    study = read_study(results, "pairwise")
    rule = make_rule(alpha, margin, correction, estimand, test, default=study.rule)
    publish_and_print(study, results, rule, pictures)
    if staged is not None:
        draw_stages_and_print(staged, results, pictures)
    warn_if_synthetic(study.synthetic)
