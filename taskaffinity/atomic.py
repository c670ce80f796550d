"""Write a file or folder atomically: beside its target, under another name, then renamed.

The other name is random, and its writer holds a lock on it. A name without a lock is litter of a process that was
killed, and the next write into the same folder removes it. Locks (``flock``) are seen by every process of this machine,
whatever its container. Other machines see them on NFS and on most cluster file systems. A lock proves nothing if
another machine wrote the name, or if the file system has no locks. Such a name is removed only if it did not change for
an hour.
"""

from __future__ import annotations

import errno
import fcntl  # Linux and macOS
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from filelock import FileLock, Timeout

from taskaffinity.errors import InputError, input_error

LOCK = ".lock"
"""File in a folder whose lock is held while several of its files are written."""
LONGEST_WAIT = 600.0
"""Seconds to wait for another process that holds the lock of a folder."""
SILENCE = 3600.0
"""Seconds without a change after which a name is litter although its lock proves nothing."""

_OURS = re.compile(r"\.(?P<target>.+)\.(?P<machine>[0-9a-f]{6})-[0-9a-f]{8}\.(?P<kind>tmp|lock)", re.DOTALL)
"""A temporary name; ``.lock`` is the lock of the folder ``.tmp`` of the same name."""
_LONGEST_TARGET = 180
"""Bytes of the target's name in a temporary name, because file systems allow 255."""
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
"""How libraries in Rust end the message of an error of the operating system."""


@contextmanager
def atomic_write(path: Path, mode: int | None = None, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a binary file that replaces ``path`` when the block succeeds.

    The file disappears when the block fails. Litter of killed processes in its folder is removed first.

    Parameters
    ----------
    mode : int, optional
        The mode of the file, from its first byte on. Default: by the umask.
    durable
        Whether the file reaches the disk before it replaces ``path``; false for files that a crash may cost.

    Raises
    ------
    OSError, InputError
        With the name of ``path``: the disk is full or the like, or ``path`` is a device or a pipe.
    """
    _check_replaceable(path)
    remove_litter(path.parent)
    with named_errors(path):
        beside, descriptor = _new_name(path, "tmp", 0o666 if mode is None else mode)
        try:
            with open(descriptor, "wb") as file:
                if mode is not None:
                    os.fchmod(descriptor, mode)
                yield file
                file.flush()
                if durable:
                    os.fsync(descriptor)
                os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def write_atomic(path: Path, content: bytes) -> None:
    """Replace a file in one step; create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(content)


@contextmanager
def atomic_folder(path: Path, *, mode: int = 0o777) -> Iterator[Path]:
    """Yield a new folder that becomes ``path`` when the block succeeds.

    The folder disappears when the block fails. The files reach the disk first. ``path`` must not exist, or be an empty
    folder. Missing parents are created.

    Raises
    ------
    FileExistsError
        If ``path`` is not empty.
    OSError
        With the name of ``path``, if the disk is full or the like.
    """
    with temporary_folder(path, mode=mode) as beside, named_errors(path), _said_as_existing():
        yield beside
        _sync(beside)
        os.rename(beside, path)


@contextmanager
def temporary_folder(path: Path, *, mode: int = 0o700) -> Iterator[Path]:
    """Yield a new hidden folder beside ``path`` that disappears at the end.

    Missing parents are created. If the process is killed, the next write into the parent folder removes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_litter(path.parent)
    with named_errors(path):
        lock, descriptor = _new_name(path, "lock", 0o600)
    beside = lock.with_suffix(".tmp")
    try:
        with named_errors(path):
            beside.mkdir(mode)
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        lock.unlink(missing_ok=True)  # after the folder: a folder without it is litter
        os.close(descriptor)


def remove_litter(folder: Path) -> None:
    """Remove the temporary files and folders that no process writes any more.

    A name that cannot be removed stays; no error is raised.
    """
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if ours := _OURS.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_if_abandoned(Path(entry.path), ours["machine"], ours["kind"])


def check_writable(folder: Path) -> None:
    """Create a folder unless it exists, and check that files can be written there.

    Raises
    ------
    OSError
        With the name of the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_litter(folder)
    with named_errors(folder), TemporaryFile(dir=folder):
        pass


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder while files that belong together are written.

    Raises
    ------
    InputError
        If another process holds it for ``LONGEST_WAIT`` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=LONGEST_WAIT)
    except Timeout:
        raise InputError(
            f"{folder}: another process has been writing here for {LONGEST_WAIT / 60:.0f} minutes; "
            "end it, then run the same command again"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _check_replaceable(path: Path) -> None:
    """Raise ``InputError`` for a device or a pipe, in whose place there would be a file."""
    with suppress(OSError):
        if not stat.S_ISREG(mode := os.stat(path).st_mode) and not stat.S_ISDIR(mode):
            raise input_error(path, "a device or a pipe", "a name where a file can be written")


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Add the name of ``path`` to errors of the operating system that name no file."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        if error.filename is not None and not _OURS.fullmatch(Path(os.fsdecode(error.filename)).name):
            raise
        if error.errno is None:  # NumPy's error
            raise OSError(errno.EIO, "not written whole; is the disk full?", str(path)) from error
        raise OSError(error.errno, error.strerror or os.strerror(error.errno), str(path)) from error
    except Exception as error:
        if (number := _OS_ERROR.search(str(error))) is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


@contextmanager
def _said_as_existing() -> Iterator[None]:
    """Raise ``FileExistsError`` for a folder that is not empty; some systems raise another error."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        raise FileExistsError(errno.EEXIST, "not empty") from error


def _new_name(path: Path, kind: str, mode: int) -> tuple[Path, int]:
    """Create a temporary file beside ``path``, and lock it; return its path and descriptor."""
    target = os.fsencode(path.name)[:_LONGEST_TARGET].decode(errors="ignore") or "_"
    while True:
        beside = path.with_name(f".{target}.{_machine()}-{secrets.token_hex(4)}.{kind}")
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # waits for a process that has just taken the name for litter
        if os.fstat(descriptor).st_nlink:
            return beside, descriptor
        os.close(descriptor)  # another process removed it as litter before it was locked


def _remove_if_abandoned(path: Path, machine: str, kind: str) -> None:
    """Remove a temporary file or folder, and its lock, unless a process may still write it."""
    if path.is_dir() and not path.is_symlink():
        if not path.with_suffix(".lock").exists():  # the lock is created first and removed last
            shutil.rmtree(path)
        return
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        proves = machine == _machine()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:
            proves = False
        folder = path.with_suffix(".tmp")
        if not proves and time.time() - _last_change(folder if kind == "lock" else path) < SILENCE:
            return
        if kind == "lock":
            shutil.rmtree(folder, ignore_errors=True)
        path.unlink()
    finally:
        os.close(descriptor)


def _last_change(path: Path) -> float:
    """Return the time of the last change, in seconds since 1970; 0 if nothing exists."""
    times = [0.0]
    for one in (path, *path.rglob("*")):
        with suppress(OSError):
            times.append(one.lstat().st_mtime)
    return max(times)


def _sync(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), "rb") as file:
                os.fsync(file.fileno())


@cache
def _machine() -> str:
    """Return six hex digits that containers of one machine share until it restarts."""
    try:
        mark = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        mark = platform.node()
    return hashlib.sha256(mark.encode()).hexdigest()[:6]
