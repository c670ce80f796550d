"""What this machine makes of a study, by a few steps tried on its tasks: how fast it is, and whether 16 bits pay."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import FileLock

from taskaffinity.errors import InputError
from taskaffinity.runs.files import cache_folder, read_json, write_json
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.study import Study, studies_in
from taskaffinity.studies.compatibility import check_study
from taskaffinity.studies.forecast import tried_here
from taskaffinity.tasks.task import Suite
from taskaffinity.training.encoders import Encoder
from taskaffinity.training.profile.precision import PAYS, products_in_bf16, times_in_bf16

if TYPE_CHECKING:
    from taskaffinity.training.encoders import Encoder
Precision = Literal["bf16"] | None
_BEGINNING = 3600.0
"""Seconds in which processes that begin a study at once have begun it; later it is in its folder, or never was."""


def recorded_precision(asked: Sequence[Study], places: Sequence[Path]) -> tuple[Precision, str] | None:
    """That of a study which one of these results folders has of the encoder that is asked for there, maybe begun on
    another machine, and where it is; of one by the same recipe first. None if there is no such study.

    Raises
    ------
    InputError
        If a folder holds a broken study.
    """
    found: list[tuple[bool, Precision, Path]] = []
    for study, place in zip(asked, places, strict=True):
        try:
            there = [other for other in studies_in(place) if other.encoder == study.encoder]
        except ValueError as error:
            raise InputError(str(error)) from error
        recipe = replace(study.recipe, precision=None)
        found += [(replace(o.recipe, precision=None) != recipe, o.recipe.precision, place) for o in there]
    if not found:
        return None
    _, precision, place = min(found, key=lambda one: one[0])
    why = f"as the study in {place} has it"
    slow = slow_precision(with_precision(asked[0], precision))
    return precision, f"{why}, though {slow}" if slow else why


def slow_precision(study: Study) -> str | None:
    """What a study in 16 bits, in any of its stages, suffers on this processor; None where it does not."""
    stages = (study.recipe, *study.finetune.values())
    in_16 = any((stage.device, stage.precision) == ("cpu", "bf16") for stage in stages)
    if not in_16 or (times := products_in_bf16()) >= 1:
        return None
    return f"on this processor products in 16 bits go {times:.2f} times as fast as in 32"


def fast_precision(
    study: Study, suite: Suite, encoder: Encoder, root: Path, *, keeps: bool = True
) -> tuple[Precision, str]:
    """Matrix products of 16 bits if they pay on this machine, and why, in words; or what a study in ``root`` has.

    Of several processes that begin a study in ``root`` at once, and share the cache, one tries, and all do as it found.

    Parameters
    ----------
    keeps : bool
        Whether others are to do as is found here: not where no study will begin.

    Raises
    ------
    InputError
        As ``recorded_precision`` and ``measured_cost``.
    """
    largest = max(study.tasks, key=lambda task: task.sizes.get("train", 0))
    recipe = replace(study.recipe, precision=None)
    spec = RunSpec(((largest.name, largest.fingerprint),), study.encoder, study.seeds[0], recipe)
    key = hashlib.sha256(repr((str(root.resolve()), spec)).encode()).hexdigest()[:16]
    kept = cache_folder() / "precision" / f"{key}.json"
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(f"{kept}.lock"):
        if settled := recorded_precision([study], [root]):  # it began while this process waited
            return settled
        found = _found_just_now(kept)
        if found is None:
            found = {"times_in_bf16": tried_here(times_in_bf16, spec, suite, encoder)}
            if keeps:
                write_json(kept, found)
    times = found["times_in_bf16"]
    if times is None:
        return None, "no steps could be tried, for want of a GPU or of memory, or they failed"
    return "bf16" if times >= PAYS else None, f"bf16 was {times:.2f} times as fast here"


def _found_just_now(kept: Path) -> dict[str, float | None] | None:
    """What another process found of a study that begins; None if that is long ago, or cannot be read."""
    try:
        if time.time() - kept.stat().st_mtime > _BEGINNING:
            return None
        times = read_json(kept)["times_in_bf16"]
        return {"times_in_bf16": None if times is None else float(times)}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def with_precision(study: Study, precision: Precision) -> Study:
    """The study with all its stages in this precision."""
    recipes = {name: replace(recipe, precision=precision) for name, recipe in study.finetune.items()}
    return replace(study, recipe=replace(study.recipe, precision=precision), finetune=recipes)


def settle_precision(
    asked: Sequence[tuple[Study, Encoder]],
    places: Sequence[Path],
    suite: Suite,
    *,
    measured: bool,
    keep_models: bool,
    replaces: bool,
    dry_run: bool,
    notice: Callable[[str], None],
) -> tuple[list[tuple[Study, Encoder]], list[str]]:
    """Studies in the precision that they are told, or else in one, for encoders are compared: that of a study in their
    results folders, or what a few steps of the first find faster here; and lines that say so, or that what is told is
    slow here. What can be refused is, before any step.

    Parameters
    ----------
    measured : bool
        Whether a trial chooses the precision.
    notice : callable
        Receives a line before the trial.

    Raises
    ------
    InputError
        As ``conduct.check``, ``pacing.settled_precision`` and ``pacing.fast_precision``.
    """
    if not measured:
        slow = slow_precision(asked[0][0])
        return list(asked), [f"precision: bf16, though {slow}"] if slow else []
    found = recorded_precision([study for study, _ in asked], places)
    if found is None:
        for (study, encoder), place in zip(asked, places, strict=True):
            check_study(study, suite, encoder, place, keep_models=keep_models, replaces=replaces)
        notice("precision: a few updates are tried in fp32 and in bf16")
        study, encoder = asked[0]
        found = fast_precision(study, suite, encoder, places[0], keeps=not dry_run)
    precision, why = found
    settled = [(with_precision(study, precision), encoder) for study, encoder in asked]
    return settled, [f"precision: {precision or 'fp32'} ({why})"]
