"""Select each task's best epoch on dev; score test once with that epoch's weights."""

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
from taskaffinity.tasks.secondary_metrics import documents_of, secondary_metrics, tally
from taskaffinity.tasks.task import Split
from taskaffinity.training.checkpoint import trained_head
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import Epoch, fit, predict
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.variants import TrainingSet

Counts = np.ndarray[Any, Any]


class Evaluated(NamedTuple):
    """The predictions of one split, and their counts and score."""

    metric: str
    """The task's metric."""
    score: float
    counts: Counts
    """``(n_examples, n_counts)``, by the task's metric."""
    predictions: Predictions
    secondary: Mapping[str, Counts]
    """Counts by secondary metrics."""
    documents: Mapping[str, npt.NDArray[np.int64]]
    """By metric, the document number of each row of its counts; only for metrics where rows share documents."""


@dataclass
class FitResult:
    """The outcome of a run's training."""

    best: dict[str, tuple[int, Evaluated]] = field(default_factory=dict)
    """Each task's selected epoch and its dev evaluation."""
    weights: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)
    """The model's weights after each selected epoch, in CPU memory."""
    history: list[dict[str, Any]] = field(default_factory=list)
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    steps: int = 0
    tokens: int = 0

    def add_epoch(self, epoch: Epoch, dev: Mapping[str, Evaluated], evaluate_seconds: float) -> None:
        """Append an epoch to the history and the totals."""
        self.steps += epoch.steps
        self.tokens += epoch.tokens
        self.train_seconds += epoch.seconds
        self.evaluate_seconds += evaluate_seconds
        self.history.append(
            {
                "epoch": epoch.number,
                "loss": dict(epoch.losses),
                "dev": {name: evaluated.score for name, evaluated in dev.items()},
                "train_seconds": round(epoch.seconds, 3),
                "evaluate_seconds": round(evaluate_seconds, 3),
            }
        )


def fit_and_select(
    model: MultiTaskModel,
    training: TrainingSet,
    metas: Mapping[str, TaskMeta],
    dev_splits: Mapping[str, EncodedSplit],
    spec: RunSpec,
    heartbeat: HeartbeatWriter | None = None,
) -> FitResult:
    """Train, evaluate dev after each epoch, and keep each task's best weights.

    Under the paper's protocol only the last epoch is evaluated. With early stopping, a task's epoch is final after
    ``early_stopping_patience`` epochs without improvement, and training ends when all epochs are final.
    """
    recipe, result = spec.recipe, FitResult()
    improving = set(metas)
    epochs = fit(model, training.splits, recipe, seed=spec.seed, batches=training.batches, heartbeat=heartbeat)
    for epoch in epochs:
        started = time.perf_counter()
        is_evaluated = recipe.protocol is None or epoch.number == recipe.num_train_epochs
        names = metas if is_evaluated else {}
        dev = {name: evaluate(model, metas[name], "dev", dev_splits[name], recipe.device) for name in names}
        if heartbeat is not None:
            heartbeat.score({name: evaluated.score for name, evaluated in dev.items()})
        improved = [
            name
            for name in dev
            if name in improving and (name not in result.best or dev[name].score > result.best[name][1].score)
        ]
        for name in improved:
            result.best[name] = (epoch.number, dev[name])
        if improved:
            result.weights[epoch.number] = copied(model.state_dict())
        selected = {number for number, _ in result.best.values()}
        result.weights = {number: weights for number, weights in result.weights.items() if number in selected}
        result.add_epoch(epoch, dev, time.perf_counter() - started)
        if recipe.early_stopping_patience is not None:
            last = epoch.number - recipe.early_stopping_patience
            improving = {name for name in improving if result.best[name][0] > last}
            if not improving:
                break
    return result


def copied(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A copy of the weights in CPU memory; a run's measured share of a GPU has no room for copies of its model."""
    return {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}


def evaluate_test(
    model: MultiTaskModel,
    fitted: FitResult,
    metas: Mapping[str, TaskMeta],
    test_splits: Mapping[str, EncodedSplit],
    recipe: Recipe,
    encoder_folder: Path | None,
) -> tuple[dict[str, Evaluated], dict[str, Head]]:
    """Evaluate each task on test with the weights of its selected epoch.

    Predictions are in fp32, as those of an exported model.

    Parameters
    ----------
    encoder_folder : Path or None
        If given, each task's head at its selected epoch is returned too.
    """
    model.precision = None
    test: dict[str, Evaluated] = {}
    heads: dict[str, Head] = {}
    for number, weights in fitted.weights.items():
        model.load_state_dict(weights)
        for name, (selected, _) in fitted.best.items():
            if selected == number:
                task = metas[name]
                secondary = secondary_metrics(task.kind, task.metric_name, missed_are_known=bool(task.missed))
                test[name] = evaluate(model, task, "test", test_splits[name], recipe.device, secondary)
                if encoder_folder is not None:
                    heads[name] = trained_head(model, task, encoder_folder)
    return test, heads


def evaluate(
    model: MultiTaskModel,
    task: TaskMeta,
    split: Split,
    arrays: EncodedSplit,
    device: str,
    secondary: Sequence[str] = (),
) -> Evaluated:
    """Predict a split and count by the task's metric and by ``secondary`` metrics."""
    predicted, missed = predict(model, task, arrays, device=device), task.missed.get(split, 0)

    def counts_by(metric: str) -> Counts:
        return tally(metric, arrays.ids, arrays.gold, predicted, task.scored, missed)

    documents = {
        metric: documents_of(metric, arrays.ids, arrays.documents, missed) for metric in (task.metric_name, *secondary)
    }
    counts = counts_by(task.metric_name)
    return Evaluated(
        metric=task.metric_name,
        score=float(METRICS[task.metric_name].score_examples(counts)),
        counts=counts,
        predictions=Predictions(arrays.ids, [_as_text(g) for g in arrays.gold], [_as_text(p) for p in predicted]),
        secondary={metric: counts_by(metric) for metric in secondary},
        documents={metric: numbers for metric, numbers in documents.items() if numbers is not None},
    )


def _as_text(label: Any) -> str:
    return " ".join(label) if isinstance(label, list) else str(label)
