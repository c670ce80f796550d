"""Describe estimates of pairs that were not measured, for captions and alternative texts."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Literal

import numpy as np

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.estimates.of_matrix import estimated_arrows
from taskaffinity.analysis.style import ABOUT, describe_estimate_signs, plural, signed

MOST_ESTIMATES = 40
"""Most estimates that are named one by one."""
_MEASURED_TASKS = 8
"""Tasks of the smallest suite on which signs were right as often as ``docs/explanation/estimates.md`` says."""
_SMALL_SUITES = (
    "on synthetic suites of four tasks, 33% of the arrows without an effect had a sign from one probe, and 14% from two"
)


def estimate_cautions(n_tasks: int, source_learned: Sequence[bool]) -> list[str]:
    """Return a line for each known reason why the estimates of a study are unreliable.

    Parameters
    ----------
    source_learned
        Of each estimated arrow.
    """
    lines = []
    train = f"train the {comb(n_tasks, 2)} pairs with `taskaffinity pairwise`"
    if n_tasks < _MEASURED_TASKS:
        lines.append(f"Caution: signs are unreliable with {n_tasks} tasks: {_SMALL_SUITES}. So {train}.")
    missed = len(source_learned) - sum(source_learned)
    if missed and 2 * missed >= len(source_learned):
        lines.append(
            f"Caution: the probes are too short: in {missed} of {plural(len(source_learned), 'arrow')} the source was "
            f"not learned. So {train}."
        )
    return lines


def estimates_in_caption(matrix: AffinityMatrix, *, by: Literal["lines", "marks"] = "marks") -> str:
    """Return what the hollow arrows, cells or markers of a figure are; empty without estimates.

    Parameters
    ----------
    by : {"lines", "marks"}
        What shows the sign of an estimate in the figure.
    """
    number = len(estimated_arrows(matrix))
    if not number:
        return ""
    return (
        f"Hollow, {ABOUT}: {plural(number, 'estimate')} from short probes, for pairs that were not measured. An "
        f"estimate has the sign of a gain and not its size; it is no verdict ({describe_estimate_signs(by)})."
    )


def describe_estimates(matrix: AffinityMatrix) -> list[str]:
    """Return a line for each sign, and what an estimate is; none without estimates."""
    arrows, found = estimated_arrows(matrix), matrix.estimates
    if not arrows or found is None:
        return []
    lines = []
    for sign in ("positive", "negative", "unclear"):
        of_sign = [arrow for arrow in arrows if (found.sign[arrow] or "unclear") == sign]
        if not of_sign:
            continue
        names = ", ".join(
            f"{matrix.titles[s]} → {matrix.titles[t]} ({ABOUT}{signed(found.probe[s, t])})" for s, t in of_sign
        )
        listed = f": {names}" if len(of_sign) <= MOST_ESTIMATES else ""
        lines.append(f"Not measured, estimated as {sign}, {plural(len(of_sign), 'arrow')}{listed}.")
    cautions = estimate_cautions(len(matrix.tasks), found.source_learned[~np.isnan(found.probe)].tolist())
    return [*lines, "An estimate has the sign of a gain and not its size; it is no verdict.", *cautions]
