"""End a command on SIGTERM as Ctrl-C does.

Schedulers send this signal when a job's time is over.

Python drops an exception that a ``__del__`` or a callback raises. A signal that arrives there would be lost, so it is
sent again.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from taskaffinity.schedule.interruption import note_interruption
from taskaffinity.training.sigterm import Terminated

EXIT_CODE = 128 + signal.SIGTERM

IN_ORDER = 15.0
"""Seconds in which a second SIGTERM is ignored, so that the command can end in order.

A later one ends the process at once.
"""
_AGAIN_SECONDS = 0.05

_came = threading.Event()
_is_interrupted = threading.Event()
_came_at = 0.0
_is_dropped = False


@contextmanager
def answered() -> Iterator[None]:
    """Raise ``Terminated``, a KeyboardInterrupt, on SIGTERM in the block.

    ``came`` returns whether the signal was received, and ``interrupted`` whether it or SIGINT was.
    """
    global _is_dropped
    _came.clear()
    _is_interrupted.clear()
    _is_dropped = False
    note_interruption(None)
    before, hook = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    by_key = signal.getsignal(signal.SIGINT)

    def send_again(dropped: sys.UnraisableHookArgs) -> None:
        if isinstance(dropped.exc_value, KeyboardInterrupt):
            _send_again(dropped.exc_value)
        else:
            hook(dropped)

    if _is_main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
        if by_key is signal.default_int_handler:  # a job in the background ignores it
            signal.signal(signal.SIGINT, _interrupt_by_key)
        sys.unraisablehook = send_again
    try:
        yield
    finally:
        if _is_main_thread():
            signal.signal(signal.SIGTERM, before)
            if by_key is signal.default_int_handler:
                signal.signal(signal.SIGINT, by_key)
            sys.unraisablehook = hook
        note_interruption(None)


def came() -> bool:
    """Return whether SIGTERM was received."""
    return _came.is_set()


def interrupted() -> bool:
    """Return whether SIGTERM or SIGINT was received."""
    return _came.is_set() or _is_interrupted.is_set()


def _interrupt_by_key(number: int, frame: FrameType | None) -> None:
    _is_interrupted.set()
    note_interruption(KeyboardInterrupt)
    signal.default_int_handler(number, frame)


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _came_at, _is_dropped
    if not _came.is_set() or _is_dropped:
        _came_at, _is_dropped = time.monotonic(), False
        _came.set()
        note_interruption(Terminated)
        raise Terminated
    if time.monotonic() - _came_at > IN_ORDER:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _send_again(dropped: KeyboardInterrupt) -> None:
    """Send the signal of a dropped exception again, a moment later, when other code runs."""
    global _is_dropped
    number = signal.SIGINT
    if isinstance(dropped, Terminated):
        number, _is_dropped = signal.SIGTERM, True

    def send() -> None:
        time.sleep(_AGAIN_SECONDS)
        os.kill(os.getpid(), number)

    _thread.start_new_thread(send, ())  # threading.Thread takes a lock, which the interrupted code may hold


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()  # only the main thread may set handlers
