"""Options of ``group``: the budget, the bound, and training with fresh seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from taskaffinity.cli.options.numbers import integer_option, number_option
from taskaffinity.cli.options.run import DATA, DESIGN, EXECUTION
from taskaffinity.errors import quoted
from taskaffinity.runs.limits import MOST_HELPERS, MOST_SEEDS
from taskaffinity.studies.group import DEFAULT_DRAWS, LEAST_RISK, MOST_DRAWS, MOST_GROUPS, MOST_HOURS, MOST_RISK
from taskaffinity.tasks.numbers import finite_number


def _risk(given: Any) -> float | None:
    """Read ``--risk``: a probability, or none."""
    if str(given) == "none":
        return None
    number = finite_number(str(given))
    if number is None or not LEAST_RISK <= number <= MOST_RISK:
        raise typer.BadParameter(
            f"found {quoted(str(given))}; expected none or a number from {LEAST_RISK:g} to {MOST_RISK:g}"
        )
    return number


Groups = Annotated[int | None, integer_option(1, MOST_GROUPS, help="Maximum number of models.", rich_help_panel=DESIGN)]
Hours = Annotated[
    float | None,
    number_option(
        0,
        MOST_HOURS,
        help="Maximum training hours of all models. Give this or --groups.",
        rich_help_panel=DESIGN,
    ),
]
Risk = Annotated[
    Any,
    typer.Option(
        parser=_risk,
        metavar="<float|none>",
        help="Probability that a gain is below the bound that the choice uses; none: use the gain itself.",
        rich_help_panel=DESIGN,
    ),
]
ForTask = Annotated[
    str | None,
    typer.Option(
        "--for",
        help="Rank the helpers of this task instead of choosing groups; with --retrain, search them on trained sets.",
        metavar="TASK",
        rich_help_panel=DESIGN,
    ),
]
Alternatives = Annotated[
    list[str] | None,
    typer.Option(
        help="Also compare other choices: all-in-one, single-task, pairs; separate several with commas.",
        rich_help_panel=DESIGN,
    ),
]
Draws = Annotated[
    int | None,
    integer_option(
        0,
        MOST_DRAWS,
        help=f"Number of draws that measure how stable the choice is. Default: {DEFAULT_DRAWS}.",
        rich_help_panel=DESIGN,
    ),
]
Retrain = Annotated[
    int | None,
    integer_option(
        1,
        MOST_SEEDS,
        help="Train the chosen models with N fresh seeds; compare with the prediction. With --for: race sets of "
        "helpers with up to N seeds.",
        rich_help_panel=EXECUTION,
    ),
]
SuiteAgain = Annotated[
    Path | None,
    typer.Option(
        "--suite", help="With --retrain: the suite file, if the study is of your own tasks.", rich_help_panel=DATA
    ),
]
Helpers = Annotated[
    int | None,
    integer_option(
        1,
        MOST_HELPERS,
        help="With --for and --retrain: the largest number of helpers. Default: 3.",
        rich_help_panel=DESIGN,
    ),
]
