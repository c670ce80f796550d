"""Run a command of the package in a process that is forked from this one, and kill it at a chosen moment.

This process has imported everything that commands import, so a command starts in milliseconds. It never trains, because
a process that has trained cannot be forked.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_world import SENTINEL

LONGEST = 240.0
"""Seconds after which a command hangs."""
HUNG = -99
"""Exit code of a command that hangs."""
_EVENTS = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink", "os.chmod"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_TRACEBACK = re.compile(rb"Traceback \(most recent call last\)|^  File \"", re.MULTILINE)


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    """Exit code; of a signal, its number with a minus."""
    out: bytes
    err: bytes
    seconds: float
    events: int = 0
    """Events of the file system, if they were counted."""
    network: int = 0
    """Ports that were opened, and addresses that were resolved or connected to, but for those of this machine."""

    @property
    def has_traceback(self) -> bool:
        return bool(_TRACEBACK.search(self.out) or _TRACEBACK.search(self.err))

    @property
    def has_text(self) -> bool:
        """Whether a message quotes the corpus."""
        return bool(SENTINEL.search(self.out) or SENTINEL.search(self.err))


def import_everything() -> None:
    """Import what commands import when they run."""
    import matplotlib

    matplotlib.use("agg")
    import transformers.models.bert.modeling_bert
    import transformers.models.bert.tokenization_bert  # noqa: F401

    import taskaffinity.analysis.figures.gallery
    import taskaffinity.analysis.report
    import taskaffinity.cli
    import taskaffinity.corpora.fetch
    import taskaffinity.corpora.prepare
    import taskaffinity.studies.api
    import taskaffinity.training.export.export
    import taskaffinity.training.export.predictor
    import taskaffinity.training.pretraining.pretrain
    import taskaffinity.tuning.tune  # noqa: F401


def environment(place: Path) -> dict[str, str]:
    """Variables that keep everything that a command writes inside a folder."""
    for name in ("cache", "home", "tmp"):
        (place / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "TASKAFFINITY_CACHE": str(place / "cache"),
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }


def run(
    arguments: Sequence[str],
    place: Path,
    *,
    before: Callable[[], None] | None = None,
    kill_at: int | None = None,
    kill_after: float | None = None,
) -> Ran:
    """Run ``taskaffinity ARGUMENTS`` in a folder and wait for its end.

    Parameters
    ----------
    before
        Called in the new process first.
    kill_at
        Number of the file-system event before which the process kills itself; 0 counts them only.
    kill_after
        Seconds after which it is killed.
    """
    pipes = [os.pipe() for _ in range(3)]  # what it prints, and the number of events; pipes have no limit of size
    began = time.monotonic()
    number = os.fork()
    if number == 0:
        _be_the_command(arguments, place, [write for _, write in pipes], before, kill_at)
    for _, write in pipes:
        os.close(write)
    status, (out, err, events) = _wait(number, [read for read, _ in pipes], began + (kill_after or LONGEST))
    code = status if status is not None else HUNG if kill_after is None else -signal.SIGKILL
    n_events, n_network = map(int, (events or b"0 0").split())
    return Ran(code, out, err, time.monotonic() - began, n_events, n_network)


def _wait(number: int, pipes: Sequence[int], until: float) -> tuple[int | None, list[bytes]]:
    """Exit code of a child, None if it had to be killed; and what came through the pipes."""
    came: dict[int, list[bytes]] = {pipe: [] for pipe in pipes}
    status: int | None = None
    while True:
        is_late = time.monotonic() >= until
        done, ended = os.waitpid(number, os.WNOHANG)
        if done or is_late:
            with suppress(ProcessLookupError):  # whatever the command started
                os.killpg(number, signal.SIGKILL)
        if done:
            status = os.waitstatus_to_exitcode(ended)
        elif is_late:
            os.waitpid(number, 0)
        while ready := select.select([pipe for pipe in pipes if pipe in came], [], [], 0 if done else 0.005)[0]:
            parts = [(pipe, os.read(pipe, 1 << 16)) for pipe in ready]
            for pipe, part in parts:
                came[pipe].append(part)
            if not any(part for _, part in parts):
                break
        if done or is_late:
            for pipe in pipes:
                os.close(pipe)
            return status, [b"".join(parts) for parts in came.values()]


def _be_the_command(
    arguments: Sequence[str],
    place: Path,
    pipes: Sequence[int],
    before: Callable[[], None] | None,
    kill_at: int | None,
) -> None:
    """Become the command; does not return."""
    code: Any = 1
    try:
        os.setsid()
        os.dup2(pipes[0], 1)
        os.dup2(pipes[1], 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = (open(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))  # noqa: SIM115
        os.chdir(place)
        os.environ.update(environment(place))
        sys.argv = ["taskaffinity", *arguments]
        network = _count_network()
        events = _count_events(kill_at) if kill_at is not None else [0]
        if before is not None:
            before()
        from taskaffinity.cli import main

        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        os.write(pipes[2], f"{events[0]} {network[0]}".encode())
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _count_network() -> list[int]:
    """Count what goes out of this machine or may come in, from now on."""
    count = [0]

    def hear(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "socket.bind" and isinstance(arguments[1], tuple):
            count[0] += 1
        elif name in ("socket.connect", "socket.getaddrinfo"):
            address = arguments[1] if name == "socket.connect" else arguments
            count[0] += isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost", None)

    sys.addaudithook(hear)
    return count


def _count_events(kill_at: int) -> list[int]:
    """Count file-system events from now on, and kill this process before one of them."""
    count = [0]

    def event() -> None:
        count[0] += 1
        if count[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(name: str, arguments: tuple[Any, ...]) -> None:
        if name in _EVENTS or (name == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES):
            event()

    flush = os.fsync

    def fsync(descriptor: int) -> None:
        event()
        flush(descriptor)

    os.fsync = fsync
    sys.addaudithook(hear)
    return count


def tree(place: Path) -> dict[str, bytes]:
    """Every file below a folder by its path, links left out; folders have no bytes, histories no seconds."""
    found: dict[str, bytes] = {}
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if path.name == "history.jsonl":
                content = re.sub(rb'_seconds": [0-9.e-]+', b'_seconds": 0', content)
            found[str(path.relative_to(place))] = _in_order(content) if path.suffix == ".safetensors" else content
        elif path.is_dir() and not path.is_symlink():
            found[f"{path.relative_to(place)}/"] = b""
    return found


def differences(
    expected: Mapping[str, bytes], same: set[str], after: Mapping[str, bytes]
) -> tuple[list[str], list[str]]:
    """Files that a folder lacks or holds with other bytes, and files that it should not hold.

    An empty ``.lock`` is no litter: a folder that is written a second time has one.
    """
    changed = sorted(name for name in same & after.keys() if after[name] != expected[name])
    more = [name for name in sorted(after.keys() - expected.keys()) if after[name] or not name.endswith("/.lock")]
    return sorted(expected.keys() - after.keys()) + changed, more


def _in_order(content: bytes) -> bytes:
    """Weights with a sorted header; the library that writes them shuffles their metadata."""
    size = int.from_bytes(content[:8], "little")
    return json.dumps(json.loads(content[8 : 8 + size]), sort_keys=True).encode() + content[8 + size :]


FINISHED = re.compile(r"runs/[^/]+/result\.json$|tune/s[^/]+\.json$")
"""Files that say that a run or a trial has finished; both hold its seconds."""


def alike(first: Mapping[str, bytes], second: Mapping[str, bytes]) -> set[str]:
    """Files that two undisturbed commands write alike: all but those that hold times, which may agree by chance."""
    both = first.keys() & second.keys()
    return {name for name in both if first[name] == second[name] and not FINISHED.search(name)}
