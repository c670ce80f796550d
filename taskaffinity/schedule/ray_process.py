"""Start child processes that talk to Ray, and end everything that they started.

Ray's core ends its process if the cluster is lost. So this process never loads Ray, and it can publish the finished
runs even if Ray crashed. The child leads its own process group, which this process ends as a whole.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from taskaffinity.errors import InputError
from taskaffinity.regular_file import read_regular_text
from taskaffinity.schedule.mps import stop_mps
from taskaffinity.schedule.ray_driver import GONE, LAST_WORDS, LOST_SECONDS
from taskaffinity.schedule.ray_session import RETRIES, environment
from taskaffinity.schedule.resources import Resources
from taskaffinity.training.sigterm import Terminated

_START_SECONDS = 60
_JOIN_SECONDS = 120.0
"""Time that a cluster has to answer before it is not joined."""
_LOCAL_SECONDS = 180.0
"""Time that a local Ray has to start. It has limits of its own, but may wait for ever if its first worker is killed."""
_TIMED_OUT = "timed out"
"""Part of Ray's message for a start that took more than half a minute. Ray raises no special exception class for it."""
_LEAVE_SECONDS = 13.0
"""Seconds for running runs to write their checkpoints, and for the process to leave a cluster."""
_LOG = logging.getLogger(__name__)


class RayEnded(RuntimeError):
    """Raised if Ray, or the process that talks to it, ended. The message names which.

    Parameters
    ----------
    is_final : bool
        True if Ray is not started again.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class RaySessions:
    """Calls functions in a process that talks to Ray.

    If Ray ends, the next call starts it again, up to ``RETRIES`` times.

    Examples
    --------
    >>> from taskaffinity.schedule.resources import Resources
    >>> with RaySessions(Resources()) as sessions:
    ...     pass  # nothing is called, so Ray is not started
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._folder: Path | None = None
        self._process: _RayProcess | None = None
        self._n_ended = 0
        self._keeps_logs = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None = None, *_: object) -> None:
        self._end(in_order=kind is not None and issubclass(kind, Terminated))
        if self._folder is not None and not self._keeps_logs:
            shutil.rmtree(self._folder, ignore_errors=True)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Generator[Any, Any, None]:
        """Yield the messages of ``function(ray, *arguments, tell=...)`` in that process.

        The function yields them or passes them to ``tell``; values that are sent back are its answers.

        Raises
        ------
        InputError
            If the function raises it, or Ray cannot be reached or started.
        RayEnded
        """
        try:
            if self._process is None:
                self._process = self._start()
            yield from self._process.call(function, *arguments)
        except RayEnded as error:
            self._end()
            if error.is_final:
                raise
            self._n_ended += 1
            if self._n_ended > RETRIES:
                self._keeps_logs = True
                raise RayEnded(
                    f"{error}, for the {self._n_ended}th time; its logs are in {self._folder}", is_final=True
                ) from error
            _LOG.warning("%s; it is started again, and the interrupted runs continue", error)
            raise

    def _start(self) -> _RayProcess:
        try:
            return self._started(str(self._n_ended))
        except InputError as error:
            if self._resources.address is not None or _TIMED_OUT not in str(error):
                raise self._unstarted(error) from error
            _LOG.warning("Ray did not start in time, as on a busy machine; it is started once more")
        try:
            return self._started(f"{self._n_ended}b")
        except InputError as error:
            raise self._unstarted(error) from error

    def _started(self, name: str) -> _RayProcess:
        if self._folder is None:
            self._folder = _private_folder()
        session = self._folder / name
        session.mkdir(mode=0o700)
        process = _RayProcess(self._resources, session)
        try:
            process.start()
        except BaseException:
            process.end()
            raise
        return process

    def _unstarted(self, error: InputError) -> Exception:
        self._keeps_logs = True
        message = f"{error}; its logs are in {self._folder}"
        # if some runs are done, they are published
        return RayEnded(message, is_final=True) if self._n_ended else InputError(message)

    def _end(self, *, in_order: bool = False) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end(in_order=in_order)


class _RayProcess:
    """The process that talks to Ray, and all processes that it starts."""

    def __init__(self, resources: Resources, folder: Path) -> None:
        self._resources, self._folder = resources, folder
        self._socket, theirs = socket.socketpair()
        code = (
            f"import sys; sys.path[:] = {[str(place) for place in sys.path]!r}\n"
            f"from taskaffinity.schedule.ray_driver import main; main({theirs.fileno()})"
        )
        with theirs, (folder / "driver.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                env=environment(resources, folder),
                start_new_session=True,
            )
        self._connection = Connection(os.dup(self._socket.fileno()))
        self._has_started = False

    def start(self) -> None:
        slow = (
            f"Ray has not started within a minute; its logs are in {self._folder}. "
            "If it never does, --executor local trains without it."
        )
        watchdog = threading.Timer(_START_SECONDS, _LOG.warning, [slow])
        watchdog.daemon = True
        watchdog.start()
        try:
            self._send((self._resources, self._folder))
            address = self._resources.address
            seconds, what = (
                (_LOCAL_SECONDS, f"Ray: its start {_TIMED_OUT} after")
                if address is None
                else (_JOIN_SECONDS, f"--address {address}: no answer within")
            )
            if not self._connection.poll(seconds):
                raise InputError(
                    f"{what} {seconds:g} s; --executor local trains without it; "
                    "the same command later resumes the study"
                )
            self._receive()
            self._has_started = True
        finally:
            watchdog.cancel()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Generator[Any, Any, None]:
        self._send((function, arguments))
        while True:
            kind, message = self._receive()
            if kind == "returned":
                return
            self._send((yield message))

    def end(self, *, in_order: bool = False) -> None:
        """End all processes; with ``in_order``, running runs write checkpoints first."""
        if self._has_started and (in_order or self._resources.address is not None):
            self._leave()
        stop_mps(self._folder)
        with suppress(ProcessLookupError, PermissionError):
            # before waiting, because until then no other group has this id
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()
        self._socket.close()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _leave(self) -> None:
        """Ask the process to end, and wait until its runs have ended and its socket is closed."""
        until = time.monotonic() + _LEAVE_SECONDS
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            while (left := until - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv(4096):  # its last messages have no reader
                    return

    def _send(self, what: Any) -> None:
        try:
            self._connection.send(what)
        except OSError as error:
            raise self._ended() from error

    def _receive(self) -> tuple[str, Any]:
        try:
            kind, message = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        if kind == "refused":
            raise InputError(message)
        return kind, message

    def _ended(self) -> RayEnded:
        if (self._folder / GONE).exists():
            return RayEnded(
                f"the Ray cluster at --address {self._resources.address} has not answered for {LOST_SECONDS:g} s; "
                "the same command resumes the study when it does",
                is_final=True,
            )
        try:
            what = f"its {read_regular_text(self._folder / LAST_WORDS)}"
        except OSError:
            what = "the process that talks to it"
        return RayEnded(f"Ray ended ({what} was killed or crashed)")


def _private_folder() -> Path:
    """Make a folder for Ray's sessions, logs and token that only this user can read."""
    place = os.environ.get("RAY_TMPDIR") or "/tmp"  # a socket's path has at most 107 bytes
    return Path(tempfile.mkdtemp(prefix="ta-ray-", dir=place))
