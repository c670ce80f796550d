"""What this machine makes of a study, by a few steps tried on its tasks: how fast it is, and whether 16 bits pay."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeVar

from filelock import FileLock

from taskaffinity.definition import cache_folder
from taskaffinity.runs.files import read_json, write_json
from taskaffinity.runs.pace import Pace
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.study import Study, studies_in
from taskaffinity.tasks.task import BadInput, Suite
from taskaffinity.training.encoders import Encoder
from taskaffinity.training.execute import gpus, prepare
from taskaffinity.training.precision import PAYS, times_in_bf16
from taskaffinity.training.timing import timed

Tried = TypeVar("Tried")
Precision = Literal["bf16"] | None


def pace_of(study: Study, suite: Suite, encoder: Encoder) -> Pace | None:
    """How fast this machine trains the study's tasks, by a few steps on each; None if they cannot be tried here, for
    want of a GPU or of memory or because they fail: the runs will tell, each its own reason. Only the cache of encoded
    corpora is written.

    Raises
    ------
    BadInput
        If the recipe does not fit the encoder.
    """
    together = RunSpec(tuple(sorted(study.refs)), study.encoder, study.seeds[0], study.recipe)
    return _tried(timed, together, suite, encoder)


def fast_precision(study: Study, suite: Suite, encoder: Encoder, root: Path) -> tuple[Precision, str]:
    """Matrix products of 16 bits if they pay on this machine, and why, in words.

    A study in ``root`` was settled before, maybe on another machine, and this one does as it does. What was found for
    one that is yet to begin there is kept in the cache: of several processes that begin it at once, one tries, and all
    do as it found.

    Raises
    ------
    BadInput
        If ``root`` holds a broken study; or as ``pace_of``.
    """
    try:
        there = studies_in(root)
    except ValueError as error:
        raise BadInput(str(error)) from error
    recipe = replace(study.recipe, precision=None)
    alike = [other for other in there if replace(other.recipe, precision=None) == recipe]
    for other in (*alike, *there):
        return other.recipe.precision, f"as the study in {root} has it"
    times = _times_in_bf16(replace(study, recipe=recipe), suite, encoder, root)
    if times is None:
        return None, "no steps could be tried here, for want of a GPU or of memory, or they failed"
    return "bf16" if times >= PAYS else None, f"updates in 16 bits went {times:.2f} times as fast here"


def in_precision(study: Study, precision: Precision) -> Study:
    """The study with all its stages in this precision."""
    recipes = {name: replace(recipe, precision=precision) for name, recipe in study.finetune.items()}
    return replace(study, recipe=replace(study.recipe, precision=precision), finetune=recipes)


def _times_in_bf16(study: Study, suite: Suite, encoder: Encoder, root: Path) -> float | None:
    """Of updates on the study's largest task, tried unless the cache has what was found."""
    largest = max(study.tasks, key=lambda task: task.sizes.get("train", 0))
    spec = RunSpec(((largest.name, largest.fingerprint),), study.encoder, study.seeds[0], study.recipe)
    key = hashlib.sha256(repr((str(root.resolve()), spec)).encode()).hexdigest()[:16]
    found = cache_folder() / "precision" / f"{key}.json"
    found.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{found}.lock"):
        if found.is_file():
            return float(read_json(found)["times_in_bf16"])
        times = _tried(times_in_bf16, spec, suite, encoder)
        if times is not None:
            write_json(found, {"results": str(root), "times_in_bf16": times})
    return times


def _tried(way: Callable[..., Tried], spec: RunSpec, suite: Suite, encoder: Encoder) -> Tried | None:
    """What a trial of this run comes to; None if there is no GPU for it, or it fails."""
    if spec.recipe.device == "cuda" and not gpus():
        return None
    prepare([task for task in suite if task.name in spec.task_names], encoder, spec.recipe, cache_folder())
    places: dict[str, Any] = {"encoder_folder": encoder.folder, "cache": cache_folder()}
    try:
        if spec.recipe.device == "cpu":
            return way(spec, **places)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:  # its end gives the GPU's memory back
            return apart.submit(way, spec, **places).result()
    except BadInput:
        raise
    except Exception:
        return None
