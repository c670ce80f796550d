"""``taskaffinity graph RESULTS``: write tables and figures again, without torch or data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.analysis.figure_options import ORDERED, FigureOptions
from taskaffinity.analysis.outdated import describe_outdated
from taskaffinity.cli.console.results import (
    describe_other_rule,
    draw_stages_and_print,
    publish_and_print,
    read_study,
    warn_if_synthetic,
)
from taskaffinity.cli.options.figures import Figures, Formats, Ordered, Palette, figure_options_of
from taskaffinity.cli.options.rule import Alpha, CorrectionOption, EstimandOption, Margin, TestOption
from taskaffinity.errors import InputError
from taskaffinity.runs.study import Design, Study
from taskaffinity.studies.settings import rule_of_study


def command(
    results: Annotated[Path, typer.Argument(help="Results folder of `taskaffinity pairwise` or `full`.")],
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

    Nothing is trained. Options that are not given are as in the study, whose file keeps its rule. Figures without a
    study in the folder are named, and the others are drawn.
    """
    figure_options = figure_options_of(figures, formats, palette, order)
    if order != "suite" and not {*ORDERED} & {*figure_options.figures}:
        raise InputError(f"--order {order}: is for {' and '.join(ORDERED)}; give one of them in --figures too")
    studies, missing = _studies(results, figure_options)
    asked = (alpha, margin, correction, estimand, test)
    if "pairwise" not in studies and any(asked):
        raise InputError("graph: found an option of the rule; only figures of pairs have one, and none is drawn")
    if pairs := studies.get("pairwise"):
        rule = rule_of_study(pairs, *asked)
        publish_and_print(pairs, results, rule, figure_options)
        for line in describe_other_rule(rule, pairs, results, figure_options):
            print(line, file=sys.stderr)
    if staged := studies.get("full"):
        draw_stages_and_print(staged, results, figure_options)
    for line in [*missing, *describe_outdated(results)]:
        print(line, file=sys.stderr)
    warn_if_synthetic(any(study.synthetic for study in studies.values()))
    if missing:
        raise typer.Exit(1)


def _studies(results: Path, figure_options: FigureOptions) -> tuple[dict[Design, Study], list[str]]:
    """Return the studies that the figures need, by design, and a line on missing ones.

    Raises
    ------
    InputError
        If no figure has its study.
    """
    needed: dict[Design, list[str]] = {
        "pairwise": [name for name in figure_options.figures if name != "stages"],
        "full": [name for name in figure_options.figures if name == "stages"],
    }
    studies: dict[Design, Study] = {}
    errors: dict[Design, InputError] = {}
    for design, names in needed.items():
        try:
            if names:
                studies[design] = read_study(results, design)
        except InputError as error:
            errors[design] = error
    if not studies:
        raise next(iter(errors.values()))
    return studies, [f"not drawn: {', '.join(needed[design])}: {error}" for design, error in errors.items()]
