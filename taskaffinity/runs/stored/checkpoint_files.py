"""Write, check and remove the checkpoint of a running run, a single file.

The file is ``checkpoint/EPOCH-BATCHES-SHA256.safetensors`` in the run's folder. Its tensors are weights, moments of the
optimizer and states of random generators. Its metadata is a ``TrainingState`` in JSON. The name holds the checksum of
all its bytes. Only its owner can read it, because weights can contain parts of their training text.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field
from safetensors import SafetensorError, safe_open

from taskaffinity.atomic import remove_litter, temporary_folder
from taskaffinity.errors import STRICT
from taskaffinity.regular_file import open_regular
from taskaffinity.runs.limits import MOST_MINUTES
from taskaffinity.runs.stored.json_files import Amount, parse_model

DEFAULT_MINUTES = 10.0
"""Shortest time between two checkpoints of a run, in minutes."""
Minutes = Annotated[float, Field(ge=0, le=MOST_MINUTES, allow_inf_nan=False, strict=True)]
FOLDER = "checkpoint"
_FORMAT = 1
_NAME = re.compile(r"(?P<epoch>\d{6})-(?P<batches>\d{9})-(?P<sha256>[0-9a-f]{64})\.safetensors")
_STATE = "state"
_FROM_START = "the run starts from its beginning"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SelectedEpoch:
    """The best epoch of a task so far."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    epoch: Annotated[int, Field(ge=1)]
    predicted: list[str | float | list[str]]
    """Its predictions of dev, one per example: a class, a score, or the tags of a sentence."""


@dataclass(frozen=True)
class TrainingState:
    """State of a run in training, without its tensors."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    run_id: str
    versions: dict[str, str]
    """Versions of the software, as in ``result.json``."""
    epoch: Annotated[int, Field(ge=1)]
    """The epoch to continue with, from 1; one more than the recipe's epochs if all are trained."""
    batches: Annotated[int, Field(ge=0)]
    """Mini-batches of this epoch that are done."""
    tokens: Annotated[int, Field(ge=0)]
    """Tokens trained on in this epoch."""
    seconds: Amount
    """Time that this epoch took so far."""
    totals: dict[str, Amount]
    """Steps, tokens and seconds of the epochs before."""
    history: list[dict[str, Any]]
    """One row per epoch before, as in ``history.jsonl``."""
    selected: dict[str, SelectedEpoch]
    """By task name."""
    improving: list[str]
    """Tasks whose best epoch may still change."""


class CheckpointFolder:
    """The checkpoints of one run: the newest one, or none.

    Parameters
    ----------
    folder : Path
        The run's folder.
    minutes : float
        Shortest time between two checkpoints at the end of an epoch.
    """

    def __init__(self, folder: Path, minutes: float = DEFAULT_MINUTES) -> None:
        self.folder = folder / FOLDER
        self._seconds = 60 * minutes
        self._written = time.monotonic()

    @property
    def newest(self) -> Path | None:
        """Return the file of the newest checkpoint, unread, or None.

        Names are in the order of training.
        """
        return next(iter(self._files()), None)

    @property
    def is_due(self) -> bool:
        """Return whether enough time passed since the last checkpoint, or since the start."""
        return time.monotonic() - self._written >= self._seconds

    def write(self, state: TrainingState, save: Callable[[Path, Mapping[str, str]], None]) -> None:
        """Write a checkpoint and remove the older ones.

        If writing fails, one line is logged and the run continues.

        Parameters
        ----------
        save : callable
            Writes the tensors and the given metadata to a path, as safetensors.
        """
        self._written = time.monotonic()
        try:
            target = self._write(state, save)
        except (OSError, SafetensorError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            _LOG.warning("%s: no checkpoint was written (%s); the run continues", self.folder, why)
            return
        self._remove_others(target)

    def _write(self, state: TrainingState, save: Callable[[Path, Mapping[str, str]], None]) -> Path:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with temporary_folder(self.folder / "new") as beside:
            path = beside / "checkpoint.safetensors"
            save(path, {"format": str(_FORMAT), _STATE: json.dumps(asdict(state))})
            path.chmod(0o600)
            with open_regular(path) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
            target = self.folder / f"{state.epoch:06d}-{state.batches:09d}-{digest}.safetensors"
            os.replace(path, target)
        return target

    def read(self, run_id: str, versions: Mapping[str, str]) -> tuple[Path, TrainingState] | None:
        """Return the file and the state of the newest checkpoint, or None.

        A checkpoint that is damaged, of another run or of other versions is removed, and one line is logged.
        """
        remove_litter(self.folder)
        for path in (files := self._files()):
            try:
                state = _checked(path)
                if state.run_id != run_id:
                    raise ValueError("of another run")
                if changed := [name for name in versions if state.versions.get(name) != versions[name]]:
                    raise ValueError(f"of another version of {', '.join(changed)}")
                return path, state
            except (OSError, ValueError, SafetensorError) as error:
                what = _FROM_START if path == files[-1] else "an older one is read"
                self.refuse(path, str(error) if type(error) is ValueError else "damaged", what)
        return None

    def refuse(self, path: Path, why: str, what: str = _FROM_START) -> None:
        """Remove a checkpoint that cannot be used, and log in one line why, and what follows."""
        _LOG.warning("%s: the checkpoint is removed: %s; %s", self.folder, why, what)
        with suppress(OSError):
            path.unlink()

    def remove(self) -> None:
        """Remove all checkpoints of the run."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        """Return the checkpoints, newest first."""
        try:
            names = sorted((entry.name for entry in os.scandir(self.folder)), reverse=True)
        except OSError:
            return []
        return [self.folder / name for name in names if _NAME.fullmatch(name)]

    def _remove_others(self, kept: Path) -> None:
        for path in self._files():
            if path != kept:
                with suppress(OSError):
                    path.unlink()


def _checked(path: Path) -> TrainingState:
    """Return the state in a checkpoint's file, after comparing its checksum."""
    named = _NAME.fullmatch(path.name)
    with open_regular(path) as file:
        if named is None or hashlib.file_digest(file, "sha256").hexdigest() != named["sha256"]:
            raise ValueError("damaged")
    with safe_open(path, framework="np") as tensors:
        about = tensors.metadata() or {}
    if about.get("format") != str(_FORMAT):
        raise ValueError("of another version of taskaffinity")
    state: TrainingState = parse_model(about.get(_STATE, ""), TrainingState)
    return state
