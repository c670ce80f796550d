"""``taskaffinity init``: write an example suite to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.errors import input_error
from taskaffinity.tasks.user.template import SUITE, example_files


def command(
    folder: Annotated[
        Path, typer.Argument(help="Folder to write to (default: the current folder).", metavar="[DIR]")
    ] = Path(),
) -> None:
    """Write an example suite file and its data files, as a start for your own tasks.

    The example runs unchanged. Existing files are not overwritten.
    """
    suite = folder / SUITE
    files = {folder / name: content for name, content in example_files(shlex.quote(str(suite))).items()}
    existing = [path for path in files if path.exists()]
    if existing:
        raise input_error(existing[0], "a file that exists", "a folder without it; nothing was written")
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(content)
    print(f"{suite}: a suite of three tasks, and {len(files) - 1} data files")
    print(f"next: taskaffinity data inspect {shlex.quote(str(suite))}")
