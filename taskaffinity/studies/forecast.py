"""Forecast the time and disk space of a study's runs, and find what makes them slow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any, TypeVar

from taskaffinity.errors import InputError
from taskaffinity.private import private_folder
from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.files import cache_folder, read_json, write_json
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.study import Study
from taskaffinity.schedule.progress import about
from taskaffinity.schedule.resources import Resources, slots, usable_cpus
from taskaffinity.schedule.run import keeps_model
from taskaffinity.studies.start_up import StartUp
from taskaffinity.tasks.suite import Suite
from taskaffinity.training import execute
from taskaffinity.training.encoders.checks import supports_packing
from taskaffinity.training.encoders.load import Encoder
from taskaffinity.training.profile.speed import timed

T = TypeVar("T")


PADDED = "this encoder does not support packed sequences: mini-batches are padded to their longest sequence and slower"
PADDED_ON_GPU = "packed sequences do not work with this encoder on this GPU: mini-batches are padded, and slower"


def measured_cost(study: Study, suite: Suite, encoder: Encoder) -> CostModel | None:
    """Time a few steps of each task; None if they cannot run on this machine.

    They cannot run if the GPU is missing, memory is too small, or they fail. The runs then report the reason. Only the
    cache of tokenized tasks is written.

    Raises
    ------
    InputError
        If the recipe does not fit the encoder.
    """
    together = RunSpec(tuple(sorted(study.refs)), study.encoder, study.seeds[0], study.recipe)
    return run_trial(timed, together, suite, encoder)


def run_trial(trial: Callable[..., T], spec: RunSpec, suite: Suite, encoder: Encoder) -> T | None:
    """Call ``trial`` on a run; return None if it fails, or if a GPU is missing.

    Raises
    ------
    InputError
        If the recipe does not fit the encoder.
    """
    if spec.recipe.device == "cuda" and not execute.gpus():
        return None
    execute.prepare([task for task in suite if task.name in spec.task_names], encoder, spec.recipe, cache_folder())
    places: dict[str, Any] = {"encoder_folder": encoder.folder, "cache": cache_folder()}
    try:
        if spec.recipe.device == "cpu":
            return trial(spec, **places)
        with ProcessPoolExecutor(
            1, mp_context=get_context("spawn")
        ) as pool:  # the end of this process frees the GPU's memory
            return pool.submit(trial, spec, **places).result()
    except InputError:
        raise
    except Exception:
        return None


def describe_forecast(
    pending: Sequence[RunSpec],
    cost_model: CostModel | None,
    resources: Resources,
    *,
    keep_models: bool,
    keep_predictions: bool = True,
    start_up: StartUp | None = None,
    at_most: bool = False,
) -> list[str]:
    """Describe the expected time, work and disk space of runs, and how they were estimated.

    Parameters
    ----------
    start_up
        What the time has besides the runs. None: nothing.
    at_most
        Whether fewer of the runs may be needed, as in a sequential design.
    """
    if cost_model is None:
        return ["no forecast: no training step could run here; there is no GPU, too little memory, or it failed"]
    if resources.is_measured and cost_model.gpu_share and resources.share_from is None:
        resources = replace(resources, gpus_per_run=cost_model.gpu_share)
    workers = min(workers_here(resources), len(pending))
    total = sum(map(cost_model.seconds, pending))
    longest = max(map(cost_model.seconds, pending))
    parents = {spec.parent for spec in pending}
    keeping = [spec for spec in pending if spec in parents or (keep_models and keeps_model(spec))]
    work = resources.gpus_per_run or resources.cpus_per_run
    unit = "GPU" if resources.gpus_per_run else "core"
    hours = total * work / 3600
    besides = start_up.seconds(resources) if start_up else 0.0
    seconds = max(total / workers, longest) + besides
    at_once = f"{workers} at once" if resources.address is None else "one after the other, less with more workers"
    time = f"{'at most ' * at_most}{about(seconds)}"
    disk = cost_model.disk(pending, keeping, keep_predictions=keep_predictions)
    return [
        f"forecast: {time}, {at_once}; {hours:,.{0 if hours >= 10 else 2}f} {unit}-hours; {disk / 1e6:,.0f} MB on disk",
        f"estimated from {cost_model.steps} timed updates of one run ({cost_model.device}, "
        f"{cost_model.attention} attention, peak {cost_model.memory_mib:.0f} MiB"
        f"{' of the GPU' if cost_model.device == 'cuda' else ''})",
        *([f"{about(besides)} of it {start_up.describe(resources)}, timed on this machine"] if start_up else []),
        *([PADDED if cost_model.device == "cpu" else PADDED_ON_GPU] if cost_model.attention == "padded" else []),
    ]


def padding_notice(encoder: Encoder, recipe: Recipe) -> list[str]:
    """Return a line if this encoder is trained on padded batches.

    On a GPU the list is empty, because the trial there says so.

    The answer is cached, because the check loads the encoder.
    """
    if recipe.device != "cpu":
        return []
    key = repr((encoder.ref.fingerprint, recipe.max_length, execute.versions()["transformers"]))
    path = cache_folder() / "packing" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    try:
        is_packed = (False, True).index(read_json(path)["packed"]) == 1
    except (OSError, ValueError, KeyError, TypeError):
        try:
            is_packed = supports_packing(encoder.folder, recipe.max_length)
        except Exception:  # the runs report the reason
            return []
        private_folder(path.parent)
        write_json(path, {"packed": is_packed})
    return [] if is_packed else [PADDED]


def workers_here(resources: Resources) -> int:
    """Return how many runs fit on this machine at once; 1 for the local executor and for a remote Ray."""
    if resources.executor == "local" or resources.address is not None:
        return 1
    return slots([{"CPU": usable_cpus(), "GPU": execute.gpus()}], resources)
