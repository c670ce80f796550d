"""A study's controls: arrows whose truth is known, measured as all others are, and never part of the graph.

A *placebo* cannot move its target, so the share of placebos that the test calls is the study's own rate of false
positives. A *positive control* gives a target that was trained on half of its examples the other half as a second task:
where that shows no gain, the study could not have seen a helper as good as more data of the target itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from taskaffinity.analysis.statistics.arms import Arms
from taskaffinity.analysis.statistics.standard_errors import standard_error, variance_components
from taskaffinity.runs.rule import Rule


@dataclass(frozen=True)
class Control:
    """One control arrow into a target; score units, NaN where ``untested_reason`` says why."""

    kind: Literal["placebo", "positive"]
    target: str
    gain: float
    low: float
    high: float
    p: float
    """Of "the gain is zero", two-sided, not adjusted."""
    seeds: int
    seeds_against: int
    """Runs of the arm that it is compared with."""
    untested_reason: str


@dataclass(frozen=True)
class FalsePositives:
    """How many placebos were called at a level, and what that says of the study's rate."""

    called: int
    tested: int
    expected: float
    low: float
    """Ends of the 95 % interval of the rate (Clopper & Pearson 1934)."""
    high: float


def controls_of(arms: Arms, rule: Rule) -> tuple[Control, ...]:
    """Every control that has a run, placebos first, targets in the suite's order."""
    found: list[Control] = []
    for kind, treated, against in (("placebo", "placebo", "single"), ("positive", "halves", "half")):
        for target in arms.tasks:
            arm, other = arms.by_key.get((target, treated, "")), arms.by_key.get((target, against, ""))
            if arm is None or (kind == "positive" and other is None):
                continue
            evidence = variance_components(arm, other, arms.prior)
            error = standard_error(evidence, rule.estimand)
            low, high = error.interval(rule.alpha)
            found.append(
                Control(
                    kind=kind,  # type: ignore[arg-type]
                    target=target,
                    gain=float(error.gain),
                    low=float(low),
                    high=float(high),
                    p=float(error.p()),
                    seeds=arm.n_runs,
                    seeds_against=other.n_runs if other else 0,
                    untested_reason=str(evidence.untested_reason),
                )
            )
    return tuple(found)


def false_positives(controls: Sequence[Control], alpha: float) -> FalsePositives:
    """Placebos with ``p <= alpha``."""
    p = [control.p for control in controls if control.kind == "placebo" and not control.untested_reason]
    called = sum(value <= alpha for value in p)
    low, high = stats.binomtest(called, len(p)).proportion_ci(0.95) if p else (0.0, 1.0)
    return FalsePositives(called, len(p), alpha * len(p), float(low), float(high))
