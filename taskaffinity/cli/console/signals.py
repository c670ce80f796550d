"""End a command on SIGTERM as Ctrl-C does. Schedulers send it when a job's time is over."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from taskaffinity.training.sigterm import Terminated

EXIT_CODE = 128 + signal.SIGTERM

IN_ORDER = 15.0
"""Seconds in which a second SIGTERM is ignored, so that the command can end in order.

A later one ends the process at once. The first may have been lost: Python drops exceptions of a ``__del__`` or a
callback."""

_came = threading.Event()
_came_at = 0.0


@contextmanager
def answered() -> Iterator[None]:
    """Raise ``Terminated``, a KeyboardInterrupt, on SIGTERM within the block; ``came`` tells whether it came."""
    _came.clear()
    before = signal.getsignal(signal.SIGTERM)
    if _is_main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        if _is_main_thread():
            signal.signal(signal.SIGTERM, before)


def came() -> bool:
    """Whether SIGTERM was received."""
    return _came.is_set()


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _came_at
    if not _came.is_set():
        _came_at = time.monotonic()
        _came.set()
        raise Terminated
    if time.monotonic() - _came_at > IN_ORDER:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()  # only it may set handlers
