"""Which arrows a text names first, and what would decide the inconclusive ones."""

from __future__ import annotations

import math

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.statistics.power import MOST_SEEDS
from taskaffinity.analysis.style import plural

MOST_ARROWS = 20
"""Most arrows that a text names: those of five tasks."""

_MOST_DECISIONS = 10
_MOST_TARGETS = 8

Arrow = tuple[int, int]


def decided_first(matrix: AffinityMatrix, at_most: int = MOST_ARROWS) -> tuple[Arrow, ...]:
    """Return the arrows to print.

    These are all arrows in the suite's order, or by interest as many as fit on ``at_most`` lines.

    Significant arrows come first, by the size of the gain; then "no effect", then inconclusive arrows, by p-value;
    untested arrows come last.
    """
    if len(matrix.arrows) <= at_most:
        return matrix.arrows

    def place(arrow: Arrow) -> tuple[int, float, float]:
        verdict, p = matrix.verdict[arrow], float(matrix.p[arrow])
        if verdict in ("improves", "degrades"):
            return 0, -abs(float(matrix.gain[arrow])), 0.0
        if verdict == "no effect":
            return 1, float(matrix.p_tost[arrow]), 0.0
        return (3, 0.0, 0.0) if math.isnan(p) else (2, p, 0.0)

    shown: list[Arrow] = []
    lines = 0
    for arrow in sorted(matrix.arrows, key=place):
        lines += 2 if matrix.untested_reason[arrow] else 1  # the reason has a line of its own
        if lines > at_most:
            break
        shown.append(arrow)
    return tuple(shown)


def cheapest_decisions(matrix: AffinityMatrix, at_most: int = _MOST_DECISIONS) -> list[str]:
    """Return lines on what would decide the inconclusive arrows.

    A study of up to ``MOST_ARROWS`` arrows names every arrow. A larger one names the ``at_most`` arrows that need the
    fewest seeds, and counts the others by what they need.
    """
    if len(matrix.arrows) <= MOST_ARROWS:
        return describe_needs(matrix)
    seeds = {
        arrow: float(min(matrix.seeds_to_significance[arrow], matrix.seeds_to_equivalence[arrow]))
        for arrow in matrix.arrows
        if matrix.recommendation[arrow]
    }
    reachable = sorted((arrow for arrow in seeds if seeds[arrow] <= MOST_SEEDS), key=seeds.__getitem__)
    named, counted = reachable[:at_most], reachable[at_most:]
    on = _test_set(matrix)
    lines = [f"To decide {_name(matrix, arrow)}{on}: {matrix.recommendation[arrow]}." for arrow in named]
    if counted:
        fewest, most = seeds[counted[0]], seeds[counted[-1]]
        span = plural(most, "more seed") if fewest == most else f"{fewest:.0f} to {most:.0f} more seeds"
        lines.append(
            f"To decide {plural(len(counted), 'further arrow')}{on}: {span} each, in the better of the two cases."
        )
    more = sum(MOST_SEEDS < value < math.inf for value in seeds.values())
    if more:
        lines.append(f"To decide {plural(more, 'further arrow')}{on}: more than {MOST_SEEDS} more seeds each.")
    never = [arrow for arrow in seeds if math.isinf(seeds[arrow])]
    if never:
        into = [matrix.titles[t] for t in sorted({t for _, t in never})]
        targets = ", ".join(into) if len(into) <= _MOST_TARGETS else plural(len(into), "target")
        lines.append(
            f"To decide {plural(len(never), 'arrow')} into {targets}{on}: no number of seeds with these test sets."
        )
    return lines


def _name(matrix: AffinityMatrix, arrow: Arrow) -> str:
    return f"{matrix.titles[arrow[0]]} → {matrix.titles[arrow[1]]}"


def _test_set(matrix: AffinityMatrix) -> str:
    """Return on which test set the arrows are open; empty if the study has only one."""
    if not matrix.study.test_sets:
        return ""
    return f" on test set {matrix.test_set}" if matrix.test_set else " on the main test set"


def describe_needs(matrix: AffinityMatrix) -> list[str]:
    """One line for each recommendation, with the arrows that it would decide."""
    by_need: dict[str, list[str]] = {}
    for s, t in matrix.arrows:
        if matrix.recommendation[s, t]:
            by_need.setdefault(matrix.recommendation[s, t], []).append(_name(matrix, (s, t)))
    on = _test_set(matrix)
    return [f"To decide {', '.join(arrows)}{on}: {need}." for need, arrows in by_need.items()]
