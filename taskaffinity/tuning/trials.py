"""A trial, one recipe with one seed on every task alone, and the folder that keeps what came of it.

One JSON file a trial, written whole when the trial ends: settings, dev scores in points, seconds; of one that failed
for no fault of its recipe ``TRIAL.error.txt``. No text of a corpus.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import BaseModel, FiniteFloat, ValidationError

from taskaffinity.errors import InputError
from taskaffinity.runs.files import read_json, write_atomic, write_json
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec, TaskRef

Scores = Mapping[str, float]
"""Best dev score so far by task, in points."""


@dataclass(frozen=True)
class Trial:
    """One recipe, one seed, every task alone."""

    tasks: tuple[TaskRef, ...]
    encoder: EncoderRef
    recipe: Recipe
    seed: int

    @property
    def specs(self) -> tuple[RunSpec, ...]:
        """What is trained: a run a task."""
        return tuple(RunSpec((task,), self.encoder, self.seed, self.recipe) for task in self.tasks)

    @property
    def name(self) -> str:
        """``s2000000-1f0c5e7d90ab``: the seed, and a hash of all that can move a score."""
        identity = "\n".join(sorted(spec.run_id for spec in self.specs))
        return f"s{self.seed}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Record:
    """What came of a trial."""

    scores: tuple[Scores, ...] = ()
    """After each epoch."""
    failure: str | None = None
    """Why it ended before its time: a recipe that diverges does so again."""
    seconds: float = 0.0

    @property
    def means(self) -> list[float]:
        """Mean over tasks after each epoch, in points: what candidates are compared by."""
        return [fmean(of_tasks.values()) for of_tasks in self.scores]


class TrialFolder:
    """``folder.read(trial)``, ``folder.write(trial, record)``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, trial: Trial) -> Record | None:
        """What is kept of a trial.

        Raises
        ------
        InputError
            If its file is broken, or of another trial.
        """
        path = self._path(trial)
        if not path.is_file():
            return None
        try:
            content = read_json(path)
        except ValueError as error:
            raise InputError(str(error)) from error
        try:
            found = _Kept.model_validate(content)
        except ValidationError:
            raise InputError(f"{path}: not a trial; delete it to have it made again") from None
        names, most = {name for name, _ in trial.tasks}, trial.recipe.num_train_epochs
        is_of_it = {name: content.get(name) for name in _what(trial)} == _what(trial)
        if not is_of_it or len(found.scores) > most or any(scores.keys() != names for scores in found.scores):
            raise InputError(f"{path}: of another trial than its name says; delete it to have it made again")
        return Record(found.scores, found.failure, found.seconds)

    def write(self, trial: Trial, record: Record, versions: Mapping[str, str]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        content: dict[str, Any] = {
            **_what(trial),
            "scores": list(record.scores),
            "failure": record.failure,
            "seconds": round(record.seconds, 3),
            "versions": dict(versions),
        }
        write_json(self._path(trial), content)
        self.error_path(trial).unlink(missing_ok=True)

    def fail(self, trial: Trial, reason: str, trace: str = "") -> None:
        """Leave a plain reason (first line) and the traceback; no record, so the trial is tried again."""
        write_atomic(self.error_path(trial), f"{reason}\n{trace}".encode())

    def error_path(self, trial: Trial) -> Path:
        """What says why a trial failed that has no record."""
        return self.path / f"{trial.name}.error.txt"

    def _path(self, trial: Trial) -> Path:
        return self.path / f"{trial.name}.json"


class _Kept(BaseModel):
    """What is read of a file, as far as its form goes."""

    scores: tuple[dict[str, FiniteFloat], ...]
    failure: str | None
    seconds: FiniteFloat


def _what(trial: Trial) -> dict[str, Any]:
    """What a file says of the trial itself."""
    return {
        "seed": trial.seed,
        "tasks": dict(trial.tasks),
        "encoder": asdict(trial.encoder),
        "recipe": asdict(trial.recipe),
    }


def trials_of(
    tasks: Sequence[TaskRef], encoder: EncoderRef, recipes: Sequence[Recipe], seeds: Sequence[int]
) -> tuple[Trial, ...]:
    """Every recipe with every seed, a recipe's seeds one after the other."""
    return tuple(Trial(tuple(tasks), encoder, recipe, seed) for recipe in recipes for seed in seeds)
