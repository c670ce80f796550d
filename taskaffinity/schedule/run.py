"""Train a plan in this process or on Ray; both executors call ``train_and_store``.

A failed run leaves its reason and traceback in its folder, and the other runs continue, unless the disk is full. On
Ray, a run is one task with a share of the machine. Ray retries a run whose worker or node was lost; it does not retry
a run that raised an error. No state of Ray is ever restored, and a Ray session that was not started here is never
stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from taskaffinity.errors import InputError
from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import AlreadyRunning, RunStore
from taskaffinity.runs.stored.checkpoint_files import CheckpointFolder
from taskaffinity.schedule.course import Course
from taskaffinity.schedule.local import in_this_process
from taskaffinity.schedule.on_ray import on_ray
from taskaffinity.schedule.progress import Progress, Report
from taskaffinity.schedule.resources import DEFAULT_OPTIONS, Resources, RunOptions
from taskaffinity.schedule.window import submission_order
from taskaffinity.schedule.worker import NO_ROOM, Event, Finished


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
    """Train the pending runs of a plan (``pending_runs``).

    A run comes after the run that it starts from. Otherwise the costliest run comes first, so that no worker is idle at
    the end.

    Parameters
    ----------
    cost : CostModel or callable
        Cost of a run, for the order and the expected time left. A ``CostModel`` gives seconds, so the time left is
        known before the first run ends. A callable gives relative costs.
    on_progress : callable
        Receives the progress when a run starts or ends, and every few seconds during training.

    Raises
    ------
    InputError
        If Ray is not available, if a run does not fit on any node, or after the first run that a full disk stopped.
    """
    cost_of = cost.seconds if isinstance(cost, CostModel) else cost
    pending = submission_order(pending_runs(plan, store, keep_models=options.keep_models), cost_of)
    report, began = Report(planned=len(plan)), time.monotonic()
    _remove_checkpoints(set(plan).difference(pending), store)
    if not pending:
        return report
    course = Course(report, pending, store, cost_of, is_seconds=isinstance(cost, CostModel))

    def show() -> None:
        on_progress(course.progress())

    parents = {spec.parent for spec in pending}
    probed = {spec.parent for spec in pending if is_probe(spec)}
    settings: dict[str, Any] = {
        "root": str(store.root.resolve()),
        "encoder": str(encoder_folder),
        "cache": str(cache.resolve()),
        "keep_predictions": options.keep_predictions,
        "share_with_group": options.share_with_group,
        "checkpoint_minutes": options.checkpoint_minutes,
        "gpu_share": resources.gpus_per_run,
        "gpu_share_from": resources.share_from,
    }

    def keeps(spec: RunSpec) -> bool:
        return options.keep_models and keeps_model(spec)

    if resources.executor == "local":  # training blocks this process: the run itself reports
        settings["on_heartbeat"] = show
    arguments = [
        (spec, {**settings, "keep_weights": spec in parents, "keep_model": spec in probed or keeps(spec)})
        for spec in pending
    ]
    outcomes = on_ray if resources.executor == "ray" else in_this_process
    with _ending_with_errors(outcomes(arguments, store, resources, report)) as events:
        for event in events:
            course.take(event)
            show()
            _check_room(event, report, len(pending))
    report.seconds = time.monotonic() - began
    return report


def _remove_checkpoints(finished: Iterable[RunSpec], store: RunStore) -> None:
    """Remove the checkpoints of finished runs whose process was killed before it could; no error is raised."""
    for spec in finished:
        checkpoints = CheckpointFolder(store.folder(spec))
        if checkpoints.folder.is_dir():
            with suppress(AlreadyRunning, OSError), store.claim(spec):
                checkpoints.remove()


@contextmanager
def _ending_with_errors(events: Generator[Event, None, None]) -> Iterator[Iterator[Event]]:
    """Yield the events; an error in the block is passed to the executor and ends it."""
    try:
        yield events
    except BaseException as error:
        with suppress(StopIteration):
            events.throw(error)
        raise
    finally:
        events.close()


def _check_room(event: Event, report: Report, n_pending: int) -> None:
    """Raise if a full disk ended a run, because later runs could not be stored."""
    if isinstance(event, Finished) and (event.reason or "").startswith(NO_ROOM):
        n_done = report.planned - n_pending + len(report.trained) + len(report.found)
        raise InputError(
            f"{str(event.reason).removeprefix(NO_ROOM)}; {n_done} of {report.planned} runs are done, and no other is "
            "started; make room, then run the same command again"
        )


def is_probe(spec: RunSpec) -> bool:
    """Return whether a run is a probe, which continues its parent's model and head."""
    return spec.probe is not None


def keeps_model(spec: RunSpec) -> bool:
    """Return whether ``keep_models`` applies to a run.

    Controls and compute-matched runs only serve comparison.
    """
    return spec.variant in ("plain", "continued")


def pending_runs(plan: Plan, store: RunStore, *, keep_models: bool = False) -> list[RunSpec]:
    """The runs to train, in the plan's order.

    These are runs that are not done, and finished runs that lack stored weights. Weights are needed if a pending run
    starts from them or a pending probe continues the model; with ``keep_models`` each run needs its models.
    """
    pending: list[RunSpec] = []
    parents: set[RunSpec | None] = set()
    probed: set[RunSpec | None] = set()
    for spec in reversed(plan.specs):  # children first, because they decide what a parent must store
        needs_model = spec in probed or (keep_models and keeps_model(spec))
        lacks_model = needs_model and not store.has_models(spec)
        if spec not in store or lacks_model or (spec in parents and not store.has_weights(spec)):
            pending.append(spec)
            parents.add(spec.parent)
            if is_probe(spec):
                probed.add(spec.parent)
    return pending[::-1]
