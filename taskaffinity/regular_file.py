"""Open files of a results folder, a cache or a user; only regular files are read.

A pipe in the place of a file would block for ever, and a device may never end. A file is therefore opened without
waiting, and its kind and size are asked for before it is read. ``tests/test_regular_files.py`` checks that the package
reads no file in another way.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from taskaffinity.errors import InputError, input_error

LARGEST = 1 << 30
"""Bytes of the largest file that is read as a whole: 1 GiB."""
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


class IrregularFile(InputError):
    """Raised if a path is no regular file, or if the file is too large."""

    def __init__(self, path: Path | str, found: str, expected: str) -> None:
        super().__init__(input_error(path, found, expected))
        self.found = found


def open_regular(path: Path | str) -> BufferedReader:
    """Open a regular file for reading; a pipe does not block.

    Raises
    ------
    OSError
        If the file does not exist or cannot be read.
    IrregularFile
        If it is no regular file.
    """
    return open(path, "rb", opener=lambda name, flags: _open(name)[0])


def read_regular(path: Path | str, largest: int = LARGEST) -> bytes:
    """Return the content of a regular file.

    This takes fewer system calls than ``Path.read_bytes``.

    Parameters
    ----------
    largest : int
        The largest size in bytes.

    Raises
    ------
    OSError
        If the file does not exist or cannot be read.
    IrregularFile
        If it is no regular file, or larger.
    """
    descriptor, size = _open(path)
    try:
        if size > largest:
            raise IrregularFile(path, f"{size:,} bytes", f"at most {largest:,}")
        content = os.read(descriptor, size)
        while len(content) < size and (more := os.read(descriptor, size - len(content))):
            content += more
        return content
    finally:
        os.close(descriptor)


def read_regular_text(path: Path | str) -> str:
    """Return the UTF-8 text of a regular file, line ends unchanged; raises as ``read_regular``."""
    return read_regular(path).decode("utf-8")


def check_regular(path: Path | str) -> None:
    """Raise as ``open_regular`` unless a path is a regular file.

    Use it before a library opens the path itself.
    """
    _check_kind(path, os.stat(path).st_mode)


def _open(path: Path | str) -> tuple[int, int]:
    """Return the descriptor of a regular file, and the file's size in bytes."""
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        _check_kind(path, status.st_mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status.st_size


def _check_kind(path: Path | str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        found = next((name for is_kind, name in _KINDS if is_kind(mode)), "a device")
        raise IrregularFile(path, found, "a regular file")
