"""The rule that gives an arrow its verdict: level, margin, correction, estimand and test."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from taskaffinity.errors import STRICT, InputError, one_line_errors
from taskaffinity.tasks.metrics import METRICS

Estimand = Literal["population", "test-set"]
"""What a gain refers to: test sets drawn like this one, or exactly this test set. For the latter only seeds contribute
error."""

Correction = Literal["bh", "by", "holm", "dunnett"]

Test = Literal["behrens-fisher", "satterthwaite"]


@one_line_errors
@dataclass(frozen=True, config=STRICT)
class Rule:
    """When an arrow is significant, and when it is equivalent to zero.

    Raises
    ------
    ValueError
        If a level or a margin is out of range, or a name is unknown: one line with the setting and its value.
    """

    alpha: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="False discovery rate of the significant arrows and of the equivalent ones; 1 - alpha is the "
            "level of the intervals. With holm it is the familywise error rate, with dunnett the familywise error "
            "rate for each target.",
        ),
    ] = 0.05
    margin: Annotated[
        float,
        Field(
            gt=0,
            lt=100,
            description="Equivalence margin in points. A gain that is surely smaller in size is equivalent to zero "
            '("no effect"). The paper treats differences below one point as equal (section 4.3).',
        ),
    ] = 1.0
    margins: Annotated[
        Mapping[str, float],
        Field(description="Equivalence margins in points for tasks of certain metrics; margin holds for the others."),
    ] = field(default_factory=dict)
    correction: Annotated[Correction, Field(description="Correction for the number of arrows.")] = "bh"
    estimand: Annotated[
        Estimand,
        Field(
            description="population: test sets drawn like this one. test-set: exactly this test set, where only seeds "
            "contribute error."
        ),
    ] = "population"
    test: Annotated[
        Test,
        Field(
            description="behrens-fisher: averages over what the variance over seeds may be; each target and each kind "
            "of arm has its own typical variance. satterthwaite: a t test with Satterthwaite's degrees of freedom and "
            "one typical variance for the study."
        ),
    ] = "behrens-fisher"

    def __post_init__(self) -> None:
        for metric, margin in self.margins.items():
            if not 0 < margin < 100:
                raise ValueError(f"the margin of {metric} is {margin} points; it must be above 0 and below 100")
            if metric not in METRICS:
                raise ValueError(f"a margin for {metric}: no such metric; there are {', '.join(METRICS)}")

    def margin_of(self, metric: str) -> float:
        """Return the margin for tasks of this metric, in points."""
        return self.margins.get(metric, self.margin)


def check_margins(margins: Mapping[str, float], metrics: Collection[str]) -> None:
    """Raise ``InputError`` for a margin of a metric that no task is scored by: it would do nothing.

    Parameters
    ----------
    margins : mapping
        Points by metric.
    metrics : collection of str
        Metric of each task of the study.
    """
    for metric, points in margins.items():
        if metric not in metrics:
            would_do = " or ".join(f"{name}={points:g}" for name in sorted(set(metrics)))
            raise InputError(f"--margin {metric}={points:g}: no task of the study is scored by it; expected {would_do}")
