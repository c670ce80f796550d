"""The options that say when an arrow gets a verdict, shared by every command that draws a graph."""

from __future__ import annotations

from typing import Annotated

import typer

from taskaffinity.cli.options.run import STATISTICS
from taskaffinity.runs.rule import Correction, Estimand

Alpha = Annotated[
    float | None,
    typer.Option(help="Level of tests and intervals (default: 0.05).", min=0.0001, max=0.5, rich_help_panel=STATISTICS),
]
Margin = Annotated[
    list[str] | None,
    typer.Option(
        help='Points below which a gain is "no effect" (default: 1). METRIC=POINTS for one metric.',
        rich_help_panel=STATISTICS,
    ),
]
CorrectionOption = Annotated[
    Correction | None,
    typer.Option(
        help="For many arrows. bh (default), by: false discovery rate. holm: any error. dunnett: any error per target.",
        rich_help_panel=STATISTICS,
    ),
]
EstimandOption = Annotated[
    Estimand | None,
    typer.Option(
        help="Gains on test sets like this one (population, the default), or on this very one.",
        rich_help_panel=STATISTICS,
    ),
]
