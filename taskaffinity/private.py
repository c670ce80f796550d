"""Set file modes of what can reveal a corpus.

These are task files, models, predictions, and the cache of tokenized corpora.

Weights can contain parts of their training text, and predictions name its examples. Only their owner reads them unless
the user shares them with the group. The cache is never shared.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from taskaffinity.errors import InputError


def file_mode(share_with_group: bool) -> int:
    """Return the mode of a private file: 0600, or 0640 if the group may read it."""
    return 0o640 if share_with_group else 0o600


def folder_mode(share_with_group: bool) -> int:
    """Return the mode of a private folder: 0700, or 0750 if the group may read it."""
    return 0o750 if share_with_group else 0o700


def protect(folder: Path, *, share_with_group: bool = False) -> None:
    """Set the modes of a folder and all its content, whatever the umask is."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod((folder_mode if path.is_dir() else file_mode)(share_with_group))


def private_folder(folder: Path) -> Path:
    """Create a folder and its missing parents for their owner only (0700); return it."""
    for missing in reversed([place for place in (folder, *folder.parents) if not place.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    return folder


def check_private(folder: Path) -> None:
    """Check that no other user owns a folder or may write to it.

    A folder that does not exist passes.

    Raises
    ------
    InputError
    If another user owns the folder, or others may write to it.
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
