"""The files in the folder of one run: their names, and how they are read."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from safetensors.numpy import save

from taskaffinity.atomic import atomic_write
from taskaffinity.runs.private import file_mode, folder_mode
from taskaffinity.runs.result import RunResult


@contextmanager
def of_this_version(folder: Path) -> Iterator[None]:
    """Turn what the files of a run lack, or hold too much of, into one line.

    Raises
    ------
    ValueError
        Names the folder and says what to do.
    """
    try:
        yield
    except (KeyError, TypeError, AttributeError, FileNotFoundError) as error:
        raise ValueError(
            f"{folder}: half copied, or of another version of taskaffinity ({type(error).__name__}); delete the folder "
            "to train it again"
        ) from error


def is_locked(path: Path) -> bool:
    """Whether a process holds a lock on the file. Nothing changes on the file."""
    import fcntl  # Linux and macOS

    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:  # no such file, or a file system without locks
        return False
    return False


def weights_path(folder: Path, epoch: int) -> Path:
    """The encoder's weights after an epoch."""
    return folder / "model" / f"epoch-{epoch}.safetensors"


def head_path(folder: Path, task: str) -> Path:
    """The head of a task."""
    return folder / "model" / f"head-{task}.safetensors"


def write_models(folder: Path, result: RunResult, *, share_with_group: bool) -> None:
    """Write the weights and heads of a run, which the group may read if they are shared with it."""
    if not (result.weights or result.heads):
        return
    (folder / "model").mkdir(mode=0o700, exist_ok=True)
    (folder / "model").chmod(folder_mode(share_with_group))
    for epoch, weights in result.weights.items():
        with atomic_write(weights_path(folder, epoch), file_mode(share_with_group)) as file:
            file.write(save(dict(weights)))
    for task, head in result.heads.items():
        with atomic_write(head_path(folder, task), file_mode(share_with_group)) as file:
            file.write(save(dict(head.weights), metadata=dict(head.about)))


def best_on_average(folder: Path, epochs: Collection[int]) -> int:
    """The epoch with the best mean dev score over all tasks; the first of equals."""
    rows = [row for row in read_history(folder / "history.jsonl") if row["epoch"] in epochs]
    best: int = max(rows, key=lambda row: fmean(row["dev"].values()))["epoch"]
    return best


def read_history(path: Path) -> list[dict[str, Any]]:
    """One row per epoch.

    Raises
    ------
    ValueError
        If the file is missing or broken.
    """
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, RecursionError, FileNotFoundError) as error:
        raise ValueError(f"{path}: missing, or not JSON Lines; delete its folder to train the run again") from error


def read_arrays(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Arrays by key.

    Raises
    ------
    ValueError
        If the file is missing or broken.
    """
    try:
        with np.load(path, allow_pickle=False) as counts:
            return {key: counts[key] for key in counts.files}
    except (ValueError, EOFError, BadZipFile, FileNotFoundError, zlib.error) as error:
        raise ValueError(
            f"{path}: missing, or not a file of counts; delete its folder to train the run again"
        ) from error


def prediction_table(result: RunResult) -> pa.Table:
    """One row per example, with the columns task, split, id, gold and predicted."""
    columns: dict[str, list[str]] = {name: [] for name in ("task", "split", "id", "gold", "predicted")}
    for key, predictions in result.predictions.items():
        task, _, split = key.rpartition("/")
        columns["task"] += [task] * len(predictions.ids)
        columns["split"] += [split] * len(predictions.ids)
        columns["id"] += list(predictions.ids)
        columns["gold"] += list(predictions.gold)
        columns["predicted"] += list(predictions.predicted)
    return pa.table(columns)
