"""``--dry-run``: the runs, and what they will cost on this machine, by a few steps tried now."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from taskaffinity.cli.console.progress import duration
from taskaffinity.runs.cost_model import Pace
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule.resources import Resources, slots
from taskaffinity.schedule.run import leaves_model, left
from taskaffinity.tasks.task import Suite

if TYPE_CHECKING:
    from taskaffinity.training.encoders import Encoder

PADDED = "this encoder's own attention takes no packed sequences: mini-batches are padded to their longest, and slower"


def print_plan(
    study: Study, suite: Suite, encoder: Encoder, store: RunStore, resources: Resources, *, keep_models: bool
) -> None:
    """Every run with whether it is done, and the forecast for those that are not."""
    from taskaffinity.studies.precision import pace_of  # torch

    plan = study.plan
    waiting = left(plan, store, keep_models=keep_models)
    to_do = set(waiting)
    for spec in plan:
        print(f"{'to do' if spec in to_do else 'done':6} {spec.run_id}")
    most = "at most " if study.looks else ""
    print(f"{most}{len(plan)} runs, {len(plan) - len(waiting)} done, {most}{len(waiting)} to train")
    if waiting:
        pace = pace_of(study, suite, encoder)
        for line in in_words(waiting, pace, resources, keep_models=keep_models):
            print(line)


def in_words(waiting: Sequence[RunSpec], pace: Pace | None, resources: Resources, *, keep_models: bool) -> list[str]:
    """What these runs take: time, work and disk; and how it was found."""
    if pace is None:
        return ["no forecast: a few steps could not be tried here, for want of a GPU or of memory, or they failed"]
    if resources.is_measured and pace.gpu_share:
        resources = replace(resources, gpus_per_run=pace.gpu_share)
    workers = min(workers_here(resources), len(waiting))
    total = sum(map(pace.seconds, waiting))
    longest = max(map(pace.seconds, waiting))
    parents = {spec.parent for spec in waiting}
    keeping = [spec for spec in waiting if spec in parents or (keep_models and leaves_model(spec))]
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
