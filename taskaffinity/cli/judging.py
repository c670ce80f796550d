"""The options that say when an arrow is coloured, shared by every command that draws a graph."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from taskaffinity.tasks.task import BadInput

if TYPE_CHECKING:
    from taskaffinity.analysis.verdicts import Rule


class CorrectionName(StrEnum):
    bh = "bh"
    by = "by"
    holm = "holm"
    dunnett = "dunnett"


class EstimandName(StrEnum):
    population = "population"
    test_set = "test-set"


Alpha = Annotated[float, typer.Option(help="Level of tests and intervals.", min=0.0001, max=0.5)]
Margin = Annotated[
    list[str] | None,
    typer.Option(help="Points: gains surely smaller are 'no effect' (default 1). METRIC=POINTS for one metric."),
]
CorrectionOption = Annotated[
    CorrectionName,
    typer.Option(
        help="For many arrows: bh and by keep the false discovery rate, holm any error, dunnett any into a target."
    ),
]
EstimandOption = Annotated[
    EstimandName, typer.Option(help="Gains of test sets like this one (population), or of this very one.")
]


def rule_of(alpha: float, margins: Sequence[str], correction: CorrectionName, estimand: EstimandName) -> Rule:
    """The rule that the options give.

    Raises
    ------
    BadInput
        A margin that is no number above 0, or of no metric.
    """
    from taskaffinity.analysis.verdicts import Rule  # scipy: not for --help

    points: dict[str, float] = {}
    for given in margins:
        metric, equals, text = given.rpartition("=")
        try:
            points[metric] = float(text)
        except ValueError:
            raise BadInput(f"--margin {given}: expected POINTS, or METRIC=POINTS") from None
        if equals and not metric:
            raise BadInput(f"--margin {given}: expected POINTS, or METRIC=POINTS")
    general = points.pop("", 1.0)
    try:
        return Rule(alpha, general, points, correction.value, estimand.value)
    except ValueError as error:
        raise BadInput(f"--margin: {error}") from error
