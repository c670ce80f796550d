"""``taskaffinity init``: an example suite to change."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.errors import input_error
from taskaffinity.tasks.user.template import SUITE, example_files


def command(
    folder: Annotated[Path, typer.Argument(help="Folder to write to; it may exist.", metavar="[DIR]")] = Path(),
) -> None:
    """Write an example suite file with data files; it runs unchanged. Nothing is overwritten."""
    suite = folder / SUITE
    files = {folder / name: content for name, content in example_files(shlex.quote(str(suite))).items()}
    there = [path for path in files if path.exists()]
    if there:
        raise input_error(there[0], "a file that exists", "a folder without it; nothing was written")
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(content)
    print(f"{suite}: a suite of three tasks, and {len(files) - 1} data files beside it")
    print(f"next: taskaffinity data inspect {shlex.quote(str(suite))}")
