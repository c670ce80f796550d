"""The settings of a study's recipe that a run of it uses.

A run has no setting that changes nothing in it. So its identity does not depend on the other tasks of its study, and
studies share runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.sampling import is_of_the_company
from taskaffinity.runs.weights import BALANCED, ONE_CLASS, restricted
from taskaffinity.tasks.task import SCORE_KINDS

OF_SOME_RUNS = ("similarity_targets", "sampling", "loss_weight", "class_weights", "balance")
"""Settings that some runs of a study use, and others do not."""


def used_settings(recipe: Recipe, names: Sequence[str], kinds: Mapping[str, str]) -> Recipe:
    """Return the recipe without settings that a run of these tasks does not use.

    * ``similarity_targets`` is for tasks with scores.
    * ``sampling`` by temperature, ``loss_weight`` and ``balance`` are for runs of several tasks.
    * ``loss_weight`` and ``class_weights`` by task have only the tasks of the run; ``class_weights=balanced`` is for
      tasks with one class per text.

    Parameters
    ----------
    kinds : mapping of str
        The kind of each task of the study.
    """
    changes: dict[str, Any] = {}
    if recipe.similarity_targets is not None and not any(kinds[name] in SCORE_KINDS for name in names):
        changes["similarity_targets"] = None
    if len(names) == 1 and is_of_the_company(recipe.sampling):
        changes["sampling"] = None
    changes["loss_weight"] = None if len(names) == 1 else restricted(recipe.loss_weight, names)
    changes["class_weights"] = restricted(recipe.class_weights, names)
    if recipe.class_weights == BALANCED and not any(kinds[name] in ONE_CLASS for name in names):
        changes["class_weights"] = None
    if len(names) == 1:
        changes["balance"] = None
    differ = any(getattr(recipe, name) != value for name, value in changes.items())
    return replace(recipe, **changes) if differ else recipe
