"""Say how gains of groups are predicted, what their intervals cover, and what all tasks together gain."""

from __future__ import annotations

import math

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import describe_level
from taskaffinity.analysis.groups.chosen import ChosenGroups
from taskaffinity.analysis.groups.measured import can_measure, measured_groups
from taskaffinity.analysis.groups.predictions import Prediction
from taskaffinity.analysis.style import signed_plainly
from taskaffinity.runs.store import RunStore


def interval_in_words(found: Prediction) -> str:
    """Return ``[+1.0, +2.0]``; empty if it is unknown."""
    return "" if math.isnan(found.low) else f"[{signed_plainly(found.low)}, {signed_plainly(found.high)}]"


def describe_all_together(matrix: AffinityMatrix, store: RunStore) -> list[str]:
    """Return a line with the gain of each task from training all tasks together; none if no such gain can be tested.

    A sequential study has none: its arms grow at interim analyses.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    groups = {} if matrix.sequential else measured_groups(matrix, store)
    full = groups.get(tuple(range(len(matrix.tasks))))
    if full is None or all(map(math.isnan, full.low)):
        return []
    found = ", ".join(
        f"{title} {signed_plainly(gain)} [{signed_plainly(low)}, {signed_plainly(high)}]"
        for title, gain, low, high in zip(matrix.titles, full.gain, full.low, full.high, strict=True)
        if not math.isnan(low)
    )
    level = describe_level(matrix)
    return [
        f"All tasks together, compared with single-task training, in points: {found} "
        f"({level} intervals, not adjusted for the number of tasks)."
    ]


def describe_predictions(chosen: ChosenGroups) -> list[str]:
    """Return lines on the model of the predicted gains, its error, and how to check them."""
    model, groups = chosen.predictor.model, chosen.grouping.groups
    check = "train the chosen ones with fresh seeds (--retrain) before you rely on them."
    if not model.is_fitted:
        covers = " The lower bound covers the errors of those gains; a group can still differ from their mean."
        covers = ("" if chosen.risk is None else covers) + _unknown_error(chosen)
        return [
            "Predicted gain of a task: the mean of its gains in pairs with the other tasks of its model."
            f"{covers} The study did not train the groups: {check}"
        ]
    lines = [
        "Predicted gain of a task with n other tasks: the mean of its gains in pairs with them, times "
        f"n^{model.exponent:.2f} (n^0 is the mean, n^1 the sum). The exponent fits the gains of all tasks together, "
        f"which still differ by {model.error:.2g} points (standard deviation); the intervals include this error."
    ]
    if chosen.risk is not None:
        lines.append(
            "Lower bound: of what the choice counts, which is the mean of the gains in pairs without the power, or the "
            "measured gain in a group that the study trained."
        )
    measured = [str(number + 1) for number, group in enumerate(groups) if group in chosen.predictor.measured]
    if measured:
        lines.append(f"The study trained model {' and '.join(measured)}: the gains are measured.")
    other = "other " if measured else ""
    return [*lines, *([f"The study did not train the {other}groups: {check}"] if len(measured) < len(groups) else [])]


def _unknown_error(chosen: ChosenGroups) -> str:
    """Return why the error of the model is unknown; empty for two tasks, whose only group is a pair."""
    if len(chosen.tasks) < 3:
        return ""
    more = ": `pairwise --full` trains them" if can_measure(chosen.matrix.study) else ""
    return f" How far is unknown without tested gains of all tasks together{more}."
