"""Train a run in a worker of Ray.

If a signal or a cancelled task ends it, it leaves a checkpoint.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from taskaffinity.runs.spec import RunSpec
from taskaffinity.schedule.worker import BROKEN_GPU, train_and_store

_opened: list[str] = []
"""The value of ``CUDA_VISIBLE_DEVICES`` with which this process opened its GPU; empty if it has not."""


def train_in_worker(spec: RunSpec, settings: Mapping[str, Any]) -> str | None:
    """Train one run in this worker; return why it failed, or None.

    If the run leaves its GPU unusable, the process ends, and Ray trains the run again in another one. The process also
    ends if Ray gives it another GPU than the one that it has opened, because CUDA cannot change it.
    """
    if spec.recipe.device == "cuda":
        given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        if _opened and _opened != [given]:
            os._exit(1)
        _opened[:] = [given]
    with _ended_by_sigterm():
        reason = train_and_store(spec, settings)
    if reason is not None and reason.startswith(BROKEN_GPU):
        os._exit(1)
    return reason


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM reach this process in the block; a cancelled task ends as if by SIGTERM.

    A Ray that was started here blocks SIGTERM (``ray_driver``), and workers inherit this. Ray cancels a task through
    the handler of SIGINT.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    before = signal.signal(signal.SIGINT, _terminate)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGTERM)
