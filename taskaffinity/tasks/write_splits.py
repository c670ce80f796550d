"""Write which split each example of a task is in, by id and without text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from taskaffinity.atomic import write_atomic
from taskaffinity.errors import InputError
from taskaffinity.output_file import SPLITS, check_output
from taskaffinity.tasks.task import Task


def write_splits(tasks: Iterable[Task], folder: Path) -> list[Path]:
    """Write one CSV file per task, with the columns ``id`` and ``split``, and return the paths.

    Raises
    ------
    InputError
        If ``folder`` is a file, or holds a file of a task's name that has no splits.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--write-splits {folder}: a file; expected a folder, or a name that does not exist")
    tasks = list(tasks)
    for task in tasks:
        check_output(folder / f"{task.name}.csv", SPLITS, "file of splits", option="--write-splits")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for task in tasks:
        content = io.StringIO()
        rows = ((example.id, split) for split in task.splits for example in task.examples[split])
        csv.writer(content, lineterminator="\n").writerows([("id", "split"), *rows])
        written.append(folder / f"{task.name}.csv")
        write_atomic(written[-1], content.getvalue().encode())
    return written
