"""The Ray executor: one Ray task per run."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import suppress
from typing import Any

from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.checkpoint_files import CheckpointFolder
from taskaffinity.schedule.progress import Report
from taskaffinity.schedule.ray_driver import WATCH_SECONDS
from taskaffinity.schedule.ray_process import RayEnded, RaySessions
from taskaffinity.schedule.ray_session import DIED, RETRIES, initialized_ray
from taskaffinity.schedule.ray_worker import train_in_worker
from taskaffinity.schedule.resources import Resources, fitting, slots
from taskaffinity.schedule.submission import Submission
from taskaffinity.schedule.worker import (
    ALREADY_RUNNING,
    FOUND_DONE,
    NO_MEMORY,
    POLL_SECONDS,
    Arguments,
    Event,
    Finished,
    is_done,
    reason_for,
)

_NODES_SECONDS = 10
"""Seconds after which nodes are counted again; a cluster may grow."""
_ARRIVAL_SECONDS = 2
"""Seconds that a network file system may take to show a file from another node."""
CHECKPOINT_SECONDS = 10.0
"""Seconds that running runs have for their checkpoints after they were asked to end."""
_FRAME = re.compile(r'\s*File "[^"]+", line \d+, in \S+')
_NODE_ENDED = "Ray ended on this machine or on the node of the run"
_NOT_ARRIVED = "its result did not arrive: --results must be on a path that all nodes share"


def on_ray(arguments: Arguments, store: RunStore, resources: Resources, report: Report) -> Generator[Event, None, None]:
    """Train as many runs at once as the nodes have room for.

    A run that another process is training is postponed until that process has ended it.

    If Ray ends, it is started again, up to ``RETRIES`` times; after that, the remaining runs count as failed. If this
    process is already in a session, that session is used and stays.

    Raises
    ------
    InputError
        If Ray is not available, or a run does not fit on any node.
    """
    if ray := initialized_ray():
        yield from _counted(_train(ray, arguments, store, resources), report)
        return
    left, running = dict(arguments), tuple[str, ...]()
    interrupted = set[str]()
    with RaySessions(resources) as sessions:
        while left:
            try:
                for event in _counted(sessions.call(_train, list(left.items()), store, resources), report):
                    if isinstance(event, Finished):
                        del left[event.spec]
                    else:
                        running = event
                    yield _ours(event, interrupted)
            except RayEnded as error:
                interrupted.update(running)
                if not error.is_final:
                    continue
                for spec, settings in left.items():
                    if _was_stored(spec, store, settings):
                        yield _ours(Finished(spec, FOUND_DONE), interrupted)
                        continue
                    store.fail(spec, str(error))
                    yield Finished(spec, str(error))
                return


def _counted(messages: Generator[Any, Any, None], report: Report) -> Iterator[Event]:
    """Store the first message, the number of runs at once, in the report; yield the events."""
    try:
        report.workers = next(messages)
        yield from messages
    finally:
        messages.close()


def _ours(event: Event, interrupted: Collection[str]) -> Event:
    """Return the event; a run that was stored just before Ray ended counts as trained.

    Parameters
    ----------
    interrupted : collection of str
        Names of the runs that were running when Ray ended.
    """
    if isinstance(event, Finished) and event.reason == FOUND_DONE and event.spec.run_id in interrupted:
        return Finished(event.spec, None)
    return event


def _was_stored(spec: RunSpec, store: RunStore, settings: Mapping[str, Any]) -> bool:
    """Return whether a run is done, though no event said so."""
    try:
        return is_done(spec, store, settings)
    except ValueError:  # a damaged one
        return False


def _train(
    ray: Any, arguments: Arguments, store: RunStore, resources: Resources, tell: object = None
) -> Generator[int | Event, Any, None]:
    """Yield the number of runs at once, and then the events."""
    at_once = min(slots(_nodes(ray), resources), len(arguments))
    yield at_once
    # by default, Ray ends a GPU worker after each run, and a new one must import torch and open the GPU
    remote = ray.remote(max_retries=RETRIES, retry_exceptions=False, max_calls=0)(train_in_worker)

    def submit(spec: RunSpec, settings: Mapping[str, Any]) -> Any:
        demand = {"num_cpus": resources.cpus_per_run, "num_gpus": settings["gpu_share"]}
        return remote.options(name=spec.run_id, **demand).remote(spec, settings)

    began = time.time()
    counted, looked = time.monotonic(), -POLL_SECONDS
    submission = Submission(arguments, submit, at_once)
    checkpoints: dict[RunSpec, str] = {}  # the newest checkpoint of a run whose worker was lost
    try:
        while submission.fill():
            for reference in _ended(ray, list(submission.pending)):
                spec, settings = submission.take(reference)
                reason, is_stored = _reason_from_ray(ray, reference, spec, store, is_watched=tell is not None)
                if reason == ALREADY_RUNNING:
                    submission.postpone(spec)
                elif more := _with_more_memory(settings, reason, resources):
                    submission.again(spec, more)
                elif _is_lost(reason) and _has_moved_on(spec, store, checkpoints):
                    submission.again(spec, settings)
                else:
                    if reason is not None and not is_stored:
                        store.fail(spec, reason)
                    submission.end(spec)
                    submission.fill()
                    yield Finished(spec, reason)
            now = time.monotonic()
            if now - counted > _NODES_SECONDS:
                submission.widen(fitting(_nodes(ray), resources))
                counted = now
            if now - looked < POLL_SECONDS:  # many runs may end at once, and each check asks the file system
                continue
            looked = now
            submission.put_back(lambda spec: not store.is_held(spec))
            claimed = ((spec, store.claimed_at(spec)) for spec in submission.pending.values())
            yield tuple(spec.run_id for spec, at in claimed if at is not None and at >= began)
    finally:
        _cancel(ray, list(submission.pending))


def _ended(ray: Any, references: list[Any]) -> list[Any]:
    """Wait until an attempt of a run ends, or a short time; return the attempts that ended."""
    if not references:  # other processes are training all runs that are left
        time.sleep(POLL_SECONDS)
        return []
    ready: list[Any] = ray.wait(references, timeout=POLL_SECONDS)[0]
    return ready


def _nodes(ray: Any) -> list[Mapping[str, float]]:
    """Return the resources of every live node."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _cancel(ray: Any, references: list[Any]) -> None:
    """Drop the waiting runs, and end the running ones after a checkpoint.

    The session may continue.
    """
    if not references:
        return
    for reference in references:
        ray.cancel(reference)
    _, unfinished = ray.wait(references, num_returns=len(references), timeout=CHECKPOINT_SECONDS)
    for reference in unfinished:
        ray.cancel(reference, force=True)


def _with_more_memory(
    settings: Mapping[str, Any], reason: str | None, resources: Resources
) -> Mapping[str, Any] | None:
    """Return settings with twice the GPU share if a run lacked memory for the first time.

    Otherwise the result is None.
    """
    share = settings["gpu_share"]
    if not (reason or "").startswith(NO_MEMORY) or not 0 < share < 1 or share != resources.gpus_per_run:
        return None
    return {**settings, "gpu_share": min(1.0, 2 * share)}


def _is_lost(reason: str | None) -> bool:
    """Return whether a run ended because its worker or its node did."""
    return reason is not None and reason.startswith((DIED, _NODE_ENDED))


def _has_moved_on(spec: RunSpec, store: RunStore, checkpoints: dict[RunSpec, str]) -> bool:
    """Return whether a lost run has a later checkpoint than at its last loss.

    The checkpoint is remembered. So a long run on preemptible nodes gets as many attempts as it needs.
    """
    newest, last = CheckpointFolder(store.folder(spec)).newest, checkpoints.get(spec, "")
    if newest is None or newest.name <= last:
        return False
    checkpoints[spec] = newest.name
    return True


def _reason_from_ray(
    ray: Any, reference: Any, spec: RunSpec, store: RunStore, *, is_watched: bool
) -> tuple[str | None, bool]:
    """Return why a run failed, or None, and whether its folder already has this reason."""
    try:
        outcome: str | None = ray.get(reference)
        if outcome is not None or _has_arrived(spec, store):
            return outcome, True
        return _NOT_ARRIVED, False
    except ray.exceptions.RayTaskError as error:  # also a RayError, but of the run's code and not of its worker
        reason = reason_for(error.cause)
        store.fail(spec, reason, _frames(str(error)))
        return reason, True
    except ray.exceptions.RayError as error:
        if is_watched:
            time.sleep(2 * WATCH_SECONDS)  # if Ray itself ended, this process soon ends too
            if isinstance(error, ray.exceptions.LocalRayletDiedError):
                raise
        if isinstance(error, ray.exceptions.WorkerCrashedError) and (told := store.failure(spec)):
            return told, True  # the run itself ended its worker
        return _describe_error(ray, error), False


def _frames(trace: str) -> str:
    """Return the places in a traceback of Ray, as ``trace_of`` does: a message or a line of code may quote a corpus."""
    return "".join(f"{line}\n" for line in trace.splitlines() if _FRAME.fullmatch(line))


def _has_arrived(spec: RunSpec, store: RunStore) -> bool:
    until = time.monotonic() + _ARRIVAL_SECONDS
    while True:
        with suppress(OSError):  # such as a stale handle of NFS
            if spec in store:
                return True
            for folder in (store.root, store.folder(spec).parent, store.folder(spec)):
                if folder.is_dir():
                    os.listdir(folder)  # opening a folder refreshes the cache of NFS
        if time.monotonic() > until:
            return False
        time.sleep(POLL_SECONDS)


def _describe_error(ray: Any, error: Exception) -> str:
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return "out of memory: Ray's memory monitor ended the worker; run fewer at once (raise --cpus-per-run)"
    if isinstance(error, ray.exceptions.WorkerCrashedError):
        return DIED
    return f"{_NODE_ENDED} ({type(error).__name__})"
