"""Let SIGTERM wait for a checkpoint.

A scheduler sends this signal some seconds before it takes the machine away.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

BOUNDARY_SECONDS = 5.0
"""Seconds that a mini-batch may take after SIGTERM. Then the process ends at once, without a checkpoint."""
WRITING_SECONDS = 15.0
"""Seconds after SIGTERM in which a second one does not end the process, so that a checkpoint can be written."""


class Terminated(KeyboardInterrupt):
    """Raised in a run that SIGTERM interrupts."""


class Termination:
    """Let SIGTERM set ``asked`` and wait in the block; at its end the signal takes effect.

    It has an effect only in the main thread, because other threads cannot set handlers.
    """

    def __init__(self) -> None:
        self.asked = False
        self._is_interruptible = False
        self._until = 0.0
        self._timer: threading.Timer | None = None
        self._before: Any = signal.SIG_IGN

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL
            if self._before is not signal.SIG_IGN:
                signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not signal.SIG_IGN:
            signal.signal(signal.SIGTERM, self._before)
        if self._timer is not None:
            self._timer.cancel()
        if self.asked:
            self.asked = False
            os.kill(os.getpid(), signal.SIGTERM)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise ``Terminated`` on SIGTERM within this block, at once."""
        self._is_interruptible = True
        try:
            if self.asked:
                raise Terminated
            yield
        finally:
            self._is_interruptible = False

    def begin_writing(self) -> None:
        """Allow the longer time of a checkpoint that is being written."""
        if self._timer is not None:
            self._timer.cancel()
            self._until = time.monotonic() + WRITING_SECONDS

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked = True
            self._until = time.monotonic() + BOUNDARY_SECONDS
            self._timer = threading.Timer(BOUNDARY_SECONDS, os.kill, [os.getpid(), number])
            self._timer.daemon = True
            self._timer.start()
            if self._is_interruptible:
                raise Terminated
        elif time.monotonic() >= self._until:
            self.asked = False
            signal.signal(signal.SIGTERM, self._before)
            os.kill(os.getpid(), signal.SIGTERM)
