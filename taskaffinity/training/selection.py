"""What a run's epochs come to: dev is looked at after each, the weights of every task's best one are kept, and test is
scored once, with those."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from taskaffinity.runs.heartbeat import HeartbeatWriter
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.result import Head, Predictions
from taskaffinity.runs.spec import RunSpec
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.secondary_metrics import documents_of, further_metrics, tally
from taskaffinity.tasks.task import Split
from taskaffinity.training.checkpoint import hand_over_head
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import fit, predict
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.variants import Company

Counted = np.ndarray[Any, Any]


class Evaluated(NamedTuple):
    """A split, predicted."""

    score: float
    counts: Counted
    """``(n_examples, n_counts)``, by the task's metric."""
    predictions: Predictions
    further: Mapping[str, Counted]
    """Counts by other metrics."""
    documents: Mapping[str, npt.NDArray[np.int64]]
    """By metric, the number of the document of each row of its counts; of those whose rows are not all apart."""


@dataclass
class FitResult:
    """What came of a run's epochs."""

    best: dict[str, tuple[int, Evaluated]] = field(default_factory=dict)
    """Of each task its epoch, and dev after it."""
    kept: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)
    """The model's weights after each of these epochs, in the CPU's memory."""
    history: list[dict[str, Any]] = field(default_factory=list)
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    steps: int = 0
    pieces: int = 0


def fit_and_select(
    model: MultiTaskModel,
    company: Company,
    metas: Mapping[str, TaskMeta],
    dev_splits: Mapping[str, EncodedSplit],
    spec: RunSpec,
    heartbeat: HeartbeatWriter | None = None,
) -> FitResult:
    """Train, look at dev after every epoch (of the paper's protocol after the last alone), and keep the best. With a
    patience, a task's epoch is settled once that many were no better, and all end when every task's is."""
    recipe, learnt = spec.recipe, FitResult()
    unsettled = set(metas)
    for epoch in fit(model, company.train, recipe, seed=spec.seed, batches=company.batches, heartbeat=heartbeat):
        evaluating = time.perf_counter()
        is_looked_at = recipe.protocol is None or epoch.number == recipe.num_train_epochs
        looked_at = metas if is_looked_at else {}
        dev = {name: evaluate(model, metas[name], "dev", dev_splits[name], recipe.device) for name in looked_at}
        if heartbeat is not None:
            heartbeat.score({name: evaluated.score for name, evaluated in dev.items()})
        improved = [
            name
            for name in dev
            if name in unsettled and (name not in learnt.best or dev[name].score > learnt.best[name][1].score)
        ]
        for name in improved:
            learnt.best[name] = (epoch.number, dev[name])
        if improved:
            learnt.kept[epoch.number] = copied(model.state_dict())
        chosen = {number for number, _ in learnt.best.values()}
        learnt.kept = {number: weights for number, weights in learnt.kept.items() if number in chosen}
        seconds = time.perf_counter() - evaluating
        learnt.steps, learnt.pieces = learnt.steps + epoch.steps, learnt.pieces + epoch.pieces
        learnt.train_seconds += epoch.seconds
        learnt.evaluate_seconds += seconds
        learnt.history.append(
            {
                "epoch": epoch.number,
                "loss": dict(epoch.losses),
                "dev": {name: evaluated.score for name, evaluated in dev.items()},
                "train_seconds": round(epoch.seconds, 3),
                "evaluate_seconds": round(seconds, 3),
            }
        )
        if recipe.early_stopping_patience is not None:
            last = epoch.number - recipe.early_stopping_patience
            unsettled = {name for name in unsettled if learnt.best[name][0] > last}
            if not unsettled:
                break
    return learnt


def copied(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights as they are now, in the CPU's memory: a run's share of a GPU was measured without copies of its model."""
    return {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}


def evaluate_test(
    model: MultiTaskModel,
    learnt: FitResult,
    metas: Mapping[str, TaskMeta],
    test_splits: Mapping[str, EncodedSplit],
    recipe: Recipe,
    encoder_folder: Path | None,
) -> tuple[dict[str, Evaluated], dict[str, Head]]:
    """Every task's test split, with the weights of its epoch and in 32 bits, as an exported model predicts; with the
    encoder's folder the head after it too."""
    model.precision = None
    found: dict[str, Evaluated] = {}
    heads: dict[str, Head] = {}
    for number, weights in learnt.kept.items():
        model.load_state_dict(weights)
        for name, (chosen, _) in learnt.best.items():
            if chosen == number:
                task = metas[name]
                others = further_metrics(task.kind, task.metric_name, missed_are_known=bool(task.missed))
                found[name] = evaluate(model, task, "test", test_splits[name], recipe.device, others)
                if encoder_folder is not None:
                    heads[name] = hand_over_head(model, task, encoder_folder)
    return found, heads


def evaluate(
    model: MultiTaskModel, task: TaskMeta, split: Split, arrays: EncodedSplit, device: str, others: Sequence[str] = ()
) -> Evaluated:
    """Predict a split and score it by the task's metric; counts by ``others`` too."""
    predicted, missed = predict(model, task, arrays, device=device), task.missed.get(split, 0)

    def counts_by(metric: str) -> Counted:
        return tally(metric, arrays.ids, arrays.gold, predicted, task.scored, missed)

    documents = {
        metric: documents_of(metric, arrays.ids, arrays.documents, missed) for metric in (task.metric_name, *others)
    }
    counts = counts_by(task.metric_name)
    return Evaluated(
        score=float(METRICS[task.metric_name].score(counts.sum(axis=0))),
        counts=counts,
        predictions=Predictions(arrays.ids, [_as_text(g) for g in arrays.gold], [_as_text(p) for p in predicted]),
        further={metric: counts_by(metric) for metric in others},
        documents={metric: numbers for metric, numbers in documents.items() if numbers is not None},
    )


def _as_text(label: Any) -> str:
    return " ".join(label) if isinstance(label, list) else str(label)
