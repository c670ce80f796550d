"""Seal a folder of the cache with hashes of its files, and check that it is unchanged.

A folder with truncated, exchanged or edited files may parse like an intact one, but its hashes differ.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from taskaffinity.regular_file import open_regular, read_regular

SEAL = "checksums.json"
"""The file with the hashes, written last."""

Signature = tuple[tuple[str, int, int, int], ...]
_intact: dict[Path, Signature] = {}
"""Folders that this process has checked, with names, sizes, times and inodes of their files."""


def seal(folder: Path, name: str) -> None:
    """Write the hashes of all files of a folder, and flush them to the disk.

    The other files are not flushed: if the machine loses them, the hashes differ.

    Parameters
    ----------
    name : str
        The folder's final name. Two sealed folders cannot be exchanged.
    """
    content = _content(folder, name)
    with open(folder / SEAL, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def is_intact(folder: Path) -> bool:
    """Return whether a folder has exactly its sealed files and name.

    Each process hashes a folder once.
    """
    try:
        before = _signature(folder)
        if _intact.get(folder) == before:
            return True
        is_same = read_regular(folder / SEAL) == _content(folder, folder.name)
    except (OSError, ValueError):
        return False
    if is_same:
        _intact[folder] = before
    return is_same


def _content(folder: Path, name: str) -> bytes:
    """Return the content of a folder's seal."""
    hashes = {}
    for path in _files(folder):
        if path.name != SEAL:
            with open_regular(path) as file:
                hashes[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return json.dumps({"name": name, "sha256": hashes}, indent=1).encode()


def _signature(folder: Path) -> Signature:
    status = [(path, path.stat()) for path in _files(folder)]
    return tuple((str(path), of.st_size, of.st_mtime_ns, of.st_ino) for path, of in status)


def _files(folder: Path) -> Iterator[Path]:
    """Return all files of a folder, sorted.

    Raises
    ------
    ValueError
        If it contains anything but files and folders. Reading a named pipe would never end.
    """
    for path in (folder, *sorted(folder.rglob("*"))):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{path}: no file")
        if path.is_file():
            yield path
