"""What the runs of a study will cost here, from a few steps tried now."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, TypeVar

from taskaffinity.errors import InputError
from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.study import Study
from taskaffinity.schedule.resources import Resources, slots
from taskaffinity.schedule.run import keeps_model
from taskaffinity.tasks.task import Suite
from taskaffinity.training.encoders import Encoder
from taskaffinity.training.execute import gpus, prepare
from taskaffinity.training.profile.speed import timed

if TYPE_CHECKING:
    from taskaffinity.training.encoders import Encoder
from taskaffinity.schedule.progress import duration

Tried = TypeVar("Tried")


def measured_cost(study: Study, suite: Suite, encoder: Encoder) -> CostModel | None:
    """How fast this machine trains the study's tasks, by a few steps on each; None if they cannot be tried here, for
    want of a GPU or of memory or because they fail: the runs will tell, each its own reason. Only the cache of encoded
    corpora is written.

    Raises
    ------
    InputError
        If the recipe does not fit the encoder.
    """
    together = RunSpec(tuple(sorted(study.refs)), study.encoder, study.seeds[0], study.recipe)
    return tried_here(timed, together, suite, encoder)


def tried_here(way: Callable[..., Tried], spec: RunSpec, suite: Suite, encoder: Encoder) -> Tried | None:
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
    except InputError:
        raise
    except Exception:
        return None


PADDED = "this encoder's own attention takes no packed sequences: mini-batches are padded to their longest, and slower"


def describe_forecast(
    waiting: Sequence[RunSpec], pace: CostModel | None, resources: Resources, *, keep_models: bool
) -> list[str]:
    """What these runs take: time, work and disk; and how it was found."""
    if pace is None:
        return ["no forecast: a few steps could not be tried here, for want of a GPU or of memory, or they failed"]
    if resources.is_measured and pace.gpu_share:
        resources = replace(resources, gpus_per_run=pace.gpu_share)
    workers = min(workers_here(resources), len(waiting))
    total = sum(map(pace.seconds, waiting))
    longest = max(map(pace.seconds, waiting))
    parents = {spec.parent for spec in waiting}
    keeping = [spec for spec in waiting if spec in parents or (keep_models and keeps_model(spec))]
    work = resources.gpus_per_run or resources.cpus_per_run
    unit = "GPU" if resources.gpus_per_run else "core"
    hours = total * work / 3600
    at_least = duration(max(total / workers, longest))
    at_once = f"{workers} at once" if resources.address is None else "one after the other; with more workers less"
    return [
        f"forecast: {at_least}, {at_once}; {hours:,.{0 if hours >= 10 else 2}f} {unit}-hours; "
        f"{pace.disk(waiting, keeping) / 1e6:,.0f} MB on disk",
        f"by {pace.steps} updates tried now, one run by itself ({pace.device}, {pace.attention} attention, "
        f"peak {pace.memory_mib:.0f} MiB{' of the GPU' if pace.device == 'cuda' else ''})",
        *([PADDED] if pace.attention == "padded" and pace.device == "cpu" else []),
    ]


def workers_here(resources: Resources) -> int:
    """Runs at once: one in this process or where it is not known, as many as fit on this machine else."""
    if resources.executor == "local" or resources.address is not None:
        return 1
    from taskaffinity.training.execute import gpus  # torch

    return slots([{"CPU": os.cpu_count() or 1, "GPU": gpus()}], resources)
