"""A trial (one recipe and one seed, a single-task run per task) and the folder of its records.

A trial has one JSON file, written when it ends: settings, dev scores in points, and seconds. A trial that failed for
another reason than its recipe has ``TRIAL.error.txt`` instead. No file holds text of a corpus.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import BaseModel, FiniteFloat, ValidationError

from taskaffinity.atomic import write_atomic
from taskaffinity.errors import InputError
from taskaffinity.runs.files import read_json, write_json
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec, TaskRef

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
        """``s2000000-1f0c5e7d90ab``: the seed, and a hash of everything that affects a score."""
        identity = "\n".join(sorted(spec.run_id for spec in self.specs))
        return f"s{self.seed}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Record:
    """Result of a trial."""

    scores: tuple[Scores, ...] = ()
    """Scores after each epoch."""
    collapsed: tuple[str, ...] = ()
    """Tasks that have not been learned: the model of the last score predicts one class, no span or one value."""
    failure: str | None = None
    """Why the recipe failed; None if it did not."""
    seconds: float = 0.0

    @property
    def means(self) -> list[float]:
        """Mean score over tasks after each epoch, in points."""
        return [fmean(of_tasks.values()) for of_tasks in self.scores]


class TrialFolder:
    """Folder of trials: ``folder.read(trial)``, ``folder.write(trial, record)``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, trial: Trial) -> Record | None:
        """The record of a trial; None if there is none.

        Raises
        ------
        InputError
            If its file is broken, or belongs to another trial.
        """
        path = self._path(trial)
        if not path.is_file():
            return None
        try:
            content = read_json(path)
        except ValueError as error:
            raise InputError(str(error)) from error
        try:
            record = _Stored.model_validate(content)
        except ValidationError:
            raise InputError(f"{path}: not a trial; delete it to train the trial again") from None
        names, most = {name for name, _ in trial.tasks}, trial.recipe.num_train_epochs
        is_of_it = {name: content.get(name) for name in _identity(trial)} == _identity(trial)
        if not is_of_it or len(record.scores) > most or any(scores.keys() != names for scores in record.scores):
            raise InputError(f"{path}: belongs to another trial than its name says; delete it to train the trial again")
        return Record(record.scores, record.collapsed, record.failure, record.seconds)

    def write(self, trial: Trial, record: Record, versions: Mapping[str, str]) -> None:
        """Store the record of a trial and remove its error."""
        self.path.mkdir(parents=True, exist_ok=True)
        content: dict[str, Any] = {
            **_identity(trial),
            "scores": list(record.scores),
            "collapsed": list(record.collapsed),
            "failure": record.failure,
            "seconds": round(record.seconds, 3),
            "versions": dict(versions),
        }
        write_json(self._path(trial), content)
        self.error_path(trial).unlink(missing_ok=True)

    def fail(self, trial: Trial, reason: str, trace: str = "") -> None:
        """Store a reason (first line) and a traceback, and no record, so that the trial is retried."""
        write_atomic(self.error_path(trial), f"{reason}\n{trace}".encode())

    def error_path(self, trial: Trial) -> Path:
        """File with the reason of a failed trial that has no record."""
        return self.path / f"{trial.name}.error.txt"

    def _path(self, trial: Trial) -> Path:
        return self.path / f"{trial.name}.json"


class _Stored(BaseModel):
    """The fields of a trial's file that a record needs."""

    scores: tuple[dict[str, FiniteFloat], ...]
    collapsed: tuple[str, ...] = ()  # older trials do not say it
    failure: str | None
    seconds: FiniteFloat


def _identity(trial: Trial) -> dict[str, Any]:
    """Identity of a trial, as its file stores it."""
    return {
        "seed": trial.seed,
        "tasks": dict(trial.tasks),
        "encoder": asdict(trial.encoder),
        "recipe": asdict(trial.recipe),
    }


def trials_of(
    tasks: Sequence[TaskRef], encoder: EncoderRef, recipes: Sequence[Recipe], seeds: Sequence[int]
) -> tuple[Trial, ...]:
    """Trials of every recipe with every seed; the seeds of one recipe are adjacent."""
    return tuple(Trial(tuple(tasks), encoder, recipe, seed) for recipe in recipes for seed in seeds)
