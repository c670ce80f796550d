"""The results folder. What is in it is true, and it is the only thing that passes from training to analysis.

A run is a folder named by ``RunSpec.run_id``. Files appear whole or not at all (written beside, then renamed), and
``result.json`` comes last: its presence means done. Nothing here is a pickle, nothing holds the text of a corpus.
This class owns every file name.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import BaseFileLock, FileLock, Timeout
from safetensors.numpy import save

from taskaffinity.runs.files import atomic_write, read_json, write_json
from taskaffinity.runs.result import Outcome, RunResult
from taskaffinity.runs.spec import RunSpec

_DOCUMENTS = "documents:"
"""Begins the keys of ``RunResult.documents`` in the file of counts; no task's name holds a colon."""


class MissingRuns(LookupError):
    """Runs that a question needs and that are not in the store."""


class Claimed(RuntimeError):
    """Another process is training the run."""


class RunStore:
    """``spec in store``, ``store.read(spec)``, ``store.write(result)``: one folder a run below ``root/runs``.

    Examples
    --------
    In a checkout of this repository:

    >>> from pathlib import Path
    >>> from taskaffinity.runs.study import Study
    >>> root = Path("notebooks/example_results")
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
        """Hold a run's folder: of two processes that want the same run, the second waits for the first.

        Raises
        ------
        Claimed
            If another process holds it, and ``wait`` is false.
        """
        folder = self.folder(spec)
        folder.mkdir(parents=True, exist_ok=True)
        with _held(FileLock(folder / ".lock"), spec, wait=wait):
            # half-written files of a process that was killed
            for litter in (*folder.glob(".*.[0-9]*"), *folder.glob("model/.*.[0-9]*")):
                litter.unlink(missing_ok=True)
            (folder / "error.txt").unlink(missing_ok=True)
            if spec not in self:
                self.begin(spec)
            yield

    def begin(self, spec: RunSpec) -> None:
        """Say what is trained in a run's folder, and by the time of that file since when. ``claim`` does, but for a run
        that is done: who trains it again begins it."""
        write_json(self.folder(spec) / "spec.json", spec.to_dict())

    def claimed_at(self, spec: RunSpec) -> float | None:
        """When the run was last begun, in seconds since the epoch, or None."""
        try:
            return (self.folder(spec) / "spec.json").stat().st_mtime
        except FileNotFoundError:
            return None

    def is_held(self, spec: RunSpec) -> bool:
        """Whether some process holds the run's folder now; of another machine, where the file system passes locks on.

        Asked without disturbing it: a shared lock, on a file opened to be read, given back at once. Where the run is
        held it is refused and nothing changes; where it is not, one that begins in this instant tries again.
        """
        import fcntl  # Linux and macOS

        try:
            with open(self.folder(spec) / ".lock", "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return True
        except OSError:  # no such file, or a file system without locks
            return False
        return False

    def fingerprint(self, spec: RunSpec) -> str:
        """Hash of what a finished run found: another where it was trained again.

        Raises
        ------
        FileNotFoundError
            If it is not done.
        """
        return hashlib.sha256((self.folder(spec) / "result.json").read_bytes()).hexdigest()[:16]

    def seconds(self, spec: RunSpec) -> float | None:
        """What a finished run took, with loading and scoring; None where it is not done, or does not say."""
        folder = self.folder(spec)
        try:
            summary = read_json(folder / "result.json")
        except FileNotFoundError:
            return None
        with _of_this_version(folder):
            found: float | None = summary["work"].get("total_seconds")
        return found

    def write(self, result: RunResult) -> None:
        """Keep a finished run; ``result.json`` last. One that was done before is so until this moment: of two trainings
        nothing is mixed."""
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
            with atomic_write(folder / "predictions.parquet") as file:
                pq.write_table(_prediction_table(result), file)
        for epoch, weights in result.weights.items():
            (folder / "model").mkdir(exist_ok=True)
            with atomic_write(_weights_path(folder, epoch)) as file:
                file.write(save(dict(weights)))
        for task, head in result.heads.items():
            (folder / "model").mkdir(exist_ok=True)
            with atomic_write(_head_path(folder, task)) as file:
                file.write(save(dict(head.weights), metadata=dict(head.about)))
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
            If the folder holds another run than its name says, a part of one, or one of another version.
        """
        folder = self.folder(spec)
        try:
            summary = read_json(folder / "result.json")
        except FileNotFoundError:
            raise MissingRuns(f"run {spec.run_id} is not in {self.root}") from None
        with _of_this_version(folder):
            if RunSpec.from_dict(read_json(folder / "spec.json")) != spec:
                raise ValueError(
                    f"{folder / 'spec.json'}: not the spec of this run; delete the folder to train it again"
                )
            history, arrays = _read_history(folder / "history.jsonl"), _read_arrays(folder / "counts.npz")
            counts = {key: array for key, array in arrays.items() if not key.startswith(_DOCUMENTS)}
            documents = {
                key.removeprefix(_DOCUMENTS): arrays[key].astype(np.int64) for key in arrays if key not in counts
            }
            outcomes = {name: Outcome(**outcome) for name, outcome in summary["outcomes"].items()}
            told = summary["work"], summary["versions"]
            return RunResult(spec, outcomes, counts, history, *told, documents=documents)

    def get(self, spec: RunSpec) -> RunResult | None:
        """As ``read``; None where the run is not done, or no longer: one that is trained again is not until it ends.

        Who reads a folder that is being filled asks this, for a run may go between ``spec in store`` and ``read``.
        """
        try:
            return self.read(spec)
        except MissingRuns:
            return None

    def weights(self, spec: RunSpec, task: str | None = None) -> Path | None:
        """The encoder's weights after the epoch that this task chose; None where the run is not done, or kept none.

        Without a task: after that one of the epochs chosen by a task whose mean dev score over all tasks is best, the
        first of equals.
        """
        folder = self.folder(spec)
        if spec not in self:
            return None
        summary = read_json(folder / "result.json")
        with _of_this_version(folder):
            chosen = {name: outcome["epoch"] for name, outcome in summary["outcomes"].items()}
            path = _weights_path(folder, chosen[task] if task else _best_on_average(folder, set(chosen.values())))
        return path if path.is_file() else None

    def start(self, spec: RunSpec) -> Path | None:
        """The weights that a run with a parent starts from; None where the parent is not done, or kept none.

        A fine-tuning starts where its task was best; runs that continue a parent all start from the same weights.
        """
        if spec.parent is None:
            return None
        return self.weights(spec.parent, spec.task_names[0] if spec.stage == "finetune" else None)

    def has_weights(self, spec: RunSpec) -> bool:
        """Whether every task of the run can be gone on with."""
        return all(self.weights(spec, name) is not None for name in spec.task_names)

    def head(self, spec: RunSpec, task: str) -> Path | None:
        """The task's head after the epoch that it chose; None where the run is not done, or kept no model."""
        path = _head_path(self.folder(spec), task)
        return path if spec in self and path.is_file() else None

    def has_model(self, spec: RunSpec, task: str) -> bool:
        """Whether the task's encoder and head are there."""
        return self.head(spec, task) is not None and self.weights(spec, task) is not None

    def has_models(self, spec: RunSpec) -> bool:
        """``has_model`` for every task of the run."""
        return all(self.has_model(spec, name) for name in spec.task_names)

    def fail(self, spec: RunSpec, reason: str, traceback: str = "") -> None:
        """Leave a plain reason (first line) and the traceback in the run's folder."""
        folder = self.folder(spec)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / "error.txt") as file:
            file.write(f"{reason}\n{traceback}".encode())

    def failure(self, spec: RunSpec) -> str | None:
        """The reason why a run failed when it was last tried, in one line; None for one that is done."""
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
        raise Claimed(f"run {spec.run_id} is being trained by another process") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _of_this_version(folder: Path) -> Iterator[None]:
    """What the files of a run lack, or hold too much of, in one line."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, FileNotFoundError) as error:
        raise ValueError(
            f"{folder}: half copied, or of another version of taskaffinity ({type(error).__name__}); delete the folder "
            "to train it again"
        ) from error


def _weights_path(folder: Path, epoch: int) -> Path:
    return folder / "model" / f"epoch-{epoch}.safetensors"


def _head_path(folder: Path, task: str) -> Path:
    return folder / "model" / f"head-{task}.safetensors"


def _best_on_average(folder: Path, epochs: Collection[int]) -> int:
    rows = [row for row in _read_history(folder / "history.jsonl") if row["epoch"] in epochs]
    best: int = max(rows, key=lambda row: fmean(row["dev"].values()))["epoch"]
    return best


def _read_history(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, RecursionError, FileNotFoundError) as error:
        raise ValueError(f"{path}: missing, or not JSON Lines; delete its folder to train the run again") from error


def _read_arrays(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    try:
        with np.load(path, allow_pickle=False) as counts:
            return {key: counts[key] for key in counts.files}
    except (ValueError, EOFError, BadZipFile, FileNotFoundError, zlib.error) as error:
        raise ValueError(
            f"{path}: missing, or not a file of counts; delete its folder to train the run again"
        ) from error


def _prediction_table(result: RunResult) -> pa.Table:
    columns: dict[str, list[str]] = {name: [] for name in ("task", "split", "id", "gold", "predicted")}
    for key, predictions in result.predictions.items():
        task, _, split = key.rpartition("/")
        columns["task"] += [task] * len(predictions.ids)
        columns["split"] += [split] * len(predictions.ids)
        columns["id"] += list(predictions.ids)
        columns["gold"] += list(predictions.gold)
        columns["predicted"] += list(predictions.predicted)
    return pa.table(columns)
