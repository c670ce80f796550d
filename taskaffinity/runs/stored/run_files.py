"""Names and locks of the files in the folder of one run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from taskaffinity.regular_file import IrregularFile, open_regular
from taskaffinity.runs.result import Predictions, RunResult

HISTORY, PREDICTIONS, MODEL = "history.jsonl", "predictions.parquet", "model"
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
    return folder / MODEL / f"epoch-{epoch}.safetensors"


def head_path(folder: Path, task: str) -> Path:
    """Return the path of the head of a task."""
    return folder / MODEL / f"head-{task}.safetensors"


def prediction_table(result: RunResult) -> pa.Table:
    """Return one row per example, with the columns ``PREDICTION_COLUMNS``.

    ``probabilities`` maps each class to its probability in the test split. It is null on dev, and for kinds without
    classes of an example.
    """
    columns: dict[str, list[str]] = {name: [] for name in PREDICTION_COLUMNS[:-1]}
    probabilities = []
    for key, predictions in result.predictions.items():
        task, _, split = key.rpartition("/")
        columns["task"] += [task] * len(predictions.ids)
        columns["split"] += [split] * len(predictions.ids)
        columns["id"] += list(predictions.ids)
        columns["gold"] += list(predictions.gold)
        columns["predicted"] += list(predictions.predicted)
        probabilities.append(_probabilities(predictions))
    texts = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    return pa.table({**texts, PREDICTION_COLUMNS[-1]: pa.chunked_array(probabilities, PROBABILITIES)})


def _probabilities(predictions: Predictions) -> pa.Array:
    of = predictions.probabilities
    if of is None:
        return pa.nulls(len(predictions.ids), PROBABILITIES)
    n_examples, n_classes = of.shape
    names = pa.array(predictions.classes, pa.string()).take(pa.array(np.tile(np.arange(n_classes), n_examples)))
    bounds = pa.array(np.arange(n_examples + 1) * n_classes, pa.int32())
    return pa.MapArray.from_arrays(bounds, names, pa.array(of.ravel(), pa.float32()))
