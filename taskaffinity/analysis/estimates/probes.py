"""Estimates of gains from probes: sign, standard error and interval of every arrow.

The estimate of an arrow is the target's dev score after updates with the source, less that after the same updates
without it. It estimates the sign of a gain, not its size: a probe is short. A gain is 1 to ``RATIO`` times its
estimate, and the interval covers that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.runs.probe_result import ProbeResult
from taskaffinity.tasks.metrics import METRICS

Sign = Literal["positive", "negative", "unclear"]

RATIO = 6.0
"""Largest gain, in units of its estimate, that an interval covers. Measured on planted suites; real text may differ."""
Z = 1.645
"""Standard errors on each side of a 90% interval."""
INFLATION = 1.25
"""Factor of standard errors. A few probes and one dev set show less variance than there is."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Probed:
    """A probe with a source, and one without it that has the same updates on the target."""

    source: str
    target: str
    with_source: ProbeResult
    target_only: ProbeResult


@dataclass(frozen=True)
class Estimate:
    """The estimated gain of an arrow, in points."""

    source: str
    target: str
    probe: float = math.nan
    """Mean over the probes."""
    se: float = math.nan
    """Its standard error, inflated; NaN if it is unknown, as it is if all probes give the same predictions."""
    source_learned: bool = True
    """Whether the source was learned in every probe. If it was not, the arrow has no sign."""
    rounds: int = 0
    """Rounds of the longest probe."""
    repeats: int = 0
    """Probes, each from another seed."""
    seconds: float = math.nan
    """Time of the probes with the source, loading excluded."""
    reason: str = ""
    """Why there is no estimate; empty if there is one."""

    @property
    def interval(self) -> tuple[float, float]:
        """90% interval of the gain: the probe's interval, times 1 to ``RATIO``."""
        low, high = self.probe - Z * self.se, self.probe + Z * self.se
        return min(low, RATIO * low), max(high, RATIO * high)

    @property
    def sign(self) -> Sign:
        """The sign of the gain.

        It is unclear if the interval holds 0, or if the source was not learned.
        """
        low, high = self.interval
        if self.source_learned and low > 0:
            return "positive"
        return "negative" if self.source_learned and high < 0 else "unclear"


def estimates(probed: Sequence[Probed], missing: Mapping[tuple[str, str], str] = {}) -> list[Estimate]:
    """Estimate every arrow that has a probe.

    The variance of an estimate has two parts: the draw of the dev examples, from the influence of each document on the
    difference of the two scores, and the seeds. The latter is pooled over all arrows into a target.

    Parameters
    ----------
    probed : sequence of Probed
    missing : mapping of str
        Why an arrow (source, target) has no estimate.
    """
    by_arrow: dict[tuple[str, str], list[Probed]] = {}
    for one in probed:
        by_arrow.setdefault((one.source, one.target), []).append(one)
    found = {arrow: [_difference(one) for one in several] for arrow, several in by_arrow.items()}
    of_seeds = {target: _variance_over_seeds(found, target) for target in {target for _, target in found}}
    rows = []
    for (source, target), several in by_arrow.items():
        gains, influence = zip(*found[source, target], strict=True)
        mean = np.mean(influence, axis=0)
        of_examples = float(mean.var(ddof=1)) / len(mean) if len(mean) > 1 else math.nan
        variance = of_examples + of_seeds[target] / len(several)
        if not np.any(influence):  # equal probes: how far other seeds or examples would move them is unknown
            variance = math.nan
        rows.append(
            Estimate(
                source=source,
                target=target,
                probe=100 * float(np.mean(gains)),
                se=100 * INFLATION * math.sqrt(variance) or math.nan,
                source_learned=all(one.with_source.source_is_learned for one in several),
                rounds=max(one.with_source.scores.rounds for one in several),
                repeats=len(several),
                seconds=sum(_seconds(one.with_source) for one in several),
            )
        )
    return rows + [Estimate(*arrow, reason=reason) for arrow, reason in missing.items() if arrow not in by_arrow]


def _difference(one: Probed) -> tuple[float, FloatArray]:
    """The difference of the readouts, and the influence of each dev document on it."""
    influence = []
    for result in (one.with_source, one.target_only):
        counts = np.stack([result.last, result.averaged])
        influence.append(Arm.from_counts(counts, METRICS[result.scores.metric], result.documents).mean_influence)
    return one.with_source.scores.readout - one.target_only.scores.readout, influence[0] - influence[1]


def _variance_over_seeds(found: Mapping[tuple[str, str], Sequence[tuple[float, FloatArray]]], target: str) -> float:
    """Return the mean variance over seeds of one probe, over the arrows into a target.

    It is 0 if every arrow has one probe.
    """
    variances = [
        np.var([gain for gain, _ in several], ddof=1)
        for (_, into), several in found.items()
        if into == target and len(several) > 1
    ]
    return float(np.mean(variances)) if variances else 0.0


def _seconds(result: ProbeResult) -> float:
    work = result.scores.work
    return work.get("train_seconds", 0.0) + work.get("evaluate_seconds", 0.0)


def estimates_frame(rows: Sequence[Estimate], order: Sequence[str]) -> pd.DataFrame:
    """One row per arrow, in the order of the suite's tasks.

    Parameters
    ----------
    order : sequence of str
        Names of the tasks.
    """
    place = {name: number for number, name in enumerate(order)}
    table = []
    for row in sorted(rows, key=lambda row: (place[row.target], place[row.source])):
        low, high = row.interval
        values = {"low": low, "high": high, "sign": "" if row.reason else row.sign, **vars(row)}
        values["source_learned"] = None if row.reason else row.source_learned
        table.append([values[name] for name in COLUMNS["estimates.csv"]])
    return pd.DataFrame(table, columns=list(COLUMNS["estimates.csv"]))
