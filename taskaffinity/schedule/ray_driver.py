"""The process that talks to Ray; its parent is ``ray_process``.

Ray may end this process at any time. The parent continues.

The parent sends a function with its arguments; the function yields messages, and the parent answers each. Everything in
this process group ends with the parent.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
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
from taskaffinity.schedule.ray_session import control_address, start_ray, vital_processes

WATCH_SECONDS = 0.25
"""Longest time, in seconds, until the end of Ray is noticed."""
LAST_WORDS = "ended.txt"
"""File in the private folder that names the process of Ray that ended."""
LOST_SECONDS = 45.0
"""Time without an answer after which a cluster that was joined is gone; Ray itself gives up after a minute or later."""
GONE = "gone.txt"
"""File in the private folder of a process that a cluster has left without an answer."""
_ASK_SECONDS, _ANSWER_SECONDS = 2.0, 5.0


def main(descriptor: int) -> None:
    """Serve the parent at the other end of a socket until it closes the socket."""
    # Ray's processes inherit this, so they live until a checkpoint is written
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    connection = Connection(descriptor)
    resources, folder = connection.recv()
    threading.Thread(target=_end_with_parent, args=[folder], daemon=True).start()
    os.environ |= start_mps(resources, folder)  # Ray's workers inherit this
    try:
        ray = start_ray(resources, folder)
    except InputError as error:
        connection.send(("refused", str(error)))
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Ray set a handler, but only the parent may end this process
    threading.Thread(target=_end_with_ray, args=[vital_processes(ray), folder], daemon=True).start()
    if resources.address is not None and (place := control_address(ray)) and _answers(place):
        threading.Thread(target=_end_with_cluster, args=[place, folder], daemon=True).start()
    connection.send(("started", None))
    try:
        _serve(connection, ray)
    finally:
        # disconnect from a joined cluster; a Ray that was started here ends with the process group
        if resources.address is not None:
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
        except EOFError:  # the parent disconnects after the function has ended its runs
            return
        except InputError as error:
            connection.send(("refused", str(error)))
        else:
            connection.send(("returned", None))


def _tell(connection: Connection, message: Any) -> Any:
    connection.send(("message", message))
    return connection.recv()


def _end_with_parent(folder: Path) -> None:
    """End everything when standard input ends, because then the parent has ended."""
    sys.stdin.buffer.read()
    stop_mps(folder)
    shutil.rmtree(folder.parent, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _end_with_ray(vital: Mapping[str, Any], folder: Path) -> None:
    """End this process when a vital process of Ray ends, because calls may hang for minutes."""
    while True:
        for name, process in vital.items():
            if process.poll() is not None:
                (folder / LAST_WORDS).write_text(name)
                os._exit(1)
        time.sleep(WATCH_SECONDS)


def _end_with_cluster(place: tuple[str, int], folder: Path) -> None:
    """End this process if the cluster that it joined answers no more: calls of Ray may wait for ever."""
    answered = time.monotonic()
    while True:
        if _answers(place):
            answered = time.monotonic()
        elif time.monotonic() - answered >= LOST_SECONDS:
            (folder / GONE).touch()
            os._exit(1)
        time.sleep(_ASK_SECONDS)


def _answers(place: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(place, _ANSWER_SECONDS):
            return True
    except OSError:
        return False
