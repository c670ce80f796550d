"""Continue a study of an earlier version, which learned similarity on raw scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from taskaffinity.errors import as_user_error
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.study import Study, studies_in
from taskaffinity.tasks.task import SCORE_KINDS


def with_recorded_targets(study: Study, root: Path) -> tuple[Study, list[str]]:
    """Return the study with the ``similarity_targets`` of the stored one, and a line on it.

    If ``root`` holds two studies, the one of the same design decides. Without a stored similarity task, nothing
    changes. Do not call this if the user set the targets or replaces the study.

    Raises
    ------
    InputError
        If the folder holds a broken study.
    """
    if study.recipe.similarity_targets is None or not root.is_dir():
        return study, []
    with as_user_error():
        stored = [other for other in studies_in(root) if any(task.kind in SCORE_KINDS for task in other.tasks)]
    stored.sort(key=lambda other: other.design != study.design)
    if not stored or stored[0].protocol != study.protocol or stored[0].recipe.similarity_targets is not None:
        return study, []
    line = f"similarity: learned on scores as they are (from the study in {root}); a new folder standardises them"
    finetune = {name: _raw(recipe) for name, recipe in study.finetune.items()}
    single = {name: _raw(recipe) for name, recipe in study.single_recipes.items()}
    return replace(study, recipe=_raw(study.recipe), finetune=finetune, single_recipes=single), [line]


def _raw(recipe: Recipe) -> Recipe:
    return replace(recipe, similarity_targets=None)
