"""The store of finished runs: the only thing that passes from training to analysis.

A run is a folder named by ``RunSpec.run_id``. Files appear whole or not at all: they are written under another name and
then renamed. ``result.json`` is written last, so its presence means that the run is done. No file is a pickle, and none
holds the text of a corpus.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from filelock import BaseFileLock, FileLock, Timeout

from taskaffinity.atomic import atomic_write, remove_litter
from taskaffinity.runs.files import read_json, write_json
from taskaffinity.runs.private import file_mode
from taskaffinity.runs.result import Outcome, RunResult
from taskaffinity.runs.run_files import (
    best_on_average,
    head_path,
    is_locked,
    of_this_version,
    prediction_table,
    read_arrays,
    read_history,
    weights_path,
    write_models,
)
from taskaffinity.runs.spec import RunSpec

_DOCUMENTS = "documents:"
"""Begins the keys of ``RunResult.documents`` in the file of counts; no task's name holds a colon."""


class MissingRuns(LookupError):
    """Raised for required runs that are not in the store."""


class AlreadyRunning(RuntimeError):
    """Raised if another process is training the run."""


class RunStore:
    """Runs by their spec, one folder per run below ``root/runs``.

    Examples
    --------
    >>> from taskaffinity.runs.study import Study  # in a checkout of this repository
    >>> root = "notebooks/example_results"
    >>> store, study = RunStore(root), Study.load(root)
    >>> all(spec in store for spec in study.plan)
    True
    >>> outcome = store.read(study.plan.specs[0]).outcomes["clinicalsts"]
    >>> outcome.metric, 0 < outcome.test < 1
    ('pearson', True)
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def folder(self, spec: RunSpec) -> Path:
        return self.root / "runs" / spec.run_id

    def __contains__(self, spec: RunSpec) -> bool:
        return (self.folder(spec) / "result.json").is_file()

    @contextmanager
    def claim(self, spec: RunSpec, *, wait: bool = True) -> Iterator[None]:
        """Lock a run's folder. A second process that claims the same run waits for the first.

        Raises
        ------
        AlreadyRunning
            If another process holds the lock and ``wait`` is false.
        """
        folder = self.folder(spec)
        folder.mkdir(parents=True, exist_ok=True)
        with _held(FileLock(folder / ".lock"), spec, wait=wait):
            remove_litter(folder)
            remove_litter(folder / "model")
            (folder / "error.txt").unlink(missing_ok=True)
            if spec not in self:
                self.begin(spec)
            yield

    def begin(self, spec: RunSpec) -> None:
        """Write ``spec.json``; its time says when the run began.

        ``claim`` does this unless the run is done. To train a finished run again, call it explicitly.
        """
        write_json(self.folder(spec) / "spec.json", spec.to_dict())

    def claimed_at(self, spec: RunSpec) -> float | None:
        """When the run last began, in seconds since 1970; None if it never did."""
        try:
            return (self.folder(spec) / "spec.json").stat().st_mtime
        except FileNotFoundError:
            return None

    def is_held(self, spec: RunSpec) -> bool:
        """Whether a process holds the run's folder now.

        Processes of other machines count if the file system shares locks. The check takes a shared lock on a file that
        is opened for reading and releases it at once, so it never disturbs a run.
        """
        return is_locked(self.folder(spec) / ".lock")

    def fingerprint(self, spec: RunSpec) -> str:
        """Hash of a finished run's result; training the run again changes it.

        Raises
        ------
        FileNotFoundError
            If the run is not done.
        """
        return hashlib.sha256((self.folder(spec) / "result.json").read_bytes()).hexdigest()[:16]

    def seconds(self, spec: RunSpec) -> float | None:
        """Duration of a finished run in seconds, loading and scoring included; None if it is unknown."""
        folder = self.folder(spec)
        try:
            summary = read_json(folder / "result.json")
        except FileNotFoundError:
            return None
        with of_this_version(folder):
            seconds: float | None = summary["work"].get("total_seconds")
        return seconds

    def write(self, result: RunResult, *, share_with_group: bool = False) -> None:
        """Store a finished run, ``result.json`` last.

        An earlier result of the run is removed first, so the files of two trainings never mix.

        Parameters
        ----------
        share_with_group : bool
            Whether the group may read predictions and models; otherwise the owner alone. Other files hold numbers, and
            have the modes that the umask gives.
        """
        folder = self.folder(result.spec)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").unlink(missing_ok=True)
        (folder / "predictions.parquet").unlink(missing_ok=True)
        shutil.rmtree(folder / "model", ignore_errors=True)
        if not (folder / "spec.json").exists():  # a claimed run has one, and its time says when the run began
            write_json(folder / "spec.json", result.spec.to_dict())
        with atomic_write(folder / "history.jsonl") as file:
            file.write("".join(json.dumps(row) + "\n" for row in result.history).encode())
        with atomic_write(folder / "counts.npz") as file:
            documents = {f"{_DOCUMENTS}{key}": numbers for key, numbers in result.documents.items()}
            np.savez_compressed(file, allow_pickle=False, **dict(result.counts), **documents)
        if result.predictions:
            with atomic_write(folder / "predictions.parquet", file_mode(share_with_group)) as file:
                pq.write_table(prediction_table(result), file)
        write_models(folder, result, share_with_group=share_with_group)
        (folder / "error.txt").unlink(missing_ok=True)
        summary = {
            "run_id": result.spec.run_id,
            "outcomes": {name: asdict(outcome) for name, outcome in result.outcomes.items()},
            "work": dict(result.work),
            "versions": dict(result.versions),
        }
        write_json(folder / "result.json", summary)

    def read(self, spec: RunSpec) -> RunResult:
        """A finished run, without its predictions.

        Raises
        ------
        MissingRuns
            If it is not done.
        ValueError
            If the folder holds another run than its name says, an incomplete run, or a run of another version.
        """
        folder = self.folder(spec)
        try:
            summary = read_json(folder / "result.json")
        except FileNotFoundError:
            raise MissingRuns(f"run {spec.run_id} is not in {self.root}") from None
        with of_this_version(folder):
            if RunSpec.from_dict(read_json(folder / "spec.json")) != spec:
                raise ValueError(
                    f"{folder / 'spec.json'}: not the spec of this run; delete the folder to train it again"
                )
            history, arrays = read_history(folder / "history.jsonl"), read_arrays(folder / "counts.npz")
            counts = {key: array for key, array in arrays.items() if not key.startswith(_DOCUMENTS)}
            documents = {
                key.removeprefix(_DOCUMENTS): arrays[key].astype(np.int64) for key in arrays if key not in counts
            }
            outcomes = {name: Outcome(**outcome) for name, outcome in summary["outcomes"].items()}
            return RunResult(spec, outcomes, counts, history, summary["work"], summary["versions"], documents=documents)

    def get(self, spec: RunSpec) -> RunResult | None:
        """As ``read``, or None if the run is not done.

        Use this while other processes train: a run can disappear between ``spec in store`` and ``read``.
        """
        try:
            return self.read(spec)
        except MissingRuns:
            return None

    def weights(self, spec: RunSpec, task: str | None = None) -> Path | None:
        """The encoder's weights after the epoch that was selected for a task; None if there are none.

        Without a task, the epoch is the one with the best mean dev score over all tasks, among the epochs that were
        selected for any task; the first of equals.
        """
        folder = self.folder(spec)
        if spec not in self:
            return None
        summary = read_json(folder / "result.json")
        with of_this_version(folder):
            chosen = {name: outcome["epoch"] for name, outcome in summary["outcomes"].items()}
            path = weights_path(folder, chosen[task] if task else best_on_average(folder, set(chosen.values())))
        return path if path.is_file() else None

    def start(self, spec: RunSpec) -> Path | None:
        """The weights that a run with a parent starts from; None if there are none.

        A fine-tuning starts from the best epoch of its task. Warm-started runs of one parent all start from the same
        weights.
        """
        if spec.parent is None:
            return None
        return self.weights(spec.parent, spec.task_names[0] if spec.stage == "finetune" else None)

    def has_weights(self, spec: RunSpec) -> bool:
        """Whether the encoder's weights are stored for every task of the run."""
        return all(self.weights(spec, name) is not None for name in spec.task_names)

    def head(self, spec: RunSpec, task: str) -> Path | None:
        """The task's head after its selected epoch; None if it is not stored."""
        path = head_path(self.folder(spec), task)
        return path if spec in self and path.is_file() else None

    def has_model(self, spec: RunSpec, task: str) -> bool:
        """Whether the task's encoder and head are stored."""
        return self.head(spec, task) is not None and self.weights(spec, task) is not None

    def has_models(self, spec: RunSpec) -> bool:
        """``has_model`` for every task of the run."""
        return all(self.has_model(spec, name) for name in spec.task_names)

    def fail(self, spec: RunSpec, reason: str, traceback: str = "") -> None:
        """Write the reason (first line) and the traceback to ``error.txt`` in the run's folder."""
        folder = self.folder(spec)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / "error.txt") as file:
            file.write(f"{reason}\n{traceback}".encode())

    def failure(self, spec: RunSpec) -> str | None:
        """Why the last attempt of a run failed, in one line; None if it did not fail or if it is done."""
        if spec in self:
            return None
        try:
            return (self.folder(spec) / "error.txt").read_text(encoding="utf-8").partition("\n")[0]
        except FileNotFoundError:
            return None


@contextmanager
def _held(lock: BaseFileLock, spec: RunSpec, *, wait: bool) -> Iterator[None]:
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise AlreadyRunning(f"run {spec.run_id} is being trained by another process") from None
    try:
        yield
    finally:
        lock.release()
