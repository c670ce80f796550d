"""Options of the statistical rule, shared by all commands that draw a graph."""

from __future__ import annotations

from typing import Annotated

import typer

from taskaffinity.cli.options.numbers import number_option
from taskaffinity.cli.options.run import STATISTICS
from taskaffinity.runs.rule import Correction, Estimand, Test

Alpha = Annotated[
    float | None,
    number_option(
        0.0001,
        0.5,
        help="Significance level of tests; intervals cover 1 - alpha (default: 0.05).",
        rich_help_panel=STATISTICS,
    ),
]
Margin = Annotated[
    list[str] | None,
    typer.Option(
        help='Margin in points (default: 1). A gain that is shown to be smaller is "no effect". METRIC=POINTS sets the '
        "margin of one metric.",
        rich_help_panel=STATISTICS,
    ),
]
CorrectionOption = Annotated[
    Correction | None,
    typer.Option(
        help="Correction for many arrows. bh (default) and by limit the share of false arrows, holm the chance of any "
        "false arrow, dunnett that chance per target.",
        rich_help_panel=STATISTICS,
    ),
]
EstimandOption = Annotated[
    Estimand | None,
    typer.Option(
        help="Intervals cover new seeds and new test examples (population, the default) or new seeds only (test-set).",
        rich_help_panel=STATISTICS,
    ),
]
TestOption = Annotated[
    Test | None,
    typer.Option(
        help="Test of a gain. behrens-fisher (default) averages over the unknown variance of seeds; satterthwaite is "
        "the t test of earlier versions.",
        rich_help_panel=STATISTICS,
    ),
]
