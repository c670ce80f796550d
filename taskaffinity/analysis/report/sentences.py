"""Verdicts in sentences: ``MedNLI improves ClinicalSTS by 1.9 points [1.1, 2.7]; 3 seeds.``"""

from __future__ import annotations

import math

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.statistics.verdicts import NOT_MEASURED, VERDICTS
from taskaffinity.analysis.style import MINUS, plural, signed


def describe_arrow(matrix: AffinityMatrix, arrow: tuple[int, int]) -> str:
    """One arrow in a sentence: verdict, size of the gain or loss, interval and seeds."""
    source, target = matrix.titles[arrow[0]], matrix.titles[arrow[1]]
    gain, verdict, seeds = matrix.gain[arrow], matrix.verdict[arrow], _seeds(matrix, arrow)
    if math.isnan(gain):
        return f"{source} and {target}: not measured ({matrix.untested_reason[arrow]})."
    if matrix.untested_reason[arrow]:
        return f"{source} with {target}: {_points(signed(gain))}, untested ({matrix.untested_reason[arrow]}); {seeds}."
    low, high = matrix.low[arrow], matrix.high[arrow]
    if verdict in ("improves", "degrades"):
        sign = 1 if gain > 0 else -1
        low, high = sorted((sign * low, sign * high))
        size = _points(_plain(abs(gain)))
        return f"{source} {verdict} {target} by {size} [{_plain(low)}, {_plain(high)}]; {seeds}."
    said = f"{_points(signed(gain))} [{signed(low)}, {signed(high)}]; {seeds}."
    if verdict == "no effect":
        return f"{source} has no effect on {target}: {said}"
    return f"{source} on {target} is inconclusive: {said}"


def describe_counts(matrix: AffinityMatrix) -> str:
    """``Of 12 arrows 2 improve, 2 degrade, 6 have no effect, and 2 are inconclusive.``"""
    one = {
        "improves": "improves",
        "degrades": "degrades",
        "no effect": "has no effect",
        "inconclusive": "is inconclusive",
    }
    many = {
        "improves": "improve",
        "degrades": "degrade",
        "no effect": "have no effect",
        "inconclusive": "are inconclusive",
    }
    found = {verdict: len(matrix.select(verdict)) for verdict in VERDICTS}
    parts = [f"{count} {(one if count == 1 else many)[verdict]}" for verdict, count in found.items()]
    if deferred := len(matrix.select(NOT_MEASURED)):
        parts.append(f"{deferred} {'is' if deferred == 1 else 'are'} {NOT_MEASURED}")
    return f"Of {plural(len(matrix.arrows), 'arrow')} {', '.join(parts[:-1])}, and {parts[-1]}."


def describe_untested(matrix: AffinityMatrix) -> list[str]:
    """A line for each reason why arrows could not be tested, with those arrows."""
    by_reason: dict[str, list[str]] = {}
    for s, t in matrix.arrows:
        if matrix.untested_reason[s, t]:
            word = "Not measured" if matrix.verdict[s, t] == NOT_MEASURED else "No test"
            said = f"{word} ({matrix.untested_reason[s, t]})"
            by_reason.setdefault(said, []).append(f"{matrix.titles[s]} → {matrix.titles[t]}")
    return [f"{said}: {', '.join(arrows)}." for said, arrows in by_reason.items()]


def _seeds(matrix: AffinityMatrix, arrow: tuple[int, int]) -> str:
    pair, single = int(matrix.seeds_pair[arrow]), int(matrix.seeds_single[arrow])
    baseline = "compute-matched baseline" if matrix.study.baseline == "compute-matched" else "single task"
    return plural(pair, "seed") + ("" if pair == single else f" per pair, {single} per {baseline}")


def _points(shown: str) -> str:
    return f"{shown} {'point' if shown.lstrip('+' + MINUS) == '1.0' else 'points'}"


def _plain(points: float) -> str:
    return signed(points).removeprefix("+")
