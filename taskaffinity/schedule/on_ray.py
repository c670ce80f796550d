"""The Ray executor: one Ray task per run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule.progress import Report
from taskaffinity.schedule.ray_session import DIED, RETRIES, ray_of
from taskaffinity.schedule.resources import Resources, slots
from taskaffinity.schedule.worker import LACKS_START, POLL_SECONDS, Arguments, Event, Finished, train_and_store

_ARRIVAL_SECONDS = 2
"""Time that a network file system may take to show a file from another node."""
_NOT_ARRIVED = "its result did not arrive: --results must be on a path that all nodes share"


def on_ray(arguments: Arguments, store: RunStore, resources: Resources, report: Report) -> Iterator[Event]:
    """Train as many runs at once as the nodes have room for.

    Raises
    ------
    InputError
        If Ray is not available, or a run does not fit on any node.
    """
    with ray_of(resources) as (ray, is_ours):
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        report.workers = min(slots(nodes, resources), len(arguments))
        demand: dict[str, Any] = {"num_cpus": resources.cpus_per_run, "num_gpus": resources.gpus_per_run}
        remote = ray.remote(max_retries=RETRIES, retry_exceptions=False, **demand)(train_and_store)
        began = time.time()
        pending: dict[Any, RunSpec] = {}
        future: dict[RunSpec, Any] = {}
        for spec, settings in arguments:  # parents come first
            after = [future[spec.parent]] if spec.parent in future else []
            future[spec] = remote.options(name=spec.run_id).remote(spec, settings, *after)
            pending[future[spec]] = spec
        try:
            while pending:
                ready, _ = ray.wait(list(pending), timeout=POLL_SECONDS)
                for reference in ready:
                    spec = pending.pop(reference)
                    yield Finished(spec, _reason_from_ray(ray, reference, spec, store))
                claimed = ((spec, store.claimed_at(spec)) for spec in pending.values())
                yield tuple(spec.run_id for spec, at in claimed if at is not None and at >= began)
        finally:
            if not is_ours:  # interrupted: cancel our tasks; a Ray session of ours ends as a whole
                for reference in pending:
                    ray.cancel(reference, force=True)


def _reason_from_ray(ray: Any, reference: Any, spec: RunSpec, store: RunStore) -> str | None:
    try:
        outcome: str | None = ray.get(reference)
        if outcome is not None or _has_arrived(spec, store):
            return outcome
        reason = _NOT_ARRIVED
    except ray.exceptions.RayError as error:
        reason = _describe_error(ray, error)
        if spec.parent is not None and spec.parent not in store:  # Ray passes the error of the parent on
            reason = LACKS_START.format(spec.parent.run_id)
    store.fail(spec, reason)
    return reason


def _has_arrived(spec: RunSpec, store: RunStore) -> bool:
    until = time.monotonic() + _ARRIVAL_SECONDS
    while spec not in store:
        if time.monotonic() > until:
            return False
        time.sleep(POLL_SECONDS)
        for folder in (store.root, store.folder(spec).parent, store.folder(spec)):
            if folder.is_dir():
                os.listdir(folder)  # opening a folder refreshes the cache of NFS
    return True


def _describe_error(ray: Any, error: Exception) -> str:
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return "out of memory: Ray's memory monitor ended the worker; run fewer at once (raise --cpus-per-run)"
    if isinstance(error, ray.exceptions.WorkerCrashedError):
        return DIED
    return f"Ray could not run it: {type(error).__name__}"
