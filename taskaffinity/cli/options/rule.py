"""The options that say when an arrow is coloured, shared by every command that draws a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskaffinity.errors import InputError

if TYPE_CHECKING:
    from taskaffinity.runs.rule import Rule


class CorrectionName(StrEnum):
    bh = "bh"
    by = "by"
    holm = "holm"
    dunnett = "dunnett"


class EstimandName(StrEnum):
    population = "population"
    test_set = "test-set"


Alpha = Annotated[float | None, typer.Option(help="Level of tests and intervals (default: 0.05).", min=0.0001, max=0.5)]
Margin = Annotated[
    list[str] | None,
    typer.Option(help="Points: gains surely smaller are 'no effect' (default 1). METRIC=POINTS for one metric."),
]
CorrectionOption = Annotated[
    CorrectionName | None,
    typer.Option(
        help="For many arrows: bh (default) and by keep the false discovery rate, holm any error, dunnett any into a "
        "target."
    ),
]
EstimandOption = Annotated[
    EstimandName | None,
    typer.Option(help="Gains of test sets like this one (population, the default), or of this very one."),
]


def rule_of(
    alpha: float | None,
    margins: Sequence[str] | None,
    correction: CorrectionName | None,
    estimand: EstimandName | None,
    *,
    otherwise: Mapping[str, Any] | None = None,
) -> Rule:
    """The rule that the options give; what they leave open is as in ``otherwise``, else by default.

    Raises
    ------
    InputError
        A margin that is no number above 0, or of no metric.
    """
    from taskaffinity.runs.rule import Rule  # scipy: not for --help

    points: dict[str, float] = {}
    for given in margins or ():
        metric, equals, text = given.rpartition("=")
        try:
            points[metric] = float(text)
        except ValueError:
            raise InputError(f"--margin {given}: expected POINTS, or METRIC=POINTS") from None
        if equals and not metric:
            raise InputError(f"--margin {given}: expected POINTS, or METRIC=POINTS")
    given_here = {
        "alpha": alpha,
        "margin": points.pop("", None),
        "margins": points or None,
        "correction": correction and correction.value,
        "estimand": estimand and estimand.value,
    }
    try:
        return Rule(**{**(otherwise or {}), **{key: value for key, value in given_here.items() if value is not None}})
    except ValueError as error:
        raise InputError(f"--margin: {error}") from error
