"""Compare two studies of the same tasks: the change of every gain, and of every verdict.

A change is the second study's gain less the first's, in points. The two gains are taken as independent, so variances
add. The test is that of the studies; if they have different ones, it is Satterthwaite's. Both gains use the same test
examples (of external scores this is not known), and perhaps some of the same runs; what they share cancels in the
difference, so intervals are rather too wide than too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.statistics.gain_error import FloatArray, difference
from taskaffinity.analysis.statistics.verdicts import adjust
from taskaffinity.analysis.tables.printed_columns import PRINTED_COLUMNS
from taskaffinity.runs.external.scores import negated_tasks
from taskaffinity.runs.rule import Test
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import GIVEN_SCORE

COMPARISON_COLUMNS = tuple(PRINTED_COLUMNS["compare"])


@dataclass(frozen=True, eq=False)
class Comparison:
    """The changes of all arrows, in points.

    Arrays are ``[source, target]`` in the first study's order; NaN if a study does not test the arrow.
    """

    first: AffinityMatrix
    second: AffinityMatrix
    places: tuple[int, ...]
    """Index in the second study of each task of the first."""
    change: FloatArray
    """The second study's gain less the first's; known if both are measured."""
    se: FloatArray
    df: FloatArray
    low: FloatArray
    """Ends of the ``1 - alpha`` interval, not adjusted for multiple comparisons."""
    high: FloatArray
    p: FloatArray
    """Two-sided p-value of an equal gain in both studies."""
    q: FloatArray
    """``p`` adjusted for all arrows by Benjamini and Hochberg."""

    @property
    def test(self) -> Test:
        """Test of the changes: that of both studies, or Satterthwaite's if they differ."""
        return self.first.rule.test if self.first.rule.test == self.second.rule.test else "satterthwaite"

    @property
    def alpha(self) -> float:
        """Significance level of the first study."""
        return self.first.rule.alpha

    def in_second(self, arrow: tuple[int, int]) -> tuple[int, int]:
        """Return where the second study has an arrow of the first."""
        return self.places[arrow[0]], self.places[arrow[1]]

    @property
    def changed(self) -> tuple[tuple[int, int], ...]:
        """Arrows whose verdicts differ."""
        before, after = self.first.verdict, self.second.verdict
        return tuple(arrow for arrow in self.first.arrows if before[arrow] != after[self.in_second(arrow)])

    @property
    def unknown_examples(self) -> list[str]:
        """Titles of the targets of which only scores are known, and no test examples."""
        first = self.first
        return [
            first.titles[place]
            for place, metric in enumerate(first.metrics)
            if metric == GIVEN_SCORE and np.isfinite(self.change[:, place]).any()
        ]

    def untested_reason(self, arrow: tuple[int, int]) -> str:
        """Return why a change has no test, by study; empty if it has one."""
        reasons = {
            "first": self.first.untested_reason[arrow],
            "second": self.second.untested_reason[self.in_second(arrow)],
        }
        return "; ".join(f"{which}: {reason}" for which, reason in reasons.items() if reason)


def compare_studies(first: AffinityMatrix, second: AffinityMatrix) -> Comparison:
    """Return the changes from the first study's gains to the second's.

    Raises
    ------
    ValueError
        If the studies do not have the same tasks, data and metrics.
    """
    check_same_tasks(first.study, second.study)
    places = tuple(second.tasks.index(name) for name in first.tasks)
    take = np.ix_(places, places)
    change = second.gain[take] - first.gain
    error = difference(second.error.at(take), first.error)
    half, p = POINTS * error.half_width(first.rule.alpha), error.p()
    return Comparison(
        first, second, places, change, POINTS * error.se, error.df, change - half, change + half, p, adjust(p)
    )


def check_same_tasks(first: Study, second: Study) -> None:
    """Check that two studies have the same tasks, data, metrics and test examples, as far as they are known.

    Raises
    ------
    ValueError
        If they differ; the message says what differs.
    """
    ours, theirs = ({card.name: card for card in study.tasks} for study in (first, second))
    signs = set(negated_tasks(first.stated)) ^ set(negated_tasks(second.stated))
    if ours.keys() != theirs.keys():
        only = [
            f"only the {which} has {', '.join(sorted(extra))}"
            for which, extra in (("first", ours.keys() - theirs.keys()), ("second", theirs.keys() - ours.keys()))
            if extra
        ]
        raise ValueError(f"the studies have different tasks: {'; '.join(only)}; only studies of the same tasks compare")
    for what, other in (
        ("data", [name for name in ours if ours[name].fingerprint != theirs[name].fingerprint]),
        ("metrics", [name for name in ours if ours[name].metric != theirs[name].metric]),
        (
            "test examples (max_eval_examples, sample_seed)",
            [name for name in ours if first.test_examples(name) != second.test_examples(name)],
        ),
        ("signs of the scores", [name for name in ours if name in signs]),
    ):
        if other:
            raise ValueError(
                f"the studies have different {what} of {', '.join(other)}, so their gains cannot be compared"
            )


def comparison_frame(comparison: Comparison) -> pd.DataFrame:
    """Return one row per arrow, in the first study's order: ``COMPARISON_COLUMNS``."""
    first, second = comparison.first, comparison.second
    rows = []
    for arrow in first.arrows:
        place = comparison.in_second(arrow)
        row: dict[str, Any] = {
            "source": first.tasks[arrow[0]],
            "target": first.tasks[arrow[1]],
            "changed_verdict": first.verdict[arrow] != second.verdict[place],
            "metric": first.metrics[arrow[1]],
            "untested_reason": comparison.untested_reason(arrow),
            "alpha": comparison.alpha,
            "test": comparison.test,
            "synthetic": first.study.synthetic,
        }
        row |= {name: getattr(comparison, name)[arrow] for name in ("change", "low", "high", "p", "q", "se", "df")}
        for which, matrix, at in (("first", first, arrow), ("second", second, place)):
            for name in ("gain", "low", "high", "verdict", "se", "df"):
                row[f"{name}_{which}"] = getattr(matrix, name)[at]
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))
