"""Report the progress of a running run to other processes, in a small file of its folder.

The file holds numbers and task names only. It is replaced at most once in ``INTERVAL`` seconds and removed when the
training ends. Nothing that a run computes depends on it, and a failure to write it is ignored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field

from taskaffinity.atomic import atomic_write
from taskaffinity.errors import STRICT
from taskaffinity.regular_file import read_regular
from taskaffinity.runs.limits import MOST_EPOCHS
from taskaffinity.runs.stored.json_files import Amount, FiniteScore, parse_model

INTERVAL = 2.0
"""Shortest time between two writes, in seconds."""
_FILE = "progress.json"


@dataclass(frozen=True)
class Heartbeat:
    """Progress of one run."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    epoch: Annotated[int, Field(ge=1, le=MOST_EPOCHS)]
    """The current epoch, from 1."""
    epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)]
    """Epochs of the recipe; early stopping may end the run earlier."""
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    """Share of the current epoch's mini-batches that are done, in [0, 1]."""
    examples_per_second: Amount | None = None
    """Training speed in the current epoch, without evaluation."""
    dev: Mapping[str, FiniteScore] = field(default_factory=dict)
    """Last dev score of each task, as a fraction."""
    continued_in: Annotated[int, Field(ge=1)] | None = None
    """The epoch in which this process resumed an interrupted run; None if it started the run."""

    @property
    def share_of_run(self) -> float:
        """Share of all epochs that is done, in [0, 1]."""
        return min(1.0, (self.epoch - 1 + self.share) / self.epochs)

    @property
    def has_pace(self) -> bool:
        """Whether the time since the run began gives its speed: one process trained all of it."""
        return self.share_of_run > 0 and self.continued_in is None

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The heartbeat in a run's folder.

        None if there is none, if it cannot be read, or if it is older than the run: a process that was killed left it.
        """
        try:
            beat: Self = parse_model(read_regular(folder / _FILE), cls)
            if (folder / _FILE).stat().st_mtime_ns < _began_at(folder):
                return None
        except (OSError, ValueError):
            return None
        return beat


def last_heartbeat(folder: Path) -> float | None:
    """When the heartbeat in a run's folder was written, in seconds since 1970; None if there is none."""
    try:
        return (folder / _FILE).stat().st_mtime
    except OSError:
        return None


def _began_at(folder: Path) -> int:
    """When the run last began, in nanoseconds since 1970; 0 if that is unknown."""
    try:
        return (folder / "spec.json").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


class HeartbeatWriter:
    """Writes the heartbeat of one run.

    Between two writes, ``step`` costs about a microsecond.
    """

    def __init__(self, folder: Path, epochs: int, on_write: Callable[[], None] | None = None) -> None:
        self._folder, self._epochs, self._on_write = folder, epochs, on_write
        self._written = -INTERVAL
        self._epoch, self._n_batches, self._done, self._examples, self._began = 1, 1, 0, 0, 0.0
        self._dev: dict[str, float] = {}
        self._continued_in: int | None = None
        self.remove()  # a killed process leaves its heartbeat

    def continue_in(self, epoch: int, dev: Mapping[str, float]) -> None:
        """Note that an interrupted run continues in this epoch, and the last dev scores; the first step writes them."""
        self._continued_in = epoch
        self._dev.update(dev)

    def start_epoch(self, number: int, n_batches: int, n_done: int = 0) -> None:
        """Note that an epoch begins, or continues after some of its mini-batches."""
        self._epoch, self._n_batches = number, max(1, n_batches)
        self._done, self._examples = n_done, 0
        self._began = time.monotonic()

    def step(self, n_examples: int) -> None:
        """Note that one mini-batch is done."""
        self._done += 1
        self._examples += n_examples
        self._write_if_due()

    def score(self, dev: Mapping[str, float]) -> None:
        """Note the dev scores after an epoch."""
        self._dev.update(dev)
        self._write_if_due()

    def remove(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            (self._folder / _FILE).unlink(missing_ok=True)

    def _write_if_due(self) -> None:
        now = time.monotonic()
        if now - self._written < INTERVAL:
            return
        self._written = now
        beat = Heartbeat(
            self._epoch,
            self._epochs,
            round(min(1.0, self._done / self._n_batches), 4),
            round(self._examples / (now - self._began), 1) if now > self._began else None,
            self._dev,
            self._continued_in,
        )
        with suppress(Exception):  # neither a full disk nor a display may end a run
            with atomic_write(self._folder / _FILE, durable=False) as file:
                file.write(json.dumps(asdict(beat)).encode())
            if self._on_write is not None:
                self._on_write()
