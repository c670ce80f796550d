"""Choose the precision of a study: the recorded one, or the faster one on this machine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock
from pydantic import TypeAdapter

from taskaffinity.errors import InputError
from taskaffinity.private import check_private, private_folder
from taskaffinity.runs.files import cache_folder, read_json, write_json
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.study import Study, studies_in
from taskaffinity.studies.compatibility import check_study
from taskaffinity.studies.forecast import run_trial
from taskaffinity.tasks.suite import Suite
from taskaffinity.training.encoders.load import Encoder
from taskaffinity.training.profile.precision import PAYS, Trial, products_in_bf16, times_in_bf16

Precision = Literal["bf16"] | None

_VALID_SECONDS = 3600.0
"""Seconds for which a cached trial is valid. Processes of one study start within this time."""


def recorded_precision(studies: Sequence[Study], folders: Sequence[Path]) -> tuple[Precision, str] | None:
    """Return the precision of an earlier study with the same encoder, and a reason, or None.

    A study with the same recipe comes first. The earlier study may come from another machine.

    Raises
    ------
    InputError
        If a folder holds a broken study.
    """
    candidates: list[tuple[bool, Precision, Path]] = []
    for study, folder in zip(studies, folders, strict=True):
        try:
            earlier = [other for other in studies_in(folder) if other.encoder == study.encoder]
        except ValueError as error:
            raise InputError(str(error)) from error
        recipe = replace(study.recipe, precision=None)
        candidates += [(replace(o.recipe, precision=None) != recipe, o.recipe.precision, folder) for o in earlier]
    if not candidates:
        return None
    _, precision, folder = min(candidates, key=lambda candidate: candidate[0])
    why = f"from the study in {folder}"
    slow = slow_precision(with_precision(studies[0], precision))
    return precision, f"{why}, though {slow}" if slow else why


def slow_precision(study: Study) -> str | None:
    """Return a warning if a stage uses bf16 on a CPU that is slower in bf16, else None."""
    uses_bf16 = any((recipe.device, recipe.precision) == ("cpu", "bf16") for recipe in study.recipes)
    if not uses_bf16 or (ratio := products_in_bf16()) >= 1:
        return None
    return f"matrix products in bf16 are {ratio:.2f} times as fast as in fp32 on this processor"


def fast_precision(
    study: Study, suite: Suite, encoder: Encoder, root: Path, *, stores: bool = True
) -> tuple[Precision, str]:
    """Choose bf16 if it is faster on this machine, or if its GPU has it; also return why.

    A study in ``root`` decides first.

    If several processes with one cache start a study in ``root`` together, one runs the trial and all use its result.

    Parameters
    ----------
    stores : bool
        Whether later processes use the result of the trial. False if no study starts, as in a dry run.

    Raises
    ------
    InputError
        As ``recorded_precision`` and ``measured_cost``.
    """
    largest = max(study.tasks, key=lambda task: task.sizes.get("train", 0))
    recipe = replace(study.recipe, precision=None)
    spec = RunSpec(((largest.name, largest.fingerprint),), study.encoder, study.seeds[0], recipe)
    key = hashlib.sha256(repr((str(root.resolve()), spec)).encode()).hexdigest()[:16]
    path = cache_folder() / "precision" / f"{key}.json"
    check_private(private_folder(path.parent))
    with FileLock(f"{path}.lock"):
        if recorded := recorded_precision([study], [root]):  # another process has started the study meanwhile
            return recorded
        known = _recent_trial(path)
        if known is None:
            trial = run_trial(times_in_bf16, spec, suite, encoder)
            known = {"trial": None if trial is None else asdict(trial)}
            if stores:
                write_json(path, known)
    return _decision(None if known["trial"] is None else Trial(**known["trial"]))


def _decision(trial: Trial | None) -> tuple[Precision, str]:
    """Return the precision that a trial chooses, and why."""
    if trial is None:
        return None, "no training step could run here; there is no GPU, too little memory, or it failed"
    if trial.gpu_has_bf16 is not None:
        return ("bf16", "this GPU multiplies in bf16") if trial.gpu_has_bf16 else (None, "this GPU has no bf16")
    if not trial.decides:
        return None, (
            f"other processes keep this machine busy, and bf16 was {trial.low:.2f} to {trial.high:.2f} times as fast; "
            "to ask again, start on an idle machine with another results folder, or give --set precision=bf16"
        )
    return "bf16" if trial.times >= PAYS else None, f"bf16 was {trial.times:.2f} times as fast on this machine"


def _recent_trial(path: Path) -> dict[str, dict[str, Any] | None] | None:
    """Return the trial that another process stored; None if it is old or unreadable."""
    try:
        if time.time() - path.stat().st_mtime > _VALID_SECONDS:
            return None
        stored = read_json(path)["trial"]
        return {"trial": None if stored is None else asdict(TypeAdapter(Trial).validate_python(stored))}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def with_precision(study: Study, precision: Precision) -> Study:
    """Return the study with this precision in all its stages."""

    def recipes_with(recipes: Mapping[str, Recipe]) -> dict[str, Recipe]:
        return {name: replace(recipe, precision=precision) for name, recipe in recipes.items()}

    recipe = replace(study.recipe, precision=precision)
    return replace(
        study, recipe=recipe, finetune=recipes_with(study.finetune), single_recipes=recipes_with(study.single_recipes)
    )


def settle_precision(
    requested: Sequence[tuple[Study, Encoder]],
    folders: Sequence[Path],
    suite: Suite,
    *,
    measured: bool,
    keep_models: bool,
    replaces: bool,
    dry_run: bool,
    notice: Callable[[str], None],
) -> tuple[list[tuple[Study, Encoder]], list[str]]:
    """Set one precision for all studies; also return lines that explain it.

    The precision comes from the user, from an earlier study in the folders, or from a trial of the first study. The
    studies are checked before the trial.

    Parameters
    ----------
    measured : bool
        Whether a trial chooses the precision.
    notice : callable
        Receives a line before the trial.

    Raises
    ------
    InputError
        As ``check_study``, ``recorded_precision`` and ``fast_precision``.
    """
    if not measured:
        slow = slow_precision(requested[0][0])
        return list(requested), [f"precision: bf16, though {slow}"] if slow else []
    decision = recorded_precision([study for study, _ in requested], folders)
    if decision is None:
        for (study, encoder), folder in zip(requested, folders, strict=True):
            check_study(study, suite, encoder, folder, keep_models=keep_models, replaces=replaces)
        study, encoder = requested[0]
        if study.recipe.device == "cpu":
            notice("precision: a few updates are tried in fp32 and in bf16")
        decision = fast_precision(study, suite, encoder, folders[0], stores=not dry_run)
        if dry_run:
            decision = decision[0], f"{decision[1]}; training tries it again when it starts"
    precision, why = decision
    settled = [(with_precision(study, precision), encoder) for study, encoder in requested]
    return settled, [f"precision: {precision or 'fp32'} ({why})"]
