"""Run a plan: in this process, or on Ray. Both call the same ``execute``; the store decides what is left to do.

A run that fails leaves its reason and traceback in its folder and the others go on. On Ray a run is one task with a
share of the machine; a lost worker or node is Ray's to retry (``max_retries``), a run's own error is returned and not
retried. Nothing of Ray's is ever restored, and no Ray that was not started here is stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule.local import in_this_process
from taskaffinity.schedule.on_ray import on_ray
from taskaffinity.schedule.progress import Progress, Report
from taskaffinity.schedule.resources import DEFAULT_OPTIONS, Resources, RunOptions
from taskaffinity.schedule.worker import FOUND_DONE, Finished


def run(
    plan: Plan,
    store: RunStore,
    *,
    encoder_folder: Path,
    cache: Path,
    resources: Resources,
    options: RunOptions = DEFAULT_OPTIONS,
    cost: CostModel | Callable[[RunSpec], float] = lambda spec: len(spec.tasks),
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Report:
    """Train what the store lacks: a run after the one that it starts from, else the costliest first, so that no worker
    idles at the end. A finished run that kept no weights is trained again when a run is to start from it, and one that
    kept no model when models are to be kept.

    Parameters
    ----------
    cost : CostModel or callable
        Cost of a run, for the order and the expected time left. A ``CostModel`` gives seconds, so the time left is
        known before the first run ends. A callable gives relative costs.
    on_progress : callable
        Called with the progress, a few times a second.

    Raises
    ------
    InputError
        If Ray cannot be had, or a run fits none of its nodes.
    """
    keep_models = options.keep_models
    cost_of = cost.seconds if isinstance(cost, CostModel) else cost
    waiting = sorted(
        pending_runs(plan, store, keep_models=keep_models), key=lambda spec: (len(spec.lineage), -cost_of(spec))
    )
    parents = {spec.parent for spec in waiting}
    report = Report(planned=len(plan))
    if not waiting:
        return report
    began = time.monotonic()
    settings: dict[str, Any] = {
        "root": str(store.root.resolve()),
        "encoder": str(encoder_folder),
        "cache": str(cache.resolve()),
        "keep_predictions": options.keep_predictions,
        "gpu_share": resources.gpus_per_run,
    }
    arguments = [
        (spec, {**settings, "keep_weights": spec in parents, "keep_model": keep_models and keeps_model(spec)})
        for spec in waiting
    ]
    finished_cost, total_cost = 0.0, sum(map(cost_of, waiting))
    running: tuple[str, ...] = ()

    def show() -> None:
        spent = time.monotonic() - began
        seconds_left = None
        if finished_cost:
            seconds_left = spent * (total_cost - finished_cost) / finished_cost
        elif isinstance(cost, CostModel):
            seconds_left = max(0.0, total_cost / report.workers - spent)
        done = len(plan) - len(waiting) + len(report.trained) + len(report.found)
        on_progress(Progress(len(plan), done, running, len(report.failed), seconds_left))

    outcomes = on_ray if resources.executor == "ray" else in_this_process
    for event in outcomes(arguments, store, resources, report):
        if isinstance(event, Finished):
            finished_cost += cost_of(event.spec)
            if event.reason is None:
                report.trained.append(event.spec)
            elif event.reason == FOUND_DONE:
                report.found.append(event.spec)
            else:
                report.failed[event.spec] = event.reason
            running = tuple(name for name in running if name != event.spec.run_id)
        else:
            running = event
        show()
    report.seconds = time.monotonic() - began
    return report


def keeps_model(spec: RunSpec) -> bool:
    """Whether a run's model is kept where models are: controls and matched runs are there to be compared with."""
    return spec.variant in ("plain", "continued")


def pending_runs(plan: Plan, store: RunStore, *, keep_models: bool = False) -> list[RunSpec]:
    """What is to be trained, in the plan's order: runs that are not done, those that a run that is to be trained
    starts from and that kept no weights, and those that kept no model where models are to be kept."""
    lacking: list[RunSpec] = []
    parents: set[RunSpec | None] = set()
    for spec in reversed(plan.specs):  # children come first, so that it is known who needs weights
        lacks_model = keep_models and keeps_model(spec) and not store.has_models(spec)
        if spec not in store or lacks_model or (spec in parents and not store.has_weights(spec)):
            lacking.append(spec)
            parents.add(spec.parent)
    return lacking[::-1]
