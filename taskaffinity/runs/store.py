"""The store of finished runs, which training writes and analysis reads.

A run is a folder named by ``RunSpec.run_id``. Files appear complete or not at all: they are written under another name
and then renamed. ``result.json`` is written last, so a run that has it is done. No file is a pickle or has corpus text.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from taskaffinity.atomic import atomic_write, remove_litter
from taskaffinity.errors import InputError, printable
from taskaffinity.regular_file import read_regular
from taskaffinity.runs.external.packed_runs import PackedFile
from taskaffinity.runs.files import write_json
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.stored.read_run import find_weights, read_predictions, read_run
from taskaffinity.runs.stored.run_files import head_path, is_locked
from taskaffinity.runs.stored.run_lock import AlreadyRunning as AlreadyRunning
from taskaffinity.runs.stored.run_lock import held
from taskaffinity.runs.stored.run_result import DamagedRun, check_file, read_result
from taskaffinity.runs.stored.write_run import finish_replacement, replace_run

T = TypeVar("T")

_TRIES = 5
"""Number of attempts to read a run that another process is training."""

_State = tuple[int, int, int]
"""Inode, time and size of ``result.json``."""


class MissingRuns(LookupError):
    """Raised for required runs that are not in the store."""


class RunStore:
    """Runs by their spec, one folder per run below ``root/runs``; all runs trained elsewhere are in one file.

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
        self._kept: dict[str, tuple[_State, RunResult]] = {}
        self._external = PackedFile(self.root)

    def folder(self, spec: RunSpec) -> Path:
        return self.root / "runs" / spec.run_id

    def __contains__(self, spec: RunSpec) -> bool:
        if spec.is_external:
            return spec in self._external.read()
        return (self.folder(spec) / "result.json").is_file()

    @contextmanager
    def claim(self, spec: RunSpec) -> Iterator[None]:
        """Lock a run's folder.

        Raises
        ------
        AlreadyRunning
            If another process holds the lock.
        """
        folder = self.folder(spec)
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder / ".lock", spec):
            remove_litter(folder)
            remove_litter(folder / "model")
            finish_replacement(folder)
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
        """Return when the run last began, in seconds since 1970; None if it never did, or this cannot be read now."""
        try:
            return (self.folder(spec) / "spec.json").stat().st_mtime
        except OSError:
            return None

    def is_held(self, spec: RunSpec) -> bool:
        """Return whether a process holds the lock of the run's folder now.

        Processes of other machines count if the file system shares locks. The check takes a shared lock on a file that
        is opened for reading, and releases it at once. So it never disturbs a run.
        """
        return is_locked(self.folder(spec) / ".lock")

    def fingerprint(self, spec: RunSpec) -> str:
        """Return the hash of a finished run's result; training the run again changes it.

        Raises
        ------
        FileNotFoundError
            If the run is not done.
        """
        return hashlib.sha256(read_regular(self.folder(spec) / "result.json")).hexdigest()[:16]

    def seconds(self, spec: RunSpec) -> float | None:
        """Return the seconds that a finished run took, loading and scoring included, or None."""
        try:
            return read_result(self.folder(spec), spec).work.get("total_seconds")
        except FileNotFoundError:
            return None

    def write(self, result: RunResult, *, share_with_group: bool = False) -> None:
        """Store a finished run, ``result.json`` last.

        An earlier result of the run stays until all new files are written, and then goes as a whole, so the files of
        two trainings never mix. If the process is killed while they replace it, the next ``claim`` completes this.

        Parameters
        ----------
        share_with_group : bool
            Whether the group may read predictions and models; otherwise only the owner can. Other files hold numbers,
            and their modes follow the umask.
        """
        folder = self.folder(result.spec)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "spec.json").exists():  # a claimed run has a spec.json, whose time says when the run began
            self.begin(result.spec)
        replace_run(folder, result, share_with_group=share_with_group)

    def read(self, spec: RunSpec) -> RunResult:
        """Return a finished run without predictions and models; it is checked once and cached.

        Raises
        ------
        MissingRuns
            If it is not done.
        DamagedRun
            If a file of its folder is missing or broken, or contradicts another one: one line with the way out.
        """
        if spec.is_external and (external := self._external.read().get(spec)) is not None:
            return external
        kept = self._kept.get(spec.run_id)
        if kept is None or kept[0] != self._state(spec):
            kept = self._read_whole(spec, lambda: read_run(self.folder(spec), spec))
            if kept is None:
                raise MissingRuns(f"run {spec.run_id} is not in {self.root}")
            self._kept[spec.run_id] = kept
        return kept[1]

    def _read_whole(self, spec: RunSpec, read: Callable[[], T]) -> tuple[_State, T] | None:
        """Return what ``read`` returns, and the state of the run; None if the run is not done.

        It is called again if another process replaced the run meanwhile, so no files of two trainings are mixed.
        """
        for _ in range(_TRIES):
            if (state := self._state(spec)) is None:
                break
            try:
                found = read()
            except FileNotFoundError:
                continue
            except DamagedRun:
                if self._state(spec) == state:
                    raise
                continue
            if self._state(spec) == state:
                return state, found
        return None

    def _state(self, spec: RunSpec) -> _State | None:
        """Return what changes if ``result.json`` is written again; None if it is missing."""
        try:
            status = os.stat(f"{self.root}/runs/{spec.run_id}/result.json")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def get(self, spec: RunSpec) -> RunResult | None:
        """Return what ``read`` does, or None if the run is not done.

        Use this while other processes train: a run can disappear between ``spec in store`` and ``read``.
        """
        try:
            return self.read(spec)
        except MissingRuns:
            return None

    def weights(self, spec: RunSpec, task: str | None = None) -> Path | None:
        """Return the encoder's weights after the epoch selected for a task, or None.

        Without a task, it is the epoch with the best mean dev score over all tasks, among the epochs that were selected
        for any task. Of equal epochs, it is the first.
        """
        found = self._read_whole(spec, lambda: find_weights(self.folder(spec), spec, task))
        return None if found is None else found[1]

    def predictions(self, spec: RunSpec) -> pa.Table | None:
        """Return the predictions of a finished run, one row per example; None if not stored.

        Raises ``DamagedRun`` if the file is broken or has changed since it was written.
        """
        folder = self.folder(spec)
        found = self._read_whole(spec, lambda: read_predictions(folder, read_result(folder, spec)))
        return None if found is None else found[1]

    def check_file(self, spec: RunSpec, path: Path) -> None:
        """Raise ``DamagedRun`` if a file has changed since it was written; older runs are not checked."""
        folder = self.folder(spec)
        check_file(folder, str(path.relative_to(folder)), read_result(folder, spec))

    def start(self, spec: RunSpec) -> Path | None:
        """Return the weights that a run with a parent starts from, or None.

        A fine-tuning starts from the best epoch of its task. Warm-started runs of one parent share their start.
        """
        if spec.parent is None:
            return None
        return self.weights(spec.parent, spec.task_names[0] if spec.stage == "finetune" else None)

    def has_weights(self, spec: RunSpec) -> bool:
        """Return whether the encoder's weights are stored for every task of the run."""
        return all(self.weights(spec, name) is not None for name in spec.task_names)

    def head(self, spec: RunSpec, task: str) -> Path | None:
        """Return the task's head after its selected epoch, or None if it is not stored."""
        path = head_path(self.folder(spec), task)
        return path if spec in self and path.is_file() else None

    def has_model(self, spec: RunSpec, task: str) -> bool:
        """Return whether the task's encoder and head are stored."""
        return self.head(spec, task) is not None and self.weights(spec, task) is not None

    def has_models(self, spec: RunSpec) -> bool:
        """Return ``has_model`` for every task of the run."""
        return all(self.has_model(spec, name) for name in spec.task_names)

    def fail(self, spec: RunSpec, reason: str, traceback: str = "") -> None:
        """Write the reason (first line) and the traceback to ``error.txt`` in the run's folder.

        On a full disk or the like they are lost, and no error is raised, so that the other runs continue.
        """
        folder = self.folder(spec)
        with suppress(OSError, InputError):
            folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(folder / "error.txt") as file:
                file.write(f"{reason}\n{traceback}".encode())

    def failure(self, spec: RunSpec) -> str | None:
        """Return why the last attempt of a run failed, in one line; None if it did not, or is done."""
        if spec in self:
            return None
        try:
            said = read_regular(self.folder(spec) / "error.txt").decode("utf-8", "replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return printable(said.partition("\n")[0])
