"""Collect what a tracker logs: each finished run, and the study at its end."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from taskaffinity.regular_file import read_regular_text
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Design, Study

Setting = str | int | float

PUBLISHED: dict[Design, tuple[str, str | None]] = {
    "pairwise": ("edges.csv", "affinity.png"),
    "full": ("stages.csv", "stages.png"),
    "train": ("train.csv", None),
}
"""The table and the figure of a published study; None for no figure."""

_COLUMNS_SHOWN = 8


@dataclass(frozen=True)
class LoggedRun:
    """One finished run."""

    name: str
    """Its ``run_id``."""
    fingerprint: str
    """Hash of the run's result. It changes if the run is trained again."""
    settings: Mapping[str, Setting]
    """Tasks, seed, encoder and every field of the recipe that is set."""
    epochs: Sequence[tuple[int, Mapping[str, float]]]
    """Each epoch, from 1, with its ``loss/TASK`` (training) and ``dev/TASK``."""
    scores: Mapping[str, float]
    """``test/TASK``, ``test/TASK/NAME`` of a further test set, ``chosen_epoch/TASK``, and the total ``seconds``. A task
    without a test part has no ``test/TASK``."""
    tags: Mapping[str, str]
    began: float
    """End of the run without the seconds that it took."""
    ended: float
    """End of the run, in seconds since 1970."""


@dataclass(frozen=True)
class LoggedStudy:
    """A published study."""

    suite: str
    table: Path
    picture: Path | None
    tags: Mapping[str, str]

    def markdown(self) -> str:
        """Return the first columns of the table, as Markdown."""
        content = io.StringIO(read_regular_text(self.table), newline="")
        header, *rows = (row[:_COLUMNS_SHOWN] for row in csv.reader(content))
        lines = [header, ["---"] * len(header), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class Tracker(Protocol):
    """Logs runs and studies. Any error that it raises ends the tracking, not the study.

    A process that was killed may have logged a run, completely or in part. The run must not be logged twice.
    """

    where: str
    """The server or folder that it logs to."""

    def log_run(self, run: LoggedRun) -> None: ...

    def log_study(self, study: LoggedStudy) -> None: ...


def run_to_log(study: Study, store: RunStore, spec: RunSpec) -> LoggedRun:
    """Collect what a tracker logs of a finished run.

    Raises
    ------
    ValueError
        If a file of its folder is broken.
    """
    result = store.read(spec)
    tasks = set(spec.task_names)  # the partner of a control is no task
    recipe = {name: value for name, value in dataclasses.asdict(spec.recipe).items() if value is not None}
    settings = {
        "tasks": ", ".join(spec.task_names),
        "n_tasks": len(spec.tasks),
        "stage": spec.stage,
        "arm": spec.arm,
        "seed": spec.seed,
        "encoder": spec.encoder.name,
        **({"parent": spec.parent.run_id} if spec.parent else {}),
        **recipe,
    }
    epochs = []
    for row in result.history:
        parts = {"loss": row.get("loss", {}), "dev": row.get("dev", {})}
        at = {f"{part}/{name}": float(v) for part, of in parts.items() for name, v in of.items() if name in tasks}
        epochs.append((int(row["epoch"]), at))
    seconds = float(result.work.get("total_seconds", 0.0))
    has_test = {card.name for card in study.tasks if card.has_test}
    scores = {f"test/{name}": outcome.test for name, outcome in result.outcomes.items() if name in has_test}
    for name, outcome in result.outcomes.items():
        scores |= {f"test/{name}/{test_set}": score for test_set, score in outcome.test_sets.items()}
    scores |= {f"chosen_epoch/{name}": float(outcome.epoch) for name, outcome in result.outcomes.items()}
    tags = {**_tags(study, store), "run_id": spec.run_id, "stage": spec.stage, "arm": spec.arm}
    ended = (store.folder(spec) / "result.json").stat().st_mtime  # ``seconds`` has those of interrupted attempts, too
    return LoggedRun(
        spec.run_id,
        store.fingerprint(spec),
        settings,
        epochs,
        scores | {"seconds": seconds},
        tags,
        ended - seconds,
        ended,
    )


def study_to_log(study: Study, store: RunStore) -> LoggedStudy | None:
    """Collect what a tracker logs of a published study; None if nothing is published."""
    table, figure = PUBLISHED[study.design]
    if not (store.root / table).is_file():
        return None
    picture = store.root / figure if figure and (store.root / figure).is_file() else None
    return LoggedStudy(study.suite, store.root / table, picture, _tags(study, store))


def _tags(study: Study, store: RunStore) -> dict[str, str]:
    text = "synthetic: not real data" if study.synthetic else "real"
    return {"suite": study.suite, "design": study.design, "results": store.root.resolve().name, "text": text}
