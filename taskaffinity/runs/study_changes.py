"""Describe what makes a study another one than a stored study: data, encoder, design or recipe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.study import Study
from taskaffinity.tasks.task import SCORE_KINDS

_FIRST = 3
"""Maximum number of differences that a message names."""


def differences(old: Study, new: Study) -> Iterator[str]:
    """Yield the differences that make ``new`` another study than ``old``, basic ones first.

    Nothing is yielded if ``new`` only has more or fewer tasks, seeds or arms, or another rule.

    Examples
    --------
    In a checkout of this repository:

    >>> from dataclasses import replace
    >>> study = Study.load("notebooks/example_results")
    >>> shorter = replace(study, recipe=replace(study.recipe, num_train_epochs=3), seeds=(0,), full=True)
    >>> list(differences(study, shorter)), list(differences(study, replace(study, seeds=(0,), full=True)))
    (['num_train_epochs=12 (now 3)'], [])
    """
    before = {task.name: task for task in old.tasks}
    shared = [task for task in new.tasks if task.name in before]
    if not shared:
        yield f"other tasks ({', '.join(list(before)[:_FIRST])}{', ...' * (len(before) > _FIRST)})"
        return
    if new.design == "train" and {task.name for task in new.tasks} != before.keys():  # other tasks, another model
        yield f"tasks {', '.join(before)} (now {', '.join(task.name for task in new.tasks)})"
    for task in shared:
        if task.metric != before[task.name].metric:  # a part of the fingerprint
            yield f"metric {before[task.name].metric} of {task.name} (now {task.metric})"
        elif task.fingerprint != before[task.name].fingerprint:
            yield f"other data of {task.name}"
    if old.encoder.fingerprint != new.encoder.fingerprint:
        if old.encoder.name == new.encoder.name:
            yield f"an earlier version of encoder {new.encoder.name}"
        else:
            yield f"encoder {old.encoder.name} (now {new.encoder.name})"
    for name in ("protocol", "baseline", "evaluate_after", "init_from"):
        yield from _changed(name, getattr(old, name), getattr(new, name))
    is_similar = any(task.kind in SCORE_KINDS for task in shared)
    yield from _settings(_used(old.recipe, is_similar), _used(new.recipe, is_similar))
    for task in shared:
        if task.name in old.finetune and task.name in new.finetune:
            tuned, retuned = (_used(study.finetune[task.name], is_similar) for study in (old, new))
            yield from _settings(tuned, retuned, "finetune.")
        if task.name in old.single_recipes and task.name in new.single_recipes:
            yield from _settings(old.single_recipes[task.name], new.single_recipes[task.name], "single-task ")


def describe_differences(old: Study, new: Study, now: str = "now") -> str:
    """Describe the first differences, as ``num_train_epochs=10 (now 30), and 2 more``.

    The text is empty if there is no difference.

    Parameters
    ----------
    now : str
        The words before the value of ``new``.
    """
    changes = list(dict.fromkeys(differences(old, new)))
    more = f", and {len(changes) - _FIRST} more" if len(changes) > _FIRST else ""
    return ", ".join(changes[:_FIRST]).replace("(now ", f"({now} ") + more


def _used(recipe: Recipe, is_similar: bool) -> Recipe:
    """Return the recipe, without ``similarity_targets`` if no shared task is a similarity task."""
    return recipe if is_similar else replace(recipe, similarity_targets=None)


def _settings(old: Recipe, new: Recipe, prefix: str = "") -> Iterator[str]:
    for setting in fields(Recipe):
        if setting.name != "protocol":
            name = "cpus-per-run" if setting.name == "threads" else setting.name
            yield from _changed(f"{prefix}{name}", getattr(old, setting.name), getattr(new, setting.name))


def _changed(name: str, old: object, new: object) -> Iterator[str]:
    if old != new:
        before, after = ("none" if value is None else value for value in (old, new))
        yield f"{name}={before} (now {after})"
