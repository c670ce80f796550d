"""``taskaffinity init``: write an example suite to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.atomic import write_atomic
from taskaffinity.errors import input_error
from taskaffinity.regular_file import read_regular
from taskaffinity.tasks.user.template import SUITE, example_files


def command(
    folder: Annotated[
        Path, typer.Argument(help="Folder to write to (default: the current folder).", metavar="[DIR]")
    ] = Path(),
) -> None:
    """Write an example suite file and its data files, as a start for your own tasks.

    The example runs unchanged. Existing files are not overwritten, and an interrupted `init` continues.
    """
    suite = folder / SUITE
    contents = example_files(shlex.quote(str(suite)))
    files = {folder / name: content.encode() for name, content in contents.items() if name != SUITE}
    files[suite] = contents[
        SUITE
    ].encode()  # written last, so that files without a suite file show an interrupted command
    for path, content in files.items():
        if path.exists() and (path == suite or not path.is_file() or read_regular(path) != content):
            raise input_error(path, "a file that exists", "a folder without it; nothing was written")
    for path, content in files.items():
        if not path.exists():
            write_atomic(path, content)
    print(f"{suite}: a suite of three tasks, and {len(files) - 1} data files")
    print(f"next: taskaffinity data inspect {shlex.quote(str(suite))}")
