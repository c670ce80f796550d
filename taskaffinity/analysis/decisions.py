"""What would decide the inconclusive arrows of a study."""

from __future__ import annotations

import math

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.statistics.power import MOST_SEEDS
from taskaffinity.analysis.style import plural

MOST_ARROWS = 20
"""Most arrows that a text names: those of five tasks."""

_MOST_DECISIONS = 10

Arrow = tuple[int, int]


def cheapest_decisions(matrix: AffinityMatrix, at_most: int = _MOST_DECISIONS) -> list[str]:
    """What would decide the inconclusive arrows, a line each.

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
    lines = [f"To decide {_name(matrix, arrow)}: {matrix.recommendation[arrow]}." for arrow in named]
    if counted:
        fewest, most = seeds[counted[0]], seeds[counted[-1]]
        span = plural(most, "more seed") if fewest == most else f"{fewest:.0f} to {most:.0f} more seeds"
        lines.append(f"To decide {plural(len(counted), 'further arrow')}: {span} each.")
    more = sum(MOST_SEEDS < value < math.inf for value in seeds.values())
    if more:
        lines.append(f"To decide {plural(more, 'further arrow')}: more than {MOST_SEEDS} more seeds each.")
    never = [arrow for arrow in seeds if math.isinf(seeds[arrow])]
    if never:
        targets = ", ".join(dict.fromkeys(matrix.titles[t] for _, t in sorted(never, key=lambda arrow: arrow[1])))
        lines.append(f"Not reachable with these test sets: {plural(len(never), 'arrow')} into {targets}.")
    return lines


def _name(matrix: AffinityMatrix, arrow: Arrow) -> str:
    return f"{matrix.titles[arrow[0]]} → {matrix.titles[arrow[1]]}"


def describe_needs(matrix: AffinityMatrix) -> list[str]:
    """One line for each recommendation, with the arrows that it would decide."""
    by_need: dict[str, list[str]] = {}
    for s, t in matrix.arrows:
        if matrix.recommendation[s, t]:
            by_need.setdefault(matrix.recommendation[s, t], []).append(f"{matrix.titles[s]} → {matrix.titles[t]}")
    return [f"To decide {', '.join(arrows)}: {need}." for need, arrows in by_need.items()]
