"""What this machine makes of a study, by a few steps tried on its tasks: how fast it is, and whether 16 bits pay."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

from taskaffinity.definition import cache_folder
from taskaffinity.runs.pace import Pace
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.study import Study, studies_in
from taskaffinity.tasks.task import BadInput, Suite
from taskaffinity.training.encoders import Encoder
from taskaffinity.training.execute import gpus, prepare
from taskaffinity.training.loop import Diverged
from taskaffinity.training.refusal import is_lack_of_memory
from taskaffinity.training.timing import timed


def pace_of(study: Study, suite: Suite, encoder: Encoder, *, tries_bf16: bool = False) -> Pace | None:
    """How fast this machine trains the study's tasks, by a few steps on each; None if they cannot be tried here, for
    want of a GPU or of memory or because they diverge. Only the cache of encoded corpora is written.

    Parameters
    ----------
    tries_bf16 : bool
        Whether the same steps are tried in 16 bits too, where the recipe has 32.

    Raises
    ------
    BadInput
        If the recipe does not fit the encoder.
    """
    if study.recipe.device == "cuda" and not gpus():
        return None
    prepare(suite.tasks, encoder, study.recipe, cache_folder())
    together = RunSpec(tuple(sorted(study.refs)), study.encoder, study.seeds[0], study.recipe)
    places: dict[str, Any] = {"encoder_folder": encoder.folder, "cache": cache_folder(), "tries_bf16": tries_bf16}
    try:
        if study.recipe.device == "cpu":
            return timed(together, **places)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:  # its end gives the GPU's memory back
            return apart.submit(timed, together, **places).result()
    except Exception as error:
        if isinstance(error, Diverged) or is_lack_of_memory(error):  # the runs will tell, each its own reason
            return None
        raise


def forecast_of(study: Study, suite: Suite, encoder: Encoder, *, tries_bf16: bool = False) -> Pace | None:
    """As ``pace_of``, where nothing but a forecast hangs on it: None whatever befell the trial, for the runs will tell,
    each its own reason."""
    try:
        return pace_of(study, suite, encoder, tries_bf16=tries_bf16)
    except BadInput:
        raise
    except Exception:
        return None


def in_fast_precision(study: Study, suite: Suite, encoder: Encoder, root: Path) -> tuple[Study, str]:
    """The study with its matrix products in 16 bits if they pay on this machine, and why, in words.

    A study of this encoder and recipe in ``root`` was settled before, maybe on another machine, and stays what it is.

    Raises
    ------
    BadInput
        If ``root`` holds a broken study; or as ``pace_of``.
    """
    try:
        there = studies_in(root)
    except ValueError as error:
        raise BadInput(str(error)) from error
    for other in there:
        alike = replace(other.recipe, precision=None) == replace(study.recipe, precision=None)
        if alike and other.encoder == study.encoder:
            return _in_precision(study, other.recipe.precision), f"as the study in {root} has it"
    pace = pace_of(replace(study, recipe=replace(study.recipe, precision=None)), suite, encoder, tries_bf16=True)
    if pace is None or pace.times_in_bf16 is None:
        why = "no steps could be tried here, for want of a GPU or of memory, or they diverged"
        return _in_precision(study, None), why
    why = f"updates in 16 bits went {pace.times_in_bf16:.2f} times as fast here"
    return _in_precision(study, "bf16" if pace.bf16_pays else None), why


def _in_precision(study: Study, precision: Literal["bf16"] | None) -> Study:
    recipes = {name: replace(recipe, precision=precision) for name, recipe in study.finetune.items()}
    return replace(study, recipe=replace(study.recipe, precision=precision), finetune=recipes)
