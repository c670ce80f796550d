"""SIGTERM, which a cluster's scheduler sends when a job's time is over, ends a command in order, as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM

_came = threading.Event()


@contextmanager
def answered() -> Iterator[None]:
    """Within, SIGTERM raises KeyboardInterrupt, the one exception that Ray hands on as it is; ``came`` tells them
    apart."""
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
    """Whether SIGTERM came."""
    return _came.is_set()


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _came.is_set():  # a second one would cut short what the first has begun to end
        _came.set()
        raise KeyboardInterrupt


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()  # Python lets no other one set handlers
