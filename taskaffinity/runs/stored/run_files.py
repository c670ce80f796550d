"""Names and locks of the files in the folder of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from taskaffinity.regular_file import IrregularFile, open_regular
from taskaffinity.runs.result import RunResult

PREDICTION_COLUMNS = ("task", "split", "id", "gold", "predicted", "probabilities")
"""Folders of older versions lack the last one."""
PROBABILITIES = pa.map_(pa.string(), pa.float32())
"""Type of the last column."""


def is_locked(path: Path) -> bool:
    """Return whether a process holds a lock on the file; the file is not changed."""
    import fcntl  # Linux and macOS

    try:
        with open_regular(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except (OSError, IrregularFile):  # no such file, or a file system without locks
        return False
    return False


def weights_path(folder: Path, epoch: int) -> Path:
    """Return the path of the encoder's weights after an epoch."""
    return folder / "model" / f"epoch-{epoch}.safetensors"


def head_path(folder: Path, task: str) -> Path:
    """Return the path of the head of a task."""
    return folder / "model" / f"head-{task}.safetensors"


def prediction_table(result: RunResult) -> pa.Table:
    """Return one row per example, with the columns ``PREDICTION_COLUMNS``.

    ``probabilities`` maps each class to its probability in the test split. It is null on dev, and for kinds without
    classes of an example.
    """
    columns: dict[str, list[Any]] = {name: [] for name in PREDICTION_COLUMNS}
    for key, predictions in result.predictions.items():
        task, _, split = key.rpartition("/")
        columns["task"] += [task] * len(predictions.ids)
        columns["split"] += [split] * len(predictions.ids)
        columns["id"] += list(predictions.ids)
        columns["gold"] += list(predictions.gold)
        columns["predicted"] += list(predictions.predicted)
        columns["probabilities"] += [list(of.items()) for of in predictions.probabilities] or [None] * len(
            predictions.ids
        )
    texts = {name: pa.array(columns[name], pa.string()) for name in PREDICTION_COLUMNS[:-1]}
    chances = pa.array(columns["probabilities"], PROBABILITIES)
    return pa.table({**texts, "probabilities": chances})
