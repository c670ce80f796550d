"""Checkpoints of a trial: one file per task.

All are written together at the end of an epoch, or after SIGTERM.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from safetensors import SafetensorError
from safetensors.torch import save_file

from taskaffinity.private import private_folder
from taskaffinity.runs.stored.checkpoint_files import CheckpointFolder, SelectedEpoch, TrainingState
from taskaffinity.training.execute import portable_versions
from taskaffinity.training.resume import checked_tensors, tensors_of
from taskaffinity.training.sigterm import Terminated, Termination
from taskaffinity.training.trial_run import TrialRun


class TrialCheckpoints:
    """The checkpoints of a trial; in the block, SIGTERM waits for a checkpoint.

    The files may be of different epochs: a run that is behind catches up with the others.

    Parameters
    ----------
    folder : Path or None
        The trial's folder; None for no checkpoints.
    minutes : float
        Shortest time between two checkpoints, in minutes.
    runs : dict of task name to run
    """

    def __init__(self, folder: Path | None, minutes: float, runs: Mapping[str, TrialRun]) -> None:
        self._runs, self._seconds = runs, 60 * minutes
        self._files = {} if folder is None else {name: CheckpointFolder(folder / name) for name in runs}
        self._versions = {name: portable_versions(run.setup.model) for name, run in runs.items()}
        self._written = time.monotonic()
        self._termination = Termination()

    def __enter__(self) -> Self:
        if self._files:
            self._termination.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._files:
            self._termination.__exit__(*raised)

    def resume(self) -> None:
        """Continue every run from its checkpoint, if one fits."""
        for name, files in self._files.items():
            run = self._runs[name]
            found = files.read(run.spec.run_id, self._versions[name])
            if found is None:
                continue
            path, state = found
            try:
                run.restore(state, checked_tensors(path, run.setup.model))
            except (OSError, LookupError, ValueError, SafetensorError):
                files.refuse(path, "of another model or other data")

    def end_if_asked(self, training: TrialRun | None = None) -> None:
        """After SIGTERM, write checkpoints and raise ``Terminated``.

        Parameters
        ----------
        training : TrialRun, optional
            The run in the middle of its epoch, if there is one.
        """
        if self._termination.asked:
            if training is not None:
                training.note_generators()
            self._write()
            raise Terminated

    def after_epoch(self) -> None:
        """Write checkpoints if they are due."""
        if self._files and time.monotonic() - self._written >= self._seconds:
            self._write()
        self.end_if_asked()

    def _write(self) -> None:
        self._termination.begin_writing()
        for name, files in self._files.items():
            run = self._runs[name]
            at, tensors = run.loop.position, tensors_of(run.loop, run.generators, {})
            state = TrainingState(
                run_id=run.spec.run_id,
                versions=dict(self._versions[name]),
                epoch=at.epoch,
                batches=at.batches,
                tokens=at.tokens,
                seconds=at.seconds,
                totals={},
                history=[],
                selected={
                    str(epoch): SelectedEpoch(epoch, list(best.predicted)) for epoch, best in run.improved.items()
                },
                improving=[],
            )
            private_folder(files.folder.parent)
            files.write(state, lambda path, about, tensors=tensors: save_file(tensors, path, dict(about)))  # type: ignore[misc]
        self._written = time.monotonic()
