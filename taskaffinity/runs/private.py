"""Folders that only their owner can write: the cache of tokenized corpora."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from taskaffinity.errors import InputError


def private_folder(folder: Path) -> Path:
    """Make a folder and its missing parents, each for its owner alone (mode 0700); return it."""
    for missing in reversed([place for place in (folder, *folder.parents) if not place.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    return folder


def check_private(folder: Path) -> None:
    """Raise if another user owns the folder or may write to it; a folder that does not exist passes.

    Raises
    ------
    InputError
    """
    try:
        status = folder.stat()
    except OSError:
        return
    otherwise = "or set TASKAFFINITY_CACHE to a folder of your own"
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise InputError(
            f"{folder}: another user owns this cache and may change what is trained; delete it, {otherwise}"
        )
    if stat.S_IMODE(status.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
        raise InputError(
            f"{folder}: other users may write to this cache and change what is trained; delete it, run "
            f"`chmod -R go-w {folder}` if nobody did, {otherwise}"
        )
