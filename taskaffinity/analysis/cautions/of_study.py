"""Describe limits of a study's verdicts: collapsed runs, few documents, rare classes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.cautions.rare_classes import FEWEST_EXAMPLES
from taskaffinity.analysis.statistics.documents import few_documents_warning, unit_of
from taskaffinity.analysis.style import plural, signed
from taskaffinity.runs.external.scores import NEGATED, negated_tasks
from taskaffinity.tasks.metrics import GIVEN_SCORE

EXAGGERATION: Mapping[int, tuple[tuple[int, int], tuple[int, int], tuple[float, float]]] = {
    3: ((5, 6), (18, 29), (2.4, 3.3)),
    5: ((2, 3), (9, 17), (2.0, 2.5)),
    40: ((0, 1), (1, 1), (1.2, 1.2)),
}
"""By seeds per pair of a fixed design: how much too large significant gains were in simulations. For true gains of four
points or more, and of two to four, it is in percent; for smaller ones it is a factor."""
COLLAPSED_MARK = "*"
"""Marks arrows with a collapsed run in tables and figures."""

CEILING = 99.95
"""Points; a single-task score from here on leaves no room for a gain."""
_ZERO = 1e-9
"""Points; a mean error below it is 0 up to rounding."""

_MOST_ARROWS = 6
_LEVEL = 0.05

Arrow = tuple[int, int]


def collapsed_arrows(matrix: AffinityMatrix) -> tuple[Arrow, ...]:
    """The arrows with a collapsed run of the pair or of the baseline."""
    return tuple(a for a in matrix.arrows if matrix.collapsed_pair[a] or matrix.collapsed_single[a])


def describe_collapse(matrix: AffinityMatrix, arrow: Arrow) -> str:
    """``1 of 3 runs of the pair collapsed; +2.1 among the others``; empty without a collapsed run."""
    baseline = "compute-matched" if matrix.study.baseline == "compute-matched" else "single-task"
    arms = (
        (matrix.collapsed_pair[arrow], matrix.seeds_pair[arrow], "of the pair"),
        (matrix.collapsed_single[arrow], matrix.seeds_single[arrow], baseline),
    )
    parts = [
        f"{collapsed} of {runs} {f'runs {arm}' if arm.startswith('of') else f'{arm} runs'}"
        for collapsed, runs, arm in arms
        if collapsed
    ]
    if not parts:
        return ""
    gain = float(matrix.gain_trained[arrow])
    others = "no other run" if math.isnan(gain) else f"{signed(gain)} among the others"
    return f"{' and '.join(parts)} collapsed; {others}"


def describe_collapsed_arrows(matrix: AffinityMatrix) -> list[str]:
    """A line for each of the first arrows with a collapsed run; the others are counted."""
    found = collapsed_arrows(matrix)
    lines = [
        f"{matrix.titles[s]} → {matrix.titles[t]}: {describe_collapse(matrix, (s, t))}" for s, t in found[:_MOST_ARROWS]
    ]
    if len(found) > _MOST_ARROWS:
        more = plural(len(found) - _MOST_ARROWS, "more arrow")
        lines.append(f"and {more} with collapsed runs: collapsed_pair and collapsed_single in {matrix.table}")
    return lines


def collapse_in_caption(matrix: AffinityMatrix) -> list[str]:
    """A sentence that counts the arrows with collapsed runs; none without such an arrow."""
    n_arrows = len(collapsed_arrows(matrix))
    if not n_arrows:
        return []
    return [
        f"{plural(n_arrows, 'arrow')} {'has' if n_arrows == 1 else 'have'} collapsed runs, which count in the gain; "
        f"gain_trained in {matrix.table} leaves them out."
    ]


def describe_no_effect(matrix: AffinityMatrix) -> list[str]:
    """A sentence on the condition of "no effect"; none without such an arrow.

    The number of runs is that of the smallest arm, of a pair or of a baseline, in which no run collapsed.
    """
    found = matrix.select("no effect")
    if not found:
        return []
    arms = ((matrix.seeds_pair, matrix.collapsed_pair), (matrix.seeds_single, matrix.collapsed_single))
    seeds = [int(runs[arrow]) for runs, collapsed in arms for arrow in found if not collapsed[arrow]]
    holds = '"No effect" holds for runs that train normally'
    if not seeds:
        return [f"{holds}."]
    rate = 100 * (1 - _LEVEL ** (1 / min(seeds)))
    return [f"{holds}: {min(seeds)} runs without a collapse cannot exclude a collapse rate of up to {rate:.0f}%."]


def describe_winners_curse(matrix: AffinityMatrix) -> list[str]:
    """Return sentences on the size of significant gains.

    The figures are those of the fewest seeds of a significant arrow. They are not known for sequential designs. The
    list is empty without a significant arrow.
    """
    found = matrix.select("improves", "degrades")
    if not found:
        return []
    lines = [
        "Significant gains are too large on average, because the arrows that pass the test are those whose error "
        "points away from zero."
    ]
    if matrix.study.interim_seeds:
        return lines
    seeds = min(int(matrix.seeds_pair[arrow]) for arrow in found)
    simulated = max((n for n in EXAGGERATION if n <= seeds), default=min(EXAGGERATION))
    large, middle, small = (low_to_high(*ends) for ends in EXAGGERATION[simulated])
    more = "; with fewer seeds it is more" if seeds < simulated else ""
    lines.append(
        f"In simulations with {simulated} seeds per pair, true gains of 4 points or more were overestimated by "
        f"{large}%, gains of 2 to 4 points by {middle}%, and smaller ones {small} times{more}."
    )
    return lines


def low_to_high(low: float, high: float) -> str:
    """Return ``2 to 3``, or one number if both are equal."""
    return f"{low}" if low == high else f"{low} to {high}"


def describe_few_documents(matrix: AffinityMatrix) -> list[str]:
    """Return sentences on targets with few effective test documents.

    ``few_documents_warning`` writes them. The list is empty without such a target.

    Errors on exactly this test set (``test-set``) do not depend on documents.
    """
    if matrix.rule.estimand != "population":
        return []
    units = [unit_of(*sizes) for sizes in zip(matrix.n_documents, matrix.n_test, strict=True)]
    numbers = zip(matrix.effective_documents.tolist(), units, strict=True)
    return few_documents_warning(dict(zip(matrix.titles, numbers, strict=True)))


def describe_rare_classes(matrix: AffinityMatrix, *, official: bool) -> list[str]:
    """Return a line for each task with a rare class in macro-F1.

    ``official`` selects the metric of the verdicts.
    """
    lines = []
    for name, title in zip(matrix.tasks, matrix.titles, strict=True):
        rare = [one for one in matrix.rare_classes if one.task == name and one.is_official == official]
        if rare:
            named = ", ".join(f"{one.label} {one.examples}".strip() for one in rare)
            where = "" if official else " (other_metrics.csv)"
            classes = "1 class" if len(rare) == 1 else f"{len(rare)} classes"
            lines.append(
                f"Macro-F1 of {title}{where} has {classes} with fewer than {FEWEST_EXAMPLES} test examples (number of "
                f"examples: {named}). A few examples decide it, and its intervals tend to be too wide."
            )
    return lines


def has_ceiling(matrix: AffinityMatrix, target: int) -> bool:
    """Return whether the single-task models of a target make no error.

    Then no other task can help it.
    """
    return float(matrix.single_mean[target]) >= (-_ZERO if is_error(matrix, target) else CEILING)


def describe_ceiling(matrix: AffinityMatrix) -> list[str]:
    """Sentences that name the targets without room for a gain; none without one."""
    lines = []
    full = [place for place in range(len(matrix.tasks)) if has_ceiling(matrix, place)]
    for of_errors, best in ((False, "score is 100"), (True, "error is 0")):
        if found := [matrix.titles[place] for place in full if is_error(matrix, place) == of_errors]:
            named = ", ".join(found) if len(found) <= _MOST_ARROWS else plural(len(found), "task")
            lines.append(
                f"No room for a gain, because the single-task {best}: {named}. A harder test set, or less training data"
                f"{'' if matrix.study.is_external else ' (max_train_examples)'}, can show gains."
            )
    return lines


def is_error(matrix: AffinityMatrix, target: int) -> bool:
    """Return whether the scores of a target are negated errors."""
    return matrix.tasks[target] in negated_tasks(matrix.study.stated)


def describe_given_scores(matrix: AffinityMatrix) -> list[str]:
    """Sentences on scores without predictions: nothing is known about examples; none with predictions."""
    scored = [place for place, mean in enumerate(matrix.single_mean) if not math.isnan(mean)]
    given = [matrix.titles[place] for place in scored if matrix.metrics[place] == GIVEN_SCORE]
    if not given:
        return []
    named = ", ".join(given) if len(given) <= _MOST_ARROWS else plural(len(given), "task")
    whose = "" if len(given) == len(scored) else f" for {named}"
    lines = [
        f"Only scores were given{whose} and no predictions, so only seeds vary: intervals and verdicts hold on exactly "
        "this test set, and there is no standard error over test examples.",
    ]
    if negated := matrix.study.stated.get(NEGATED):
        lines.append(
            f"Smaller scores were better for {negated}: they are negated, so a positive gain is a smaller error."
        )
    return lines


def describe_cautions(matrix: AffinityMatrix) -> list[str]:
    """Return every sentence on test sets that are too small or too easy.

    A test set can be too small for the stated errors, or too easy for a gain.
    """
    by_class = [line for official in (True, False) for line in describe_rare_classes(matrix, official=official)]
    return describe_given_scores(matrix) + describe_ceiling(matrix) + describe_few_documents(matrix) + by_class
