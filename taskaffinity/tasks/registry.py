"""Named tasks, read from the task folders that ``taskaffinity data prepare`` writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskaffinity.errors import InputError, input_error, shown
from taskaffinity.tasks.formats import CARD, missing_files, read_task
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import Kind


@dataclass(frozen=True)
class ListedTask:
    """Description of a task whose examples are in a task folder."""

    name: str
    title: str
    """Name in figures, as printed in the paper."""
    kind: Kind
    domain: str
    """Suite that the task belongs to, named after its text domain."""
    corpus: str
    """Name of its corpus in ``taskaffinity data prepare``."""
    labels: tuple[str, ...] = ()
    negative: str | None = None


def load_listed(name: str, rows: Sequence[ListedTask], data: Path) -> Suite:
    """Read a suite from the task folders in ``data``.

    Raises
    ------
    InputError
        If folders or files are missing, or if a folder holds a task of another kind or with other labels. The error
        lists all missing files and the commands that make them.
    """
    if not data.is_dir():
        raise input_error(
            data, "a file" if data.exists() else "no such folder", f"the folder that holds {rows[0].name}/, ..."
        )
    lacking = {row: missing for row in rows if (missing := missing_files(data / row.name))}
    if lacking:
        gaps = [
            f"{row.name} ({'no folder' if not (data / row.name).is_dir() else ', '.join(missing)})"
            for row, missing in lacking.items()
        ]
        raise InputError(f"{data}: suite {name} lacks {'; '.join(gaps)}; run {commands(lacking, data)}")
    suite = Suite(name, tuple(read_task(data / row.name) for row in rows))
    for task, row in zip(suite, rows, strict=True):
        if task.kind != row.kind:
            raise input_error(data / task.name, f"a task of kind {task.kind}", f"one of kind {row.kind}")
        if other := sorted(set(task.labels) ^ set(row.labels)):
            found = f"label {shown(other[0])}" if other[0] in task.labels else f"no label {other[0]}"
            raise input_error(data / task.name / CARD, found, f"labels {', '.join(row.labels)}; prepare the task again")
        if task.negative != row.negative:
            expected = f"{row.negative or 'none'}; prepare the task again"
            raise input_error(data / task.name / CARD, f"negative {shown(task.negative)}", expected)
    return suite


def commands(rows: Iterable[ListedTask], out: Path) -> str:
    """Return the commands that make the folders of these tasks, for a message."""
    corpora = dict.fromkeys(row.corpus for row in rows)
    return " and ".join(f"`taskaffinity data prepare {corpus} --raw DIR --out {out}`" for corpus in corpora)
