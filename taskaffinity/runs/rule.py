"""When an arrow gets a verdict: level, margin, correction and estimand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from taskaffinity.tasks.metrics import METRICS

Estimand = Literal["population", "test-set"]
"""What a gain is a gain of: test sets drawn like this one, or this very test set (then only seeds are in the error)."""

Correction = Literal["bh", "by", "holm", "dunnett"]


@dataclass(frozen=True)
class Rule:
    """When an arrow is coloured.

    Raises
    ------
    ValueError
        If a level, a margin or a name cannot be used.
    """

    alpha: float = 0.05
    """False discovery rate of the colours, and of the "no effect" verdicts; one less the level of the intervals. (With
    ``holm`` the chance of any false one; with ``dunnett`` the same for each target.)"""
    margin: float = 1.0
    """Points; a gain that is surely smaller, up or down, is "no effect" (the paper treats differences below one point
    as equal, 4.3)."""
    margins: Mapping[str, float] = field(default_factory=dict)
    """Points, for tasks of certain metrics (keys of ``METRICS``) another margin."""
    correction: Correction = "bh"
    estimand: Estimand = "population"

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha is {self.alpha}; it must lie between 0 and 1")
        for metric, margin in {"": self.margin, **self.margins}.items():
            if not 0 < margin < 100:
                raise ValueError(
                    f"the margin{metric and f' of {metric}'} is {margin} points; it must be above 0 and below 100"
                )
            if metric and metric not in METRICS:
                raise ValueError(f"a margin for {metric}: no such metric; there are {', '.join(METRICS)}")
        for name, value, legal in (
            ("correction", self.correction, get_args(Correction)),
            ("estimand", self.estimand, get_args(Estimand)),
        ):
            if value not in legal:
                raise ValueError(f"no {name} {value!r}; there are {', '.join(legal)}")

    def margin_of(self, metric: str) -> float:
        """Points."""
        return self.margins.get(metric, self.margin)
