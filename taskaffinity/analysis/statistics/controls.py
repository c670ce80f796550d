"""Measure the controls of a study: arrows with a known truth, outside the graph.

A *placebo* cannot change its target, so the share of significant placebos is the study's false positive rate. A
*positive control* trains a target on half of its examples, with the other half as a second task. Without a gain there,
the study cannot detect a source that helps as much as more data of the target.
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
    """One control of a target, in score units; NaN where ``untested_reason`` says why."""

    kind: Literal["placebo", "positive"]
    target: str
    gain: float
    low: float
    high: float
    p: float
    """Two-sided p-value of a gain of zero, not adjusted."""
    seeds: int
    seeds_against: int
    """Finished runs of its baseline."""
    untested_reason: str


@dataclass(frozen=True)
class FalsePositives:
    """Significant placebos at a level, and the interval of the study's false positive rate."""

    significant: int
    tested: int
    expected: float
    low: float
    """Ends of the rate's 95% interval (Clopper & Pearson 1934)."""
    high: float


def controls_of(arms: Arms, rule: Rule) -> tuple[Control, ...]:
    """Return every control that has a run, placebos first, targets in the suite's order."""
    controls: list[Control] = []
    for kind, treated, against in (("placebo", "placebo", "single"), ("positive", "halves", "half")):
        for target in arms.tasks:
            keys = (target, treated, ""), (target, against, "")
            arm, other = arms.by_key.get(keys[0]), arms.by_key.get(keys[1])
            if arm is None or (kind == "positive" and other is None):
                continue
            prior, prior_against = map(arms.prior_for, keys)
            evidence = variance_components(arm, other, prior, prior_against, rule.estimand)
            error = standard_error(evidence, rule.estimand, rule.test)
            low, high = error.interval(rule.alpha)
            controls.append(
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
    return tuple(controls)


def false_positives(controls: Sequence[Control], alpha: float) -> FalsePositives:
    """Count the placebos with ``p <= alpha``."""
    p = [control.p for control in controls if control.kind == "placebo" and not control.untested_reason]
    significant = sum(value <= alpha for value in p)
    low, high = stats.binomtest(significant, len(p)).proportion_ci(0.95) if p else (0.0, 1.0)
    return FalsePositives(significant, len(p), alpha * len(p), float(low), float(high))
