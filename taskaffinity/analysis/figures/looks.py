"""Choose how a figure shows an arrow: by its verdict, or hollow for an estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.figures.layout import SIGNIFICANT
from taskaffinity.analysis.statistics.verdicts import NOT_MEASURED, VERDICTS
from taskaffinity.analysis.style import ABOUT, Palette, VerdictStyle, signed

HOLLOW = 0.3
"""Width of a hollow arrow, as ``Look.share``: that of every estimate, because estimates do not have a gain's size."""


@dataclass(frozen=True)
class Look:
    """Style and label of one arrow."""

    style: VerdictStyle
    value: float
    """Points: the gain, or the probe of an estimate."""
    words: str
    """Label: the signed value, with ? if it is inconclusive or unclear, and ≈ before an estimate."""
    share: float
    """Width, from 0 (thinnest) to 1 (thickest)."""
    rank: int
    """Place in the order of drawing: estimates first, then inconclusive arrows; what improves lies on top."""


def looks_of(matrix: AffinityMatrix, colours: Palette) -> dict[tuple[int, int], Look]:
    """Return the look of every arrow that has a measured gain or an estimate."""
    largest = max((abs(matrix.gain[arrow]) for arrow in matrix.select(*SIGNIFICANT)), default=1.0)
    found = {}
    for arrow in matrix.arrows:
        gain, verdict = float(matrix.gain[arrow]), matrix.verdict[arrow]
        if math.isnan(gain):
            if look := estimate_look(matrix, arrow, colours):
                found[arrow] = look
            continue
        share = abs(gain) / largest if verdict in SIGNIFICANT else 0.0
        words = signed(gain) + "?" * (verdict == "inconclusive")
        found[arrow] = Look(colours.verdicts[verdict], gain, words, share, -VERDICTS.index(verdict))
    return found


def estimate_look(matrix: AffinityMatrix, arrow: tuple[int, int], colours: Palette) -> Look | None:
    """Return the look of an arrow's estimate; None if it has none."""
    if matrix.estimates is None or math.isnan(probe := float(matrix.estimates.probe[arrow])):
        return None
    sign = str(matrix.estimates.sign[arrow]) or "unclear"
    words = ABOUT + signed(probe) + "?" * (sign == "unclear")
    return Look(colours.estimates[sign], probe, words, HOLLOW, -len(VERDICTS))


def without_run(matrix: AffinityMatrix, arrow: tuple[int, int]) -> str:
    """Return what stands in the place of a gain that a study has not.

    The target lacks the test set, the pair was deferred, or it has no run.
    """
    if arrow[1] not in matrix.targets:
        return "–"
    return NOT_MEASURED if matrix.verdict[arrow] == NOT_MEASURED else "no run"


def untested_words(matrix: AffinityMatrix, arrow: tuple[int, int]) -> str:
    """Return why an arrow has no test, and that it was deferred if it was."""
    reason = str(matrix.untested_reason[arrow])
    return f"{NOT_MEASURED} ({reason})" if matrix.verdict[arrow] == NOT_MEASURED else reason


def has_sign(matrix: AffinityMatrix, arrow: tuple[int, int]) -> bool:
    """Return whether an arrow without a measured gain has an estimate with a clear sign."""
    found = matrix.estimates
    return found is not None and math.isnan(matrix.gain[arrow]) and found.sign[arrow] in ("positive", "negative")
