"""Mark the files of a results folder that are of an earlier study, of earlier gains, or of an earlier rule.

A command writes only its own files again. The other ones stay, and ``outdated.txt`` names them with the command that
makes each anew.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from taskaffinity.atomic import write_atomic
from taskaffinity.regular_file import read_regular
from taskaffinity.runs.study import Design

FILE = "outdated.txt"
_TITLE = "# of an earlier study or earlier gains"
_NUMBERS = ("source", "target", "metric", "score_single", "score_pair", "gain", "seeds_single", "seeds_pair")
"""Columns of ``edges.csv`` that depend on the runs only, not on the rule of the verdicts."""
_DIFFERENCE = 1e-5
"""Smallest difference of two numbers, relative and absolute, that is no rounding."""

_RETRAINED = {r"retrained\.csv": "group --retrain"}
_OF_GROUPS = {r"groups\.(csv|png|svg|pdf)": "group", **_RETRAINED}
_REPORT = {r"report\.html": "report"}
_OF_ESTIMATES = {**_OF_GROUPS, **_REPORT, r"(affinity|heatmap|forest)\.(png|svg|pdf)": "graph"}
_OF_GAINS = {
    **_OF_GROUPS,
    **_REPORT,
    r"helpers\.csv": "group --for TASK --retrain",
    r"(affinity|heatmap|forest|targets|seeds|curves)(@.*)?\.(png|svg|pdf)": "graph",
}
"""Patterns of files that show gains -> the command that writes them."""
_OF_STUDY = {
    "pairwise": {
        **_OF_GAINS,
        r"(edges|scores|test_sets|controls|other_metrics|group_arrows)\.csv|affinity\.(graphml|txt)": "graph",
        r"estimates\.csv": "estimate",
        r"estimators\.csv": "estimate --baselines",
    },
    "full": {r"stages(_scores|_other_metrics)?\.csv": "full", r"stages\.(png|svg|pdf)": "graph --figures stages"},
    "train": {r"train(_scores)?\.csv": "train"},
}
"""The same of all files of a study, by its design."""


def mark_study(root: Path, design: Design) -> None:
    """Mark all files of a study that another one has replaced."""
    _mark(root, _OF_STUDY[design], ())


def mark_rule(root: Path, design: Design) -> None:
    """Mark the files that show verdicts or intervals of a study whose rule has changed."""
    _mark(root, _OF_GAINS if design == "pairwise" else _OF_STUDY[design], ())


def mark_gains(root: Path, before: bytes | None, written: Collection[str]) -> None:
    """Unmark the files that were written; mark the others that show gains if ``edges.csv`` has other numbers now.

    Parameters
    ----------
    before : bytes or None
        Content of the earlier ``edges.csv``; None if there was none.
    written
        Names of the files that were written or removed.
    """
    made_anew(root, written)
    if before is not None and not _has_same_numbers(before, read_regular(root / "edges.csv")):
        _mark(root, _OF_GAINS, written)


def mark_groups(root: Path) -> None:
    """Mark the chosen groups, because the gains that they are chosen from include others now."""
    _mark(root, _OF_GROUPS, ())


def mark_estimates(root: Path, before: bytes | None, after: bytes) -> None:
    """Mark the files that show estimates if ``estimates.csv`` has another content now."""
    if before != after:
        _mark(root, _OF_ESTIMATES, ())


def mark_retrained(root: Path, chosen: Iterable[tuple[str, str, float]]) -> None:
    """Mark the realised gains if they are of other groups, or have other predictions, than those chosen now.

    Parameters
    ----------
    chosen
        Each task that a group serves, the tasks of the group as in ``retrained.csv``, and the predicted gain.
    """
    rows = _rows(content_of(root / "retrained.csv") or b"")
    before = {(row.get("task"), row.get("tasks")): row.get("predicted") or "" for row in rows or ()}
    now = {(task, tasks): "" if math.isnan(predicted) else str(predicted) for task, tasks, predicted in chosen}
    if before.keys() != now.keys() or not all(_is_equal(before[key], now[key]) for key in now):
        _mark(root, _RETRAINED, ())


def made_anew(root: Path, names: Iterable[str]) -> None:
    """Remove the marks of files that were written again."""
    marks, names = _marks(root), set(names)
    _write(root, {name: command for name, command in marks.items() if name not in names}, marks)


def describe_outdated(root: Path) -> list[str]:
    """Return a line that names the files of an earlier study, and the commands that make them anew; or nothing."""
    marks = {name: command for name, command in _marks(root).items() if (root / name).exists()}
    if not marks:
        return []
    commands = ", ".join(f"`taskaffinity {command}`" for command in dict.fromkeys(marks.values()))
    return [f"{root}: of an earlier study or earlier gains: {', '.join(marks)}; made anew by {commands}"]


def content_of(path: Path) -> bytes | None:
    """Return the content of a file, or None if there is none."""
    try:
        return read_regular(path)
    except FileNotFoundError:
        return None


def _mark(root: Path, patterns: Mapping[str, str], written: Collection[str]) -> None:
    before, found = _marks(root), {}
    for name in sorted(path.name for path in root.iterdir() if path.is_file()):
        command = next((command for pattern, command in patterns.items() if re.fullmatch(pattern, name)), None)
        if command is not None and name not in written:
            found[name] = command
    _write(root, before | found, before)


def _marks(root: Path) -> dict[str, str]:
    """Return the marked files, each with its command."""
    text = (content_of(root / FILE) or b"").decode("utf-8", "replace")
    rows = (line.partition(": ") for line in text.splitlines() if not line.startswith("#"))
    return {name: command.removeprefix("taskaffinity ") for name, _, command in rows if command}


def _write(root: Path, marks: Mapping[str, str], before: Mapping[str, str]) -> None:
    marks = {name: command for name, command in marks.items() if (root / name).exists()}
    if marks:
        lines = (_TITLE, *(f"{name}: taskaffinity {command}" for name, command in sorted(marks.items())))
        write_atomic(root / FILE, "".join(f"{line}\n" for line in lines).encode())
    elif before:
        (root / FILE).unlink(missing_ok=True)


def _has_same_numbers(before: bytes, after: bytes) -> bool:
    """Return whether two tables of arrows have the same numbers, up to rounding, in the columns that both have."""
    first, second = _rows(before), _rows(after)
    if first is None or second is None or len(first) != len(second):
        return False
    return all(
        _is_equal(row[name] or "", other[name] or "")
        for row, other in zip(first, second, strict=True)
        for name in _NUMBERS
        if name in row and name in other
    )


def _rows(content: bytes) -> list[dict[str, str]] | None:
    """Return the rows of a CSV file, or None if it is none."""
    try:
        return list(csv.DictReader(io.StringIO(content.decode("utf-8", "replace"), newline="")))
    except csv.Error:
        return None


def _is_equal(text: str, other: str) -> bool:
    try:
        return math.isclose(float(text), float(other), rel_tol=_DIFFERENCE, abs_tol=_DIFFERENCE)
    except ValueError:
        return text == other
