"""Let SIGTERM wait for a checkpoint: a scheduler sends it some seconds before it takes the machine away."""

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
"""Time that a mini-batch may take to end after SIGTERM; without a checkpoint, the process then ends at once."""
WRITING_SECONDS = 15.0
"""Time after SIGTERM in which a second one does not end the process, so that a checkpoint can be written."""


class Terminated(KeyboardInterrupt):
    """Raised in a run that SIGTERM interrupts."""


class Termination:
    """Within the block, SIGTERM sets ``asked`` and waits; at the end of the block it takes its former effect.

    It does nothing in threads other than the main one, which alone may set handlers.
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
        """Note that a checkpoint is being written: its time is longer."""
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
