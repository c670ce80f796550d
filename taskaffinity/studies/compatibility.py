"""Whether one study is another's growth, or another study: more tasks or seeds, or another rule, keep its arrows; other
data of a task, another encoder or another way to train do not, and fewer tasks or seeds lose some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from taskaffinity.errors import InputError
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Design, Study, studies_in
from taskaffinity.schedule.run import pending_runs
from taskaffinity.tasks.task import Suite
from taskaffinity.training.encoders import Encoder
from taskaffinity.training.execute import prepare
from taskaffinity.training.export.export import refuse_other_forms

_FIRST = 3
"""Differences that a message names."""


def differences(there: Study, now: Study) -> Iterator[str]:
    """What makes the arrows of two studies of one design those of another study, the plainest first; nothing where one
    has only more tasks, seeds or arms than the other, or judges by another rule.

    Examples
    --------
    In a checkout of this repository:

    >>> from dataclasses import replace
    >>> study = Study.load("notebooks/example_results")
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
    for name in ("protocol", "baseline", "evaluate_after", "init_from"):
        yield from _changed(name, getattr(there, name), getattr(now, name))
    yield from _settings(there.recipe, now.recipe)
    for task in shared:
        if task.name in there.finetune and task.name in now.finetune:
            yield from _settings(there.finetune[task.name], now.finetune[task.name], "finetune.")


def describe_differences(there: Study, now: Study) -> str:
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
    >>> study = Study.load("notebooks/example_results")
    >>> losses(study, replace(study, seeds=(0, 3), tasks=study.tasks[1:])), losses(study, replace(study, full=True))
    (['clinicalsts of its tasks', '2 of its 3 seeds'], [])
    """
    kept = {task.name for task in now.tasks}
    gone = [task.name for task in there.tasks if task.name not in kept]
    more = f", and {len(gone) - _FIRST} more" if len(gone) > _FIRST else ""
    lost = [f"{', '.join(gone[:_FIRST])}{more} of its tasks"] if gone else []
    for what, before, after in (
        ("seeds", there.seeds, now.seeds),
        ("seeds alone", there.single_seeds, now.single_seeds),
    ):
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


PUBLISHED: Mapping[Design, tuple[str, ...]] = {"pairwise": ("edges.csv",), "full": ("stages.csv", "full.csv")}
"""Tables of a published study, by design; older versions wrote ``full.csv``."""


def check_study(
    study: Study,
    suite: Suite,
    encoder: Encoder,
    root: Path,
    *,
    keep_models: bool = False,
    replaces: bool = False,
) -> None:
    """Refuse what cannot be trained, or not into ``root``. Nothing is written there; the encoded corpora are cached.

    Raises
    ------
    InputError
        If the recipe does not fit the encoder, its models cannot be exported though they are to be kept, or a run's
        file of what it found is broken; or as ``check_compatible``.
    """
    check_compatible(study, root, replaces=replaces)
    if keep_models:
        refuse_other_forms(encoder.folder, "--keep-models")
    try:
        lacking = pending_runs(study.plan, RunStore(root), keep_models=keep_models)
    except ValueError as error:
        raise InputError(str(error)) from error
    if lacking:
        for recipe in dict.fromkeys((study.recipe, *study.finetune.values())):
            prepare(suite.tasks, encoder, recipe, cache_folder())


def check_compatible(study: Study, root: Path, *, replaces: bool = False) -> None:
    """Refuse a folder whose study this one would put an end to. One that only grows there (more tasks, seeds or arms,
    another rule) is welcome, and so is any where nothing was found yet and nothing is being trained.

    Raises
    ------
    InputError
        If ``root`` holds a study of real data and this one is synthetic, or the other way round; or, unless this one
        ``replaces`` it, a study of the same design whose arrows are others, by data, encoder or way to train, or that
        has tasks, seeds or arms which this one lacks, or a race of other looks or by another rule.
    """
    try:
        there = studies_in(root)
    except ValueError as error:
        raise InputError(str(error)) from error
    if any(other.synthetic != study.synthetic for other in there):
        kind = "real" if study.synthetic else "made-up"
        raise InputError(f"{root}: holds a study of {kind} text, which this one would join; give another --results")
    for other in there:
        if other.design != study.design or replaces or not _is_begun(other, root):
            continue
        if what := describe_differences(other, study):
            raise InputError(f"{root}: holds a study with {what}; give another --results, or --overwrite to replace it")
        if other.interim_seeds and (other.interim_seeds, other.rule) != (study.interim_seeds, study.rule):
            raise InputError(
                f"{root}: holds this race, run by another rule or other looks, which spent alpha and stopped pairs; "
                "leave --sequential, --seeds, --max-seeds, --alpha, --margin, --correction, --estimand as they were, "
                "or give another --results, or --overwrite to replace it"
            )
        if lost := losses(other, study):
            raise InputError(
                f"{root}: its study would lose {', '.join(lost)}; ask for them too, or give another --results, or "
                "--overwrite to replace it"
            )


def _is_begun(study: Study, root: Path) -> bool:
    """Whether something was found of a study of ``root``, or a run of it is being trained."""
    store = RunStore(root)
    published = any((root / name).exists() for name in PUBLISHED[study.design])
    return published or any(spec in store or store.is_held(spec) for spec in study.plan)
