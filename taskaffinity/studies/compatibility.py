"""Whether one study is another's growth, or another study: more tasks or seeds, or another rule, keep its arrows; other
data of a task, another encoder or another way to train do not, and fewer tasks or seeds lose some."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from taskaffinity.runs.spec import Recipe
from taskaffinity.runs.study import Study

_FIRST = 3
"""Differences that a message names."""


def differences(there: Study, now: Study) -> Iterator[str]:
    """What makes the arrows of two studies of one design those of another study, the plainest first; nothing where one
    has only more tasks, seeds or arms than the other, or judges by another rule.

    Examples
    --------
    In a checkout of this repository:

    >>> from dataclasses import replace
    >>> study = Study.read("notebooks/example_results")
    >>> shorter = replace(study, recipe=replace(study.recipe, num_train_epochs=3), seeds=(0,), full=True)
    >>> list(differences(study, shorter)), list(differences(study, replace(study, seeds=(0,), full=True)))
    (['num_train_epochs=12 (now 3)'], [])
    """
    before = {task.name: task for task in there.tasks}
    shared = [task for task in now.tasks if task.name in before]
    if not shared:
        yield f"other tasks ({', '.join(list(before)[:_FIRST])}{', ...' * (len(before) > _FIRST)})"
        return
    for task in shared:
        if task.fingerprint != before[task.name].fingerprint:
            yield f"other data of {task.name}"
    if there.encoder.fingerprint != now.encoder.fingerprint:
        if there.encoder.name == now.encoder.name:
            yield f"an encoder {now.encoder.name} that has changed since"
        else:
            yield f"encoder {there.encoder.name} (now {now.encoder.name})"
    for name in ("protocol", "match", "stage", "start"):
        yield from _changed(name, getattr(there, name), getattr(now, name))
    yield from _settings(there.recipe, now.recipe)
    for task in shared:
        if task.name in there.finetune and task.name in now.finetune:
            yield from _settings(there.finetune[task.name], now.finetune[task.name], "finetune.")


def differences_in_words(there: Study, now: Study) -> str:
    """The first differences as ``num_train_epochs=10 (now 30), and 2 more``; empty where there is none."""
    found = list(dict.fromkeys(differences(there, now)))
    more = f", and {len(found) - _FIRST} more" if len(found) > _FIRST else ""
    return ", ".join(found[:_FIRST]) + more


def losses(there: Study, now: Study) -> list[str]:
    """What of a study another one of its design lacks: tasks, seeds, arms; none where it only grows.

    Examples
    --------
    In a checkout of this repository:

    >>> from dataclasses import replace
    >>> study = Study.read("notebooks/example_results")
    >>> losses(study, replace(study, seeds=(0, 3), tasks=study.tasks[1:])), losses(study, replace(study, full=True))
    (['clinicalsts of its tasks', '2 of its 3 seeds'], [])
    """
    kept = {task.name for task in now.tasks}
    gone = [task.name for task in there.tasks if task.name not in kept]
    more = f", and {len(gone) - _FIRST} more" if len(gone) > _FIRST else ""
    lost = [f"{', '.join(gone[:_FIRST])}{more} of its tasks"] if gone else []
    for what, before, after in (("seeds", there.seeds, now.seeds), ("seeds alone", there.alone, now.alone)):
        if fewer := set(before) - set(after):
            lost.append(f"{len(fewer)} of its {len(before)} {what}")
    if there.full and not now.full:
        lost.append("the whole set (--full)")
    if there.controls and not now.controls:
        lost.append("the controls (--controls)")
    return lost


def _settings(there: Recipe, now: Recipe, prefix: str = "") -> Iterator[str]:
    for setting in fields(Recipe):
        if setting.name != "protocol":
            name = "cpus-per-run" if setting.name == "threads" else setting.name
            yield from _changed(f"{prefix}{name}", getattr(there, setting.name), getattr(now, setting.name))


def _changed(name: str, there: object, now: object) -> Iterator[str]:
    if there != now:
        said = [str("none" if value is None else value) for value in (there, now)]
        yield f"{name}={said[0]} (now {said[1]})"
