"""The lock of a run's folder, which the process that trains the run holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from taskaffinity.atomic import named_errors
from taskaffinity.runs.spec import RunSpec


class AlreadyRunning(RuntimeError):
    """Raised if another process is training the run."""


@contextmanager
def held(path: Path, spec: RunSpec) -> Iterator[None]:
    """Hold the lock of a run's folder.

    Raises
    ------
    AlreadyRunning
        If another process holds it.
    OSError
        With the name of the lock, if it cannot be opened or the file system has no room for locks.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyRunning(f"run {spec.run_id} is being trained by another process") from None
    except OSError:
        with named_errors(path):
            raise
    try:
        yield
    finally:
        lock.release()
