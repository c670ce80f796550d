"""Select each task's best epoch on dev, and score test once with its weights."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import torch

from taskaffinity.runs.heartbeat import HeartbeatWriter
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.result import Head
from taskaffinity.tasks.splits import Split
from taskaffinity.training.checkpoint import trained_head
from taskaffinity.training.evaluation import Evaluated, evaluate, secondary_of
from taskaffinity.training.fit_result import FitResult
from taskaffinity.training.gpu import has_room
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.one_pass import full_weights
from taskaffinity.training.resume import NoCheckpoints


def fit_and_select(
    loop: TrainingLoop,
    result: FitResult,
    metas: Mapping[str, TaskMeta],
    dev_splits: Mapping[str, EncodedSplit],
    recipe: Recipe,
    heartbeat: HeartbeatWriter | None,
    checkpoints: NoCheckpoints,
) -> None:
    """Train, evaluate dev after each epoch, and keep each task's best weights in ``result``.

    Under the paper's protocol only the last epoch is evaluated. With early stopping, a task's epoch is final after
    ``early_stopping_patience`` epochs without improvement, and training ends when all epochs are final.
    """
    if not result.improving:  # a run that was resumed after early stopping
        return
    model = loop.model
    for epoch in loop.epochs(heartbeat, checkpoints.after_batch):
        started = time.perf_counter()
        is_evaluated = recipe.protocol is None or epoch.number == recipe.num_train_epochs
        names = metas if is_evaluated else {}
        with checkpoints.evaluating():
            dev = {name: evaluate(model, metas[name], "dev", dev_splits[name], recipe.device) for name in names}
        if heartbeat is not None:
            heartbeat.score({name: evaluated.score for name, evaluated in dev.items()})
        improved = [
            name
            for name in dev
            if name in result.improving and (name not in result.best or dev[name].score > result.best[name][1].score)
        ]
        for name in improved:
            result.best[name] = (epoch.number, dev[name])
        if improved:
            result.weights[epoch.number] = copied(full_weights(model))
        selected = {number for number, _ in result.best.values()}
        result.weights = {number: weights for number, weights in result.weights.items() if number in selected}
        result.add_epoch(epoch, dev, time.perf_counter() - started)
        if recipe.early_stopping_patience is not None:
            last = epoch.number - recipe.early_stopping_patience
            result.improving = {name for name in result.improving if result.best[name][0] > last}
        checkpoints.after_epoch()
        if not result.improving:
            break


def copied(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a copy of the weights, on their GPU if there is room, else in CPU memory.

    A copy on the GPU is faster.
    """
    n_bytes = sum(value.numel() * value.element_size() for value in weights.values())
    on_gpu = next(iter(weights.values())).device.type == "cuda"
    if on_gpu and has_room(n_bytes):
        return {name: value.detach().clone() for name, value in weights.items()}
    return {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}


def evaluate_test(
    model: MultiTaskModel,
    fitted: FitResult,
    metas: Mapping[str, TaskMeta],
    tests: Mapping[str, Mapping[Split, EncodedSplit]],
    recipe: Recipe,
    encoder_folder: Path | None,
) -> tuple[dict[str, dict[Split, Evaluated]], dict[str, Head]]:
    """Evaluate each task on its test sets with the weights of its selected epoch.

    Predictions are in fp32, as in an exported model.

    Parameters
    ----------
    tests
        The test sets of each task, by split.
    encoder_folder : Path or None
        If given, each task's head at its selected epoch is also returned.
    """
    model.set_precision(None)
    test: dict[str, dict[Split, Evaluated]] = {}
    heads: dict[str, Head] = {}
    for number, weights in fitted.weights.items():
        model.load_state_dict(weights)
        for name, (selected, _) in fitted.best.items():
            if selected == number:
                task = metas[name]
                secondary = secondary_of(task)
                test[name] = {
                    split: evaluate(model, task, split, arrays, recipe.device, secondary)
                    for split, arrays in tests[name].items()
                }
                if encoder_folder is not None:
                    heads[name] = trained_head(model, task, encoder_folder)
    return test, heads
