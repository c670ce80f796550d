"""Decide whether a command may write a path, so that it never replaces a file of the user's or of a study.

A new name may be written, and an empty file outside a results folder. A file that exists may be replaced only if the
same command made it. Its first bytes show this.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from taskaffinity.errors import InputError
from taskaffinity.regular_file import IrregularFile, open_regular

STUDY_FILES = ("study.json", "full.json", "train.json", "estimate.json")
"""Files of which a results folder has at least one."""
_OF_RESULTS = re.compile(
    r"(study|full|train|estimate|gpu_sharing|tracked)\.json|suite\.yaml|\.lock|(affinity|departures|outdated)\.txt|"
    r"(affinity|heatmap|forest|targets|seeds|curves|stages|groups)(@.*)?\.(png|svg|pdf|graphml)|"
    r"(edges|test_sets|group_arrows|scores|gains|controls|other_metrics|groups|estimates|estimators|helpers|retrained|"
    r"stages|stages_scores|stages_other_metrics|train|train_scores|encoders)\.csv"
)
"""Names of the files that commands write in a results folder, except ``report.html`` and ``recipe.yaml``."""
_FOLDERS_OF_RESULTS = ("runs", "tune")
_HEAD = 4096
"""Bytes at the beginning of a file that show what made it."""

REPORT = re.compile(rb"\s*<!DOCTYPE html>.*<title>Task affinity of ", re.DOTALL)
RECIPE = re.compile(rb"# Found by `taskaffinity tune` ")
PREDICTIONS = re.compile(rb'\{"line": \d+, ("id": .*, )?"(label|labels|score|answer|entities|tags)": ')
SPLITS = re.compile(rb"id,split\n")


def check_output(
    path: Path, own: re.Pattern[bytes], kind: str, *, option: str = "--out", inputs: Iterable[Path] = ()
) -> None:
    """Check that a command may write ``path``.

    Parameters
    ----------
    own
        Matches the first bytes of the files that the command writes.
    kind : str
        What it writes, for the message: ``a report``.
    option : str
        The option that gives the path, for the message.
    inputs
        Files that the command reads.

    Raises
    ------
    InputError
        If the path is a folder, an input, a name that a results folder uses, or a file that exists and that the command
        did not write.
    """
    if path.is_dir():
        raise InputError(f"{option} {path}: a folder; expected a file")
    if any(_is_same(path, one) for one in inputs):
        raise InputError(f"{option} {path}: the file that is read; give another name")
    if not path.exists():
        if _results_folder_of(path) is not None:
            raise InputError(f"{option} {path}: a name that the results folder uses; give another name")
        return
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD)
    except IrregularFile:
        return  # atomic_write refuses a device or a pipe
    is_free = not head and _results_folder_of(path) is None
    if not is_free and not own.match(head):
        raise InputError(f"{option} {path}: a file that exists and is no {kind}; give another name")


def check_results_folder(folder: Path, inputs: Iterable[Path] = ()) -> None:
    """Check that a study may be written into a folder: a new one, a results folder, or one without such files.

    Parameters
    ----------
    inputs
        Files that the command reads, such as a table of scores.

    Raises
    ------
    InputError
        If a file of the user's would be replaced.
    """
    for one in inputs:
        if _is_same(folder, one.parent):
            raise InputError(f"--results {folder}: the folder of {one.name}; expected a separate folder")
    if not folder.is_dir() or is_results_folder(folder) or any((folder / one).is_dir() for one in _FOLDERS_OF_RESULTS):
        return
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file() and _OF_RESULTS.fullmatch(entry.name))
    if names := [name for name in names if name not in (".lock", "encoders.csv")]:
        raise InputError(
            f"--results {folder}: holds {names[0]} and no study, which would be replaced; give another folder"
        )


def is_results_folder(folder: Path) -> bool:
    """Return whether a folder holds a study."""
    return any((folder / name).is_file() for name in STUDY_FILES)


@contextmanager
def writing_results(root: Path) -> Iterator[None]:
    """Say in one line that a results folder cannot be written.

    Raises
    ------
    InputError
        If the folder is read-only, or the user may not write there.
    """
    try:
        yield
    except OSError as error:
        if error.errno != errno.EROFS and (
            error.errno not in (errno.EACCES, errno.EPERM) or os.access(root, os.W_OK | os.X_OK)
        ):
            raise
        why = "read-only" if error.errno == errno.EROFS else "no permission"
        raise InputError(f"cannot write in {root} ({why}): copy the folder, or use `report --out`") from error


def _results_folder_of(path: Path) -> Path | None:
    """Return the results folder that uses this name, or None."""
    full = path.parent.resolve() / path.name
    if is_results_folder(full.parent) and _OF_RESULTS.fullmatch(path.name):
        return full.parent
    for below in full.parents:
        if below.name in _FOLDERS_OF_RESULTS and is_results_folder(below.parent):
            return below.parent
    return None


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return path.resolve() == other.resolve()
