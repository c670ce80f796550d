"""Say how gains of groups are predicted, what their intervals cover, and what all tasks together gain."""

from __future__ import annotations

import math
from collections.abc import Sequence

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import describe_level
from taskaffinity.analysis.groups.chosen import ChosenGroups
from taskaffinity.analysis.groups.measured import measured_groups
from taskaffinity.analysis.groups.predictions import Prediction
from taskaffinity.analysis.style import signed_plainly
from taskaffinity.grouping.gains import Group
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.trained_groups import can_measure, setting_without_groups


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
    if not model.is_fitted:
        return [" ".join([*_describe_means(chosen), *_describe_untrained(chosen)])]
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
    measured = [number + 1 for number, group in enumerate(groups) if group in chosen.predictor.measured]
    if measured:
        lines.append(describe_measured(measured))
    return [*lines, *_describe_untrained(chosen)]


def describe_measured(models: Sequence[int]) -> str:
    """Return a sentence that names the models that the study trained, by number."""
    return f"The study trained {_models(models)}: the gains are measured."


def _models(numbers: Sequence[int]) -> str:
    """``model 2``, ``models 1, 2 and 4``."""
    *others, last = map(str, numbers)
    return f"models {', '.join(others)} and {last}" if others else f"model {last}"


def _describe_means(chosen: ChosenGroups) -> list[str]:
    """Return sentences on predictions without a fitted model, and what their lower bounds cover."""
    groups, is_measured = chosen.grouping.groups, chosen.predictor.is_measured
    if max(map(len, groups)) == 1:
        return ["Every task has a model of its own, so no gain is predicted."]
    bound = [] if chosen.risk is None else ["The lower bound covers the errors of those gains"]
    if not any(len(group) > 2 and not is_measured(group, group[0]) for group in groups):
        return ["Predicted gain of a task: its gain in the pair or group that its model is.", *map("{}.".format, bound)]
    words = ["Predicted gain of a task: the mean of its gains in pairs with the other tasks of its model."]
    words += [f"{line}; a group can still differ from their mean." for line in bound]
    return words + _unknown_error(chosen)


def _describe_untrained(chosen: ChosenGroups) -> list[str]:
    """Return sentences that name the chosen models without measured gains, trained or not; none if all have them."""
    groups, study = chosen.grouping.groups, chosen.matrix.study
    unmeasured = [number for number, group in enumerate(groups, 1) if not _is_trained(chosen, group)]
    trained = [number for number in unmeasured if _is_trained_without_gain(chosen, groups[number - 1])]
    sentences = []
    if trained and (setting := setting_without_groups(study)):
        name, value, usual = setting
        sentences.append(
            f"The study trains {_models(trained)}, but measures no gain of {'them' if len(trained) > 1 else 'it'}: "
            f"it has {name} {value}, and only studies with {usual} do."
        )
    if untrained := [number for number in unmeasured if number not in trained]:
        which = "the groups" if len(untrained) == len(groups) else _models(untrained)
        how = " with fresh seeds (--retrain)" if can_measure(study) else ", by your own program,"
        sentences.append(f"The study did not train {which}: train the chosen ones{how} before you rely on them.")
    return sentences


def _is_trained(chosen: ChosenGroups, group: Group) -> bool:
    """Return whether the study trained these tasks together: one task, a measured pair, or a measured group."""
    if len(group) > 2:
        return group in chosen.predictor.measured
    pair = [(source, target) for source in group for target in group if source != target]
    return not any(math.isnan(chosen.matrix.gain[arrow]) for arrow in pair)


def _is_trained_without_gain(chosen: ChosenGroups, group: Group) -> bool:
    """Return whether the study trains these tasks together in a design that has no gains of groups."""
    study, names = chosen.matrix.study, set(chosen.names(group))
    return setting_without_groups(study) is not None and any(
        spec.variant == "plain" and spec.stage == "refine" and set(spec.task_names) == names for spec in study.plan
    )


def _unknown_error(chosen: ChosenGroups) -> list[str]:
    """Return why the error of the model is unknown."""
    more = ": `pairwise --full` trains them" if can_measure(chosen.matrix.study) else ""
    return [f"How far is unknown without tested gains of all tasks together{more}."]
