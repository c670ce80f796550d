"""Run a plan: in this process, or on Ray. Both call the same ``execute``; the store decides what is left to do.

A run that fails leaves its reason and traceback in its folder and the others go on. On Ray a run is one task with a
share of the machine; a lost worker or node is Ray's to retry (``max_retries``), a run's own error is returned and not
retried. Nothing of Ray's is ever restored, and no Ray that was not started here is stopped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskaffinity.runs.plan import Plan
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import Claimed, RunStore
from taskaffinity.runs.trace import trace_of
from taskaffinity.schedule.resources import DIED, RETRIES, Resources, ray_of, slots

_POLL_SECONDS = 0.25
_ARRIVAL_SECONDS = 2
"""How long a network file system may take to show here what another node wrote."""
_NOT_ARRIVED = "its result did not arrive: --results must be on a path that all nodes share"
FOUND_DONE = "found done"
"""What ``train_and_keep`` gives, instead of a reason, for a run that another process finished meanwhile."""
_LACKS_START = "the run that it starts from is not there: {}"


@dataclass(frozen=True)
class Progress:
    """How a plan stands."""

    total: int
    done: int
    """Of ``total``, those found finished at the start included."""
    running: tuple[str, ...]
    """Names of runs under way."""
    failed: int
    seconds_left: float | None
    """Expected, from what is finished; before that from a forecast, or None."""


@dataclass
class Report:
    """What came of a plan."""

    planned: int = 0
    """Runs asked for, those found finished included."""
    trained: list[RunSpec] = field(default_factory=list)
    """Here; what another process finished meanwhile is in ``found``."""
    found: list[RunSpec] = field(default_factory=list)
    failed: dict[RunSpec, str] = field(default_factory=dict)
    """The plain reason of each."""
    seconds: float = 0.0
    workers: int = 1
    """Runs that went at once."""


def run(
    plan: Plan,
    store: RunStore,
    *,
    encoder_folder: Path,
    cache: Path,
    resources: Resources,
    cost: Callable[[RunSpec], float] = lambda spec: len(spec.tasks),
    is_seconds: bool = False,
    watch: Callable[[Progress], None] = lambda progress: None,
    keep_predictions: bool = True,
    keep_models: bool = False,
) -> Report:
    """Train what the store lacks: a run after the one that it starts from, else the costliest first, so that no worker
    idles at the end. A finished run that kept no weights is trained again when a run is to start from it, and one that
    kept no model when models are to be kept.

    Parameters
    ----------
    cost : callable
        Relative cost of a run, for the order and for the expected time left.
    is_seconds : bool
        Whether that is a run's seconds, so that a time left can be told before the first one ends.
    watch : callable
        Called with the progress, a few times a second.

    Raises
    ------
    BadInput
        If Ray cannot be had, or a run fits none of its nodes.
    """
    waiting = sorted(left(plan, store, keep_models=keep_models), key=lambda spec: (len(spec.lineage), -cost(spec)))
    parents = {spec.parent for spec in waiting}
    report = Report(planned=len(plan))
    if not waiting:
        return report
    began = time.monotonic()
    settings: dict[str, Any] = {
        "root": str(store.root.resolve()),
        "encoder": str(encoder_folder),
        "cache": str(cache.resolve()),
        "keep_predictions": keep_predictions,
        "gpu_share": resources.gpus_per_run,
    }
    arguments = [
        (spec, {**settings, "keep_weights": spec in parents, "keep_model": keep_models and leaves_model(spec)})
        for spec in waiting
    ]
    finished_cost, total_cost = 0.0, sum(map(cost, waiting))
    running: tuple[str, ...] = ()

    def show() -> None:
        spent = time.monotonic() - began
        seconds_left = None
        if finished_cost:
            seconds_left = spent * (total_cost - finished_cost) / finished_cost
        elif is_seconds:
            seconds_left = max(0.0, total_cost / report.workers - spent)
        done = len(plan) - len(waiting) + len(report.trained) + len(report.found)
        watch(Progress(len(plan), done, running, len(report.failed), seconds_left))

    outcomes = _on_ray if resources.executor == "ray" else _in_this_process
    for event in outcomes(arguments, store, resources, report):
        if isinstance(event, Finished):
            finished_cost += cost(event.spec)
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


def leaves_model(spec: RunSpec) -> bool:
    """Whether a run's model is kept where models are: controls and matched runs are there to be compared with."""
    return spec.variant in ("plain", "continued")


def left(plan: Plan, store: RunStore, *, keep_models: bool = False) -> list[RunSpec]:
    """What is to be trained, in the plan's order: runs that are not done, those that a run that is to be trained
    starts from and that kept no weights, and those that kept no model where models are to be kept."""
    lacking: list[RunSpec] = []
    parents: set[RunSpec | None] = set()
    for spec in reversed(plan.specs):  # children come first, so that it is known who needs weights
        lacks_model = keep_models and leaves_model(spec) and not store.has_models(spec)
        if spec not in store or lacks_model or (spec in parents and not store.has_weights(spec)):
            lacking.append(spec)
            parents.add(spec.parent)
    return lacking[::-1]


@dataclass(frozen=True)
class Finished:
    """One run ended; ``reason`` says why it failed, None if it did not, ``FOUND_DONE`` if it was not tried."""

    spec: RunSpec
    reason: str | None


Event = Finished | tuple[str, ...]
"""A run that ended, or the names of those under way."""


def train_and_keep(spec: RunSpec, settings: Mapping[str, Any], *after: str | None) -> str | None:
    """Train one run and write it to the store; the reason if it failed, or ``FOUND_DONE``. What both executors call.

    ``after`` is what came of the run that it starts from: on Ray, the future that it waits for.
    """
    from taskaffinity.training.execute import execute, reason_of  # torch: only where a run is trained

    store = RunStore(settings["root"])

    def is_done() -> bool:
        has_weights = not settings["keep_weights"] or store.has_weights(spec)
        return spec in store and has_weights and (not settings["keep_model"] or store.has_models(spec))

    if is_done():
        return FOUND_DONE
    with store.claim(spec, wait=settings.get("wait", True)):
        if is_done():  # another process finished it while this one waited
            return FOUND_DONE
        if spec in store:  # and is trained again, for what it kept too little of
            store.begin(spec)
        start = store.start(spec)
        if spec.parent is not None and start is None:
            reason = _LACKS_START.format(spec.parent.run_id)
            store.fail(spec, reason)
            return reason
        try:
            result = execute(
                spec,
                encoder_folder=Path(settings["encoder"]),
                cache=Path(settings["cache"]),
                start=start,
                keep_predictions=settings["keep_predictions"],
                keep_weights=settings["keep_weights"],
                keep_model=settings["keep_model"],
                gpu_share=settings["gpu_share"],
            )
            store.write(result)
        except Exception as error:  # the run's own error, whatever it is: kept with the run, the others go on
            reason = reason_of(error)
            store.fail(spec, reason, trace_of(error))
            return reason
    return None


Arguments = list[tuple[RunSpec, dict[str, Any]]]


def _in_this_process(arguments: Arguments, store: RunStore, resources: Resources, report: Report) -> Iterator[Event]:
    """One run after the other. Processes that share a results folder share its runs: what another one has under way,
    and what starts from it, comes later."""
    waiting = arguments
    while waiting:
        later: Arguments = []
        for spec, settings in waiting:
            if spec.parent is not None and any(spec.parent == other for other, _ in later):
                later.append((spec, settings))
                continue
            yield (spec.run_id,)
            try:
                yield Finished(spec, train_and_keep(spec, {**settings, "wait": False}))
            except Claimed:
                later.append((spec, settings))
        if len(later) == len(waiting):
            time.sleep(_POLL_SECONDS)
        waiting = later


def _on_ray(arguments: Arguments, store: RunStore, resources: Resources, report: Report) -> Iterator[Event]:
    with ray_of(resources) as (ray, is_ours):
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        report.workers = min(slots(nodes, resources), len(arguments))
        demand: dict[str, Any] = {"num_cpus": resources.cpus_per_run, "num_gpus": resources.gpus_per_run}
        remote = ray.remote(max_retries=RETRIES, retry_exceptions=False, **demand)(train_and_keep)
        began = time.time()
        pending: dict[Any, RunSpec] = {}
        future: dict[RunSpec, Any] = {}
        for spec, settings in arguments:  # parents come first
            after = [future[spec.parent]] if spec.parent in future else []
            future[spec] = remote.options(name=spec.run_id).remote(spec, settings, *after)
            pending[future[spec]] = spec
        try:
            while pending:
                ready, _ = ray.wait(list(pending), timeout=_POLL_SECONDS)
                for reference in ready:
                    spec = pending.pop(reference)
                    yield Finished(spec, _reason_from_ray(ray, reference, spec, store))
                claimed = ((spec, store.claimed_at(spec)) for spec in pending.values())
                yield tuple(spec.run_id for spec, at in claimed if at is not None and at >= began)
        finally:
            if (
                not is_ours
            ):  # interrupted: what is under way ends, what is finished stays; a Ray of ours ends as a whole
                for reference in pending:
                    ray.cancel(reference, force=True)


def _reason_from_ray(ray: Any, reference: Any, spec: RunSpec, store: RunStore) -> str | None:
    try:
        told: str | None = ray.get(reference)
        if told is not None or _has_arrived(spec, store):
            return told
        reason = _NOT_ARRIVED
    except ray.exceptions.RayError as error:
        reason = _in_words(ray, error)
        if spec.parent is not None and spec.parent not in store:  # what befell that one is told of this one too
            reason = _LACKS_START.format(spec.parent.run_id)
    store.fail(spec, reason)
    return reason


def _has_arrived(spec: RunSpec, store: RunStore) -> bool:
    until = time.monotonic() + _ARRIVAL_SECONDS
    while spec not in store:
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_SECONDS)
        for folder in (store.root, store.folder(spec).parent, store.folder(spec)):
            if folder.is_dir():
                os.listdir(folder)  # NFS forgets that a name was missing when its folder is opened
    return True


def _in_words(ray: Any, error: Exception) -> str:
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return "out of memory: Ray's memory monitor ended the worker; let fewer runs go at once (--cpus-per-run)"
    if isinstance(error, ray.exceptions.WorkerCrashedError):
        return DIED
    return f"Ray could not run it: {type(error).__name__}"
