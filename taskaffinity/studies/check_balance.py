"""Check the balance settings of a recipe against the design and the tasks of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from taskaffinity.errors import InputError, meant
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.sampling import is_of_the_company
from taskaffinity.runs.weights import ONE_CLASS, class_weights, loss_weights
from taskaffinity.tasks.kinds import TAG_KINDS
from taskaffinity.tasks.task import Task


def check_sampling(recipe: Recipe, design: Mapping[str, Any]) -> None:
    """Check that every arrow compares runs with a number of updates that its caption can state.

    Raises
    ------
    InputError
        If a pair draws its tasks by temperature, and no baseline has as many updates.
    """
    of_arrows = design.get("design", "pairwise") == "pairwise"
    if of_arrows and is_of_the_company(recipe.sampling) and design.get("baseline") != "compute-matched":
        raise InputError(
            f"sampling={recipe.sampling}: updates on a target depend on its partner; give --baseline compute-matched, "
            "which matches the total, or sampling=cap=K, which keeps equal updates on the target"
        )


def check_weights(recipe: Recipe, tasks: Iterable[Task]) -> None:
    """Check that the recipe weighs tasks and classes of the study.

    Raises
    ------
    InputError
        If it names an unknown task or class, or a task without classes; if two tasks have the weight 0, so that
        nothing would train the encoder of their pair.
    """
    by_name = {task.name: task for task in tasks}
    weights, classes = loss_weights(recipe.loss_weight), class_weights(recipe.class_weights)
    if len(without := [name for name, weight in weights.items() if weight == 0]) > 1:
        raise InputError(f"loss_weight: {', '.join(without)} have the weight 0; expected it of one task at most")
    _check_names("loss_weight", weights, by_name, "task")
    if not isinstance(classes, Mapping):
        return
    _check_names("class_weights", classes, by_name, "task")
    for name, of_task in classes.items():
        task = by_name[name]
        if task.kind not in ONE_CLASS | TAG_KINDS:
            raise InputError(f"class_weights: {name} is a {task.kind} task; expected a task with one class per text")
        if isinstance(of_task, Mapping):
            is_tagging = task.kind in TAG_KINDS
            legal = ("O", *(f"{mark}-{label}" for label in task.labels for mark in "BI")) if is_tagging else task.labels
            _check_names(f"class_weights of {name}", of_task, legal, "class")


def _check_names(setting: str, given: Iterable[str], legal: Iterable[str], what: str) -> None:
    legal = list(legal)
    for name in given:
        if name not in legal:
            hint = meant(name, legal)
            raise InputError(f"{setting}: no {what} {name[:40]!r}; there are {', '.join(legal)}{hint}")
