"""Read and write JSON files, and find the folder of the cache."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskaffinity.atomic import atomic_write
from taskaffinity.private import check_private
from taskaffinity.regular_file import read_regular_text


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write indented JSON with plain Unicode, in one step."""
    with atomic_write(path) as file:
        file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Return a JSON file's content.

    Raises
    ------
    ValueError
        If it is broken: one line with the place.
    """
    try:
        return json.loads(read_regular_text(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else f"byte {error.start}"
        raise ValueError(f"{path}: {where}: not JSON; delete it to have it made again") from error
    except RecursionError:
        raise ValueError(f"{path}: nested too deeply to be read; delete it to have it made again") from None


def cache_folder() -> Path:
    """Return the folder of tokenized corpora.

    It is ``TASKAFFINITY_CACHE``, else ``~/.cache/taskaffinity``.

    Raises
    ------
    InputError
        If another user owns it or may write to it.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taskaffinity"
    folder = Path(os.environ.get("TASKAFFINITY_CACHE") or default)
    check_private(folder)
    return folder
