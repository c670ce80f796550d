"""What a tracker is told: of one finished run, and of the study at its end."""

from __future__ import annotations

import csv
import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Design, Study

Setting = str | int | float

FOUND: dict[Design, tuple[str, str]] = {"pairwise": ("edges.csv", "affinity.png"), "full": ("stages.csv", "stages.png")}
"""The table and the picture that a study ends in."""

_COLUMNS_SHOWN = 8


@dataclass(frozen=True)
class ToldRun:
    """One finished run."""

    name: str
    """Its ``run_id``."""
    fingerprint: str
    """Of its result: another where it was trained again."""
    settings: Mapping[str, Setting]
    """Tasks, seed, encoder and every field of the recipe that is set."""
    epochs: Sequence[tuple[int, Mapping[str, float]]]
    """The epoch, counted from 1; ``loss/TASK`` (training) and ``dev/TASK``."""
    scores: Mapping[str, float]
    """``test/TASK``, ``chosen_epoch/TASK``, and ``seconds`` in all."""
    tags: Mapping[str, str]
    began: float
    ended: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class ToldStudy:
    """What a study found, as it stands in the results folder."""

    suite: str
    table: Path
    picture: Path | None
    tags: Mapping[str, str]

    def markdown(self) -> str:
        """The first columns of the table."""
        with open(self.table, encoding="utf-8", newline="") as file:
            header, *rows = (row[:_COLUMNS_SHOWN] for row in csv.reader(file))
        lines = [header, ["---"] * len(header), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class Tracker(Protocol):
    """Somewhere to log to. Anything that it raises ends the tracking, not the study.

    What it is told may be there already, whole or cut short by a kill: it is not to stand there twice.
    """

    where: str
    """Which of several such places; what was told to one was not told to another."""

    def log_run(self, run: ToldRun) -> None: ...

    def log_study(self, study: ToldStudy) -> None: ...


def told_run(study: Study, store: RunStore, spec: RunSpec) -> ToldRun:
    """What is told of a run that is done.

    Raises
    ------
    ValueError
        If a file of its folder is broken.
    """
    result = store.read(spec)
    own = set(spec.task_names)  # a control's company is no task
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
        at = {f"{part}/{name}": float(v) for part, of in parts.items() for name, v in of.items() if name in own}
        epochs.append((int(row["epoch"]), at))
    seconds = float(result.work.get("total_seconds", 0.0))
    scores = {f"test/{name}": outcome.test for name, outcome in result.outcomes.items()}
    scores |= {f"chosen_epoch/{name}": float(outcome.epoch) for name, outcome in result.outcomes.items()}
    tags = {**_tags(study, store), "run_id": spec.run_id, "stage": spec.stage, "arm": spec.arm}
    began = store.claimed_at(spec) or time.time() - seconds
    return ToldRun(
        spec.run_id,
        store.fingerprint(spec),
        settings,
        epochs,
        scores | {"seconds": seconds},
        tags,
        began,
        began + seconds,
    )


def told_study(study: Study, store: RunStore) -> ToldStudy | None:
    """What is told of a study at its end; None where nothing was published."""
    table, picture = (store.root / name for name in FOUND[study.design])
    if not table.is_file():
        return None
    return ToldStudy(study.suite, table, picture if picture.is_file() else None, _tags(study, store))


def _tags(study: Study, store: RunStore) -> dict[str, str]:
    text = "synthetic stand-in: not real text" if study.synthetic else "real"
    return {"suite": study.suite, "design": study.design, "results": store.root.resolve().name, "text": text}
