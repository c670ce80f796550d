"""A trial and the folder of its records.

A trial is one recipe with one seed: a single-task run per task.

A trial has one JSON file, written when it ends: settings, dev scores in points, and seconds. A trial that failed for
another reason than its recipe has ``TRIAL.error.txt`` instead. No file holds text of a corpus. A running trial has
checkpoints in ``checkpoints/TRIAL/TASK``, which are removed when it ends.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from taskaffinity.atomic import write_atomic
from taskaffinity.errors import STRICT, InputError
from taskaffinity.regular_file import read_regular
from taskaffinity.runs.files import write_json
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec, TaskRef
from taskaffinity.runs.stored.json_files import Amount, parse_model

Points = Annotated[float, Field(ge=-101, le=101, allow_inf_nan=False)]

_CHECKPOINTS = "checkpoints"

Scores = Mapping[str, float]
"""Best dev score so far of each task, in points."""


@dataclass(frozen=True)
class Trial:
    """One recipe with one seed, in a single-task run of each task."""

    tasks: tuple[TaskRef, ...]
    encoder: EncoderRef
    recipe: Recipe
    seed: int

    @property
    def specs(self) -> tuple[RunSpec, ...]:
        """The runs of the trial, one per task."""
        return tuple(RunSpec((task,), self.encoder, self.seed, self.recipe) for task in self.tasks)

    @property
    def name(self) -> str:
        """The seed and a hash of everything that affects a score: ``s2000000-1f0c5e7d90ab``."""
        identity = "\n".join(sorted(spec.run_id for spec in self.specs))
        return f"s{self.seed}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Record:
    """Result of a trial."""

    scores: tuple[Scores, ...] = ()
    """Scores after each epoch."""
    collapsed: tuple[str, ...] = ()
    """Tasks that were not learned: the model of the last score predicts one class, no mention or one value."""
    failure: str | None = None
    """Why the recipe failed; None if it did not."""
    seconds: float = 0.0
    """Time until the last epoch, from the start of the process that trained it."""
    collapses: tuple[tuple[str, ...], ...] = ()
    """Collapsed tasks after each epoch; empty in records of older versions."""

    def after(self, epoch: int | None) -> Record:
        """Return the record as it was after an epoch; None for the last one."""
        if epoch is None or epoch >= len(self.scores):
            return self
        collapsed = self.collapses[epoch - 1] if self.collapses else self.collapsed
        return replace(self, scores=self.scores[:epoch], collapsed=collapsed, collapses=self.collapses[:epoch])

    @property
    def means(self) -> list[float]:
        """Mean score over tasks after each epoch, in points."""
        return [fmean(of_tasks.values()) for of_tasks in self.scores]


class TrialFolder:
    """Folder of trials: ``folder.read(trial)``, ``folder.write(trial, record)``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, trial: Trial) -> Record | None:
        """Return the record of a trial, or None.

        Raises
        ------
        InputError
            If its file is broken, or belongs to another trial.
        """
        path = self._path(trial)
        if not path.is_file():
            return None
        try:
            stored: _Stored = parse_model(read_regular(path), _Stored)
            fault = stored.fault(trial)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            fault = f"not a trial ({error})"
        if fault:
            raise InputError(f"{path}: {fault}; delete it to train the trial again")
        return Record(stored.scores, stored.collapsed, stored.failure, stored.seconds, stored.collapses)

    def write(self, trial: Trial, record: Record, versions: Mapping[str, str]) -> None:
        """Store the record of a trial and remove its error."""
        self.path.mkdir(parents=True, exist_ok=True)
        content: dict[str, Any] = {
            **_identity(trial),
            "scores": list(record.scores),
            "collapsed": list(record.collapsed),
            "collapses": list(record.collapses),
            "failure": record.failure,
            "seconds": round(record.seconds, 3),
            "versions": dict(versions),
        }
        content["sha256"] = _checksum(record)
        write_json(self._path(trial), content)
        self.error_path(trial).unlink(missing_ok=True)
        shutil.rmtree(self.checkpoints(trial), ignore_errors=True)

    def fail(self, trial: Trial, reason: str, trace: str = "") -> None:
        """Store a reason (first line) and a traceback, but no record: the trial is retried.

        On a full disk or the like they are lost, and no error is raised, so that the other trials continue.
        """
        with suppress(OSError, InputError):
            write_atomic(self.error_path(trial), f"{reason}\n{trace}".encode())

    def checkpoints(self, trial: Trial) -> Path:
        """Return the folder of the checkpoints of a running trial."""
        return self.path / _CHECKPOINTS / trial.name

    def remove_checkpoints(self, trials: Iterable[Trial]) -> None:
        """Remove the checkpoints of trials; those of another search, which may still run, stay."""
        for trial in trials:
            shutil.rmtree(self.checkpoints(trial), ignore_errors=True)
        with suppress(OSError):  # missing, or another search has checkpoints
            (self.path / _CHECKPOINTS).rmdir()

    def error_path(self, trial: Trial) -> Path:
        """Return the file with the reason of a failed trial without a record."""
        return self.path / f"{trial.name}.error.txt"

    def _path(self, trial: Trial) -> Path:
        return self.path / f"{trial.name}.json"


@dataclass(frozen=True)
class _Stored:
    """The content of a trial's file."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    seed: int
    tasks: dict[str, str]
    encoder: EncoderRef
    recipe: Recipe
    scores: tuple[dict[str, Points], ...]
    failure: str | None
    seconds: Amount
    collapsed: tuple[str, ...] = ()  # older trials lack it
    collapses: tuple[tuple[str, ...], ...] = ()  # as above
    versions: dict[str, str] = field(default_factory=dict)
    sha256: str = ""  # older trials lack it

    def fault(self, trial: Trial) -> str:
        """Return why this is not a record of the trial; empty if it is."""
        names = {name for name, _ in trial.tasks}
        identity = (self.seed, self.tasks, self.encoder, self.recipe)  # in any order of the tasks, as the name
        if identity != (trial.seed, dict(trial.tasks), trial.encoder, trial.recipe):
            return "belongs to another trial than its name says"
        if len(self.scores) > trial.recipe.num_train_epochs or any(scores.keys() != names for scores in self.scores):
            return "belongs to another trial than its name says"
        if self.sha256 and self.sha256 != _checksum(self):
            return "not the record that was written: its checksum differs"
        if len(self.collapses) not in (0, len(self.scores)) or not names.issuperset(chain(*self.collapses)):
            return "not a trial that ended"
        if not names.issuperset(self.collapsed) or (self.failure is None and not self.scores):
            return "not a trial that ended"
        return ""


def _checksum(record: Record | _Stored) -> str:
    """Return the SHA-256 of a trial's results."""
    numbers = [{name: float(score) for name, score in of_epoch.items()} for of_epoch in record.scores]
    content = [numbers, record.collapsed, record.failure, *([record.collapses] if record.collapses else [])]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _identity(trial: Trial) -> dict[str, Any]:
    """Return the identity of a trial, as its file stores it."""
    return {
        "seed": trial.seed,
        "tasks": dict(trial.tasks),
        "encoder": asdict(trial.encoder),
        "recipe": asdict(trial.recipe),
    }


def trials_of(
    tasks: Sequence[TaskRef], encoder: EncoderRef, recipes: Sequence[Recipe], seeds: Sequence[int]
) -> tuple[Trial, ...]:
    """Return the trials of every recipe with every seed.

    The seeds of one recipe are adjacent.
    """
    return tuple(Trial(tuple(tasks), encoder, recipe, seed) for recipe in recipes for seed in seeds)
