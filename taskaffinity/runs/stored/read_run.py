"""Read and check the folder of a finished run; scores are recomputed from counts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, overload

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ConfigDict

from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.stored.counts import read_counts
from taskaffinity.runs.stored.json_files import Finite, FiniteScore, parse_model
from taskaffinity.runs.stored.run_files import (
    HISTORY,
    PREDICTION_COLUMNS,
    PREDICTIONS,
    PROBABILITIES,
    weights_path,
)
from taskaffinity.runs.stored.run_result import (
    RESULT,
    DamagedRun,
    StoredResult,
    check_spec,
    checked_bytes,
    damage,
    read_result,
)
from taskaffinity.tasks.count_checks import SCORE_TOLERANCE


@dataclass(frozen=True)
class _Epoch:
    """A line of ``history.jsonl``; versions differ in the other keys."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    epoch: int
    loss: dict[str, Finite] = field(default_factory=dict)
    dev: dict[str, FiniteScore] = field(default_factory=dict)


class StoredHistory(Sequence[Mapping[str, Any]]):
    """The checked epochs of a run.

    They are parsed at each access, because parsed epochs need much more memory.
    """

    def __init__(self, rows: bytes, n_epochs: int) -> None:
        self._rows, self._n_epochs = rows, n_epochs

    def __len__(self) -> int:
        return self._n_epochs

    @overload
    def __getitem__(self, place: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> Any:
        return json.loads(self._rows)[place]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(json.loads(self._rows))


def read_run(folder: Path, spec: RunSpec) -> RunResult:
    """Read a finished run without its predictions and models.

    Raises
    ------
    FileNotFoundError
        If the run is not done.
    DamagedRun
        If a file of the folder is missing, broken, of another run, or contradicts another one.
    """
    stored = read_result(folder, spec)
    check_spec(folder, spec)
    history = _history(folder, stored)
    counts, documents = read_counts(folder, stored)
    return RunResult(spec, stored.outcomes, counts, history, stored.work, stored.versions, documents=documents)


def _history(folder: Path, stored: StoredResult) -> StoredHistory:
    with damage(folder, HISTORY):
        rows = b"[" + b",".join(checked_bytes(folder, HISTORY, stored.sha256).splitlines()) + b"]"
        epochs: list[_Epoch] = parse_model(rows, list[_Epoch])
    if [epoch.epoch for epoch in epochs] != list(range(1, len(epochs) + 1)):
        raise DamagedRun(folder / HISTORY, "its epochs are not numbered from 1")
    for name, outcome in stored.outcomes.items():
        if epochs and outcome.epoch > len(epochs):
            raise DamagedRun(
                folder / HISTORY, f"{len(epochs)} epochs, but epoch {outcome.epoch} is the one of {name} in {RESULT}"
            )
        dev = epochs[outcome.epoch - 1].dev.get(name) if epochs else None
        if dev is not None and abs(dev - outcome.dev_score) > SCORE_TOLERANCE:
            raise DamagedRun(
                folder / HISTORY, f"{name} scores {dev:.6g} on dev, but {outcome.dev_score:.6g} in {RESULT}"
            )
    return StoredHistory(rows, len(epochs))


def find_weights(folder: Path, spec: RunSpec, task: str | None) -> Path | None:
    """Return the file of ``RunStore.weights``, or None if it is not stored.

    Raises ``FileNotFoundError`` if the run is not done, and ``DamagedRun`` as ``read_run``.
    """
    stored = read_result(folder, spec)
    chosen = {name: outcome.epoch for name, outcome in stored.outcomes.items()}
    epochs = {chosen[task]} if task else set(chosen.values())
    path = weights_path(folder, _best_on_average(folder, stored, epochs))
    return path if path.is_file() else None


def _best_on_average(folder: Path, stored: StoredResult, epochs: Collection[int]) -> int:
    """Return the epoch with the best mean dev score over all tasks; the first of equals.

    Raises ``DamagedRun`` if there are several epochs and the history has no dev score.
    """
    if len(epochs) == 1:
        return next(iter(epochs))
    rows = [row for row in _history(folder, stored) if row["epoch"] in epochs and row.get("dev")]
    if not rows:
        raise DamagedRun(folder / HISTORY, "no dev scores")
    best: int = max(rows, key=lambda row: fmean(row["dev"].values()))["epoch"]
    return best


def read_predictions(folder: Path, stored: StoredResult) -> pa.Table | None:
    """Read ``predictions.parquet``; None if it does not exist.

    Raises
    ------
    DamagedRun
        If it is broken, lacks a column, or has changed since it was written.
    """
    path = folder / PREDICTIONS
    if not path.exists():
        return None
    with damage(folder, PREDICTIONS):
        content = checked_bytes(folder, PREDICTIONS, stored.sha256)
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError):
        raise DamagedRun(path, "not a table of predictions") from None
    if tuple(table.column_names) == PREDICTION_COLUMNS[:-1]:
        table = table.append_column(PREDICTION_COLUMNS[-1], pa.nulls(len(table), PROBABILITIES))
    if tuple(table.column_names) != PREDICTION_COLUMNS:
        raise DamagedRun(path, f"other columns than {', '.join(PREDICTION_COLUMNS)}")
    return table
