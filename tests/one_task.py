"""Read one task of a suite file from a line of YAML."""

from __future__ import annotations

from pathlib import Path

from taskaffinity.tasks.task import Task
from taskaffinity.tasks.user.suitefile import read_suite


def read(folder: Path, block: str) -> Task:
    """Write ``folder/suite.yaml`` with a task of these keys, such as ``kind: ner, path: ner``, and read it."""
    (folder / "suite.yaml").write_text(f"tasks:\n  mine: {{{block}}}\n")
    return read_suite(folder / "suite.yaml", least=1)["mine"]
