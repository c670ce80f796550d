"""The process that talks to Ray. Ray may end it at any time; its parent (``ray_process``) lives on.

The parent sends a function with its arguments; the function yields messages, and the parent answers each. Everything in
this process group ends with the parent.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from taskaffinity.errors import InputError
from taskaffinity.schedule.mps import start_mps, stop_mps
from taskaffinity.schedule.ray_session import start_ray, vital_processes

WATCH_SECONDS = 0.25
"""Time after which the end of Ray is noticed."""
LAST_WORDS = "ended.txt"
"""File in the private folder that names the process of Ray that ended."""


def main(descriptor: int) -> None:
    """Serve the parent at the other end of a socket until it closes the socket."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # Ray's processes inherit it and outlive a checkpoint
    connection = Connection(descriptor)
    resources, folder = connection.recv()
    threading.Thread(target=_end_with_parent, args=[folder], daemon=True).start()
    os.environ |= start_mps(resources, folder)  # Ray's workers inherit it
    try:
        ray = start_ray(resources, folder)
    except InputError as error:
        connection.send(("refused", str(error)))
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Ray set a handler; the parent alone ends this process
    threading.Thread(target=_end_with_ray, args=[vital_processes(ray), folder], daemon=True).start()
    connection.send(("started", None))
    try:
        _serve(connection, ray)
    finally:
        if resources.address is not None:  # leave the cluster in order; a Ray of ours ends with the process group
            ray.shutdown()


def _serve(connection: Connection, ray: Any) -> None:
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        try:
            messages = function(ray, *arguments, tell=partial(_tell, connection))
            if messages is not None:
                with closing(messages):
                    for message in messages:
                        _tell(connection, message)
        except EOFError:  # the parent leaves: the function has ended its runs in order
            return
        except InputError as error:
            connection.send(("refused", str(error)))
        else:
            connection.send(("returned", None))


def _tell(connection: Connection, message: Any) -> Any:
    connection.send(("message", message))
    return connection.recv()


def _end_with_parent(folder: Path) -> None:
    """Wait for the end of standard input, which is the end of the parent; then end everything."""
    sys.stdin.buffer.read()
    stop_mps(folder)
    shutil.rmtree(folder.parent, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _end_with_ray(vital: Mapping[str, Any], folder: Path) -> None:
    """End this process as soon as a vital process of Ray ends: calls of Ray may hang for minutes."""
    while True:
        for name, process in vital.items():
            if process.poll() is not None:
                (folder / LAST_WORDS).write_text(name)
                os._exit(1)
        time.sleep(WATCH_SECONDS)
