"""Log to TensorBoard: event files in ``tensorboard/`` of the results folder.

Each run has a folder.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from taskaffinity.regular_file import read_regular
from taskaffinity.runs.study import Study
from taskaffinity.tracking.events import LoggedRun, LoggedStudy


def open_tracker(study: Study, root: Path) -> EventFiles:
    return EventFiles(root / "tensorboard")


class EventFiles:
    """Writes curves as scalars by epoch, and verdicts as text and image.

    Settings and test scores are under *HParams*.
    """

    where = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def log_run(self, run: LoggedRun) -> None:
        with self._writer(run.name) as writer:
            for epoch, scores in run.epochs:
                for name, value in scores.items():
                    writer.add_scalar(name, value, epoch, walltime=run.ended)
            last = run.epochs[-1][0] if run.epochs else 0
            for name, value in run.scores.items():
                writer.add_scalar(name, value, last, walltime=run.ended)
            for summary in hparams({**run.settings, **run.tags}, dict(run.scores)):
                writer.file_writer.add_summary(summary)
            writer.add_text("tags", _listed(run.tags), walltime=run.ended)

    def log_study(self, study: LoggedStudy) -> None:
        with self._writer(study.table.stem) as writer:
            writer.add_text(study.table.stem, study.markdown())
            writer.add_text("tags", _listed(study.tags))
            if study.picture:
                pixels = np.asarray(Image.open(io.BytesIO(read_regular(study.picture))).convert("RGB"))
                writer.add_image(study.picture.stem, pixels, dataformats="HWC")  # (height, width, colours)

    def _writer(self, name: str) -> SummaryWriter:
        """Empty the run's folder and open a writer in it."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        return SummaryWriter(logdir=str(folder))


def _listed(tags: Mapping[str, str]) -> str:
    return "\n".join(f"* {name}: {value}" for name, value in tags.items())
