"""The command line for tests: in this process, which has torch already, or in a process of its own."""

from __future__ import annotations

import csv
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from unittest import mock

from taskaffinity.cli import main

SMALL = [f"--set={s}" for s in ("num_train_epochs=1", "max_train_examples=64", "max_eval_examples=50")]
LOCAL = ["--executor=local", "--gpus-per-run=0"]
WITHOUT_TORCH = """
import runpy, sys
sys.argv = ["taskaffinity", *sys.argv[1:]]
try:
    runpy.run_module("taskaffinity", run_name="__main__", alter_sys=True)
finally:
    libraries = {name.partition(".")[0] for name in sys.modules} | {"scipy.stats"} & sys.modules.keys()
    print(*sorted(libraries), file=sys.stderr)
"""
"""Runs the command; the last line of stderr holds every library that it loaded, and ``scipy.stats``."""

Done = subprocess.CompletedProcess[str]


def command(*arguments: str, cwd: Path) -> Done:
    """Run ``taskaffinity`` with these arguments in this process."""
    out, err = (TextIOWrapper(BytesIO(), "utf-8", newline="", write_through=True) for _ in range(2))
    code: object = None
    asked = mock.patch.object(sys, "argv", ["taskaffinity", *arguments])
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err), asked:
        try:
            main()
        except SystemExit as end:
            code = end.code
    assert code is None or isinstance(code, int), code
    return Done(arguments, code or 0, *(said.buffer.getvalue().decode() for said in (out, err)))


def process(*arguments: str, cwd: Path, python: tuple[str, ...] = ("-m", "taskaffinity")) -> Done:
    """Run ``taskaffinity`` with these arguments in a process of its own, which loads everything anew."""
    return subprocess.run(
        [sys.executable, *python, *arguments], cwd=cwd, capture_output=True, text=True, timeout=180, check=False
    )


def results_of(root: Path) -> dict[str, float]:
    """When each finished run was written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in root.glob("runs/*/result.json")}


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, by the names of their columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
