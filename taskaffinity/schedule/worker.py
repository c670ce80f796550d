"""Train and store one run; every executor calls this function."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from taskaffinity.errors import InputError, trace_of
from taskaffinity.runs.heartbeat import HeartbeatWriter
from taskaffinity.runs.probe_result import write_probe
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import AlreadyRunning, RunStore
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES, CheckpointFolder
from taskaffinity.schedule.interruption import raise_if_interrupted

POLL_SECONDS = 0.25
FOUND_DONE = "found done"
"""Returned by ``train_and_store`` for a run that another process has finished."""
ALREADY_RUNNING = "already running"
"""Returned by ``train_and_store`` for a run that another process is training."""
LACKS_START = "the run that it starts from is missing: {}"
NO_ROOM = "no room on the disk: "
"""Beginning of the reason of a run that a full disk stopped. No other run could be stored either."""

NO_MEMORY = "out of memory"
"""Beginning of the reason of a run that lacked memory (``reason_of``)."""
BROKEN_GPU = "AcceleratorError"
"""Beginning of the reason of a run whose process can no longer use its GPU: the name of torch's error."""


@dataclass(frozen=True)
class Finished:
    """One run ended."""

    spec: RunSpec
    reason: str | None
    """Why it failed; None if it was trained, ``FOUND_DONE`` if another process trained it."""


Event = Finished | tuple[str, ...]
"""A run that ended, or the names of the running runs."""

Arguments = list[tuple[RunSpec, dict[str, Any]]]
"""The runs to train, each with the settings of ``train_and_store``."""


def train_and_store(spec: RunSpec, settings: Mapping[str, Any]) -> str | None:
    """Train one run and store it.

    Parameters
    ----------
    settings : dict
        ``root``, ``encoder`` and ``cache`` (paths), ``keep_predictions``, ``keep_weights``, ``keep_model``,
        ``gpu_share``; optionally ``gpu_share_from``, ``share_with_group`` (default False), ``checkpoint_minutes`` (0
        for no checkpoints) and ``on_heartbeat`` (a callable, called every few seconds).

    Returns
    -------
    str or None
        The reason if the run failed, ``FOUND_DONE`` if another process trained it, ``ALREADY_RUNNING`` if another
        process is training it, None otherwise.
    """
    store = RunStore(settings["root"])
    try:
        return FOUND_DONE if is_done(spec, store, settings) else _claim_and_train(spec, store, settings)
    except AlreadyRunning:
        return ALREADY_RUNNING
    except Exception as error:  # raised before the training, such as by the lock or by a damaged run
        return _failed(error, spec, store)


def _claim_and_train(spec: RunSpec, store: RunStore, settings: Mapping[str, Any]) -> str | None:
    with store.claim(spec):
        if is_done(spec, store, settings):  # another process finished it since the first look
            CheckpointFolder(store.folder(spec)).remove()  # it may have been killed before it could
            return FOUND_DONE
        if spec in store:  # it is trained again, because it lacks weights or a model
            store.begin(spec)
        start = store.start(spec)
        if spec.parent is not None and start is None:
            reason = LACKS_START.format(spec.parent.run_id)
            store.fail(spec, reason)
            return reason
        try:
            if spec.parent is not None and start is not None:
                store.check_file(spec.parent, start)
            _train(spec, store, start, settings)
        except Exception as error:
            reason = _failed(error, spec, store)
            if _would_fail_again(error):
                CheckpointFolder(store.folder(spec)).remove()
            return reason
    return None


def _failed(error: Exception, spec: RunSpec, store: RunStore) -> str:
    """Store why a run failed, so that the other runs continue; return the reason.

    If a signal interrupts this process, its exception is raised: the run did not fail.
    """
    raise_if_interrupted(error)
    reason = reason_for(error)
    store.fail(spec, reason, trace_of(error))
    return reason


def reason_for(error: BaseException) -> str:
    """Return why a run failed, in one line; it begins with ``NO_ROOM`` if a full disk stopped it."""
    from taskaffinity.training.execute import reason_of  # imported here, because only training needs torch

    return f"{NO_ROOM * _is_lack_of_room(error)}{reason_of(error)}"


def _would_fail_again(error: BaseException) -> bool:
    """Return whether the run would fail again from its checkpoint.

    Only a run that diverged surely would. A lack of memory or room, a broken GPU, a network file system, a changed
    folder or a missing package may pass.
    """
    from taskaffinity.training.loop import Diverged

    return isinstance(error, Diverged)


def _is_lack_of_room(error: BaseException | None) -> bool:
    """Return whether an error or its cause says that the disk or the user's quota is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def is_done(spec: RunSpec, store: RunStore, settings: Mapping[str, Any]) -> bool:
    """Return whether a run is stored with the weights and the model that its settings ask for."""
    has_weights = not settings["keep_weights"] or store.has_weights(spec)
    return spec in store and has_weights and (not settings["keep_model"] or store.has_models(spec))


def _train(spec: RunSpec, store: RunStore, start: Path | None, settings: Mapping[str, Any]) -> None:
    from taskaffinity.training.execute import UnderWay, execute
    from taskaffinity.training.gpu import claim_gpu_memory

    minutes = settings.get("checkpoint_minutes", DEFAULT_MINUTES)
    claim_gpu_memory(spec.recipe, settings["gpu_share"])
    if spec.probe is not None:
        _train_probe(spec, store, start, settings)
        return
    heartbeat = HeartbeatWriter(store.folder(spec), spec.recipe.num_train_epochs, settings.get("on_heartbeat"))
    try:
        result = execute(
            spec,
            encoder_folder=Path(settings["encoder"]),
            cache=Path(settings["cache"]),
            start=start,
            keep_predictions=settings["keep_predictions"],
            keep_weights=settings["keep_weights"],
            keep_model=settings["keep_model"],
            under_way=UnderWay(heartbeat, CheckpointFolder(store.folder(spec), minutes) if minutes else None),
        )
    finally:
        heartbeat.remove()
    result = replace(result, versions={**result.versions, **_share_of(spec, settings)})
    store.write(result, share_with_group=settings.get("share_with_group", False))
    CheckpointFolder(store.folder(spec)).remove()


def _train_probe(spec: RunSpec, store: RunStore, start: Path | None, settings: Mapping[str, Any]) -> None:
    """Train a probe, which is short and has neither a heartbeat nor checkpoints."""
    from taskaffinity.training.probe import execute_probe

    assert spec.parent is not None
    assert start is not None  # a probe has a parent, and its weights were checked
    head = store.head(spec.parent, spec.task_names[0])
    if head is None:
        raise InputError(LACKS_START.format(spec.parent.run_id))
    store.check_file(spec.parent, head)
    places = {"encoder_folder": Path(settings["encoder"]), "cache": Path(settings["cache"])}
    result = execute_probe(spec, **places, start=start, head=head)
    scores = replace(result.scores, versions={**result.scores.versions, **_share_of(spec, settings)})
    write_probe(store.folder(spec), replace(result, scores=scores))


def _share_of(spec: RunSpec, settings: Mapping[str, Any]) -> dict[str, str]:
    """The versions that say which share of a GPU the run had, and what chose it.

    A run that lacked memory has a larger share than the others.
    """
    if spec.recipe.device != "cuda":
        return {}
    whence = settings.get("gpu_share_from")
    return {"gpu_share": f"{settings['gpu_share']:g}"} | ({"gpu_share_from": whence} if whence else {})
