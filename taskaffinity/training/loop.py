"""The training loop, and prediction.

Single-task training, refinement and fine-tuning share this loop. They differ in tasks, starting weights and recipe.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from taskaffinity.runs.heartbeat import HeartbeatWriter
from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.heads import outputs_to_predictions
from taskaffinity.training.inputs.batches import (
    Batch,
    batches_in_an_epoch,
    epoch_batches,
    make_batch,
    seed_of,
    stretched_batches,
)
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray, TaskMeta
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.bert_adam import BertAdamStepper
from taskaffinity.training.optim.optimizer import Stepper

EVALUATION_TOKENS = {"cpu": 1024, "cuda": 8192}
"""Tokens in a batch of predictions: enough to keep a core busy, few enough for its cache. Larger batches were slower
on a CPU; the GPU value is not measured."""


class Diverged(RuntimeError):
    """Raised when a loss or an output is infinite or not a number."""


@dataclass(frozen=True)
class Epoch:
    """One pass over all tasks."""

    number: int
    """From 1."""
    losses: Mapping[str, float]
    """Mean training loss of each task's mini-batches."""
    steps: int
    tokens: int
    """Tokens trained on, without padding."""
    seconds: float


def fit(
    model: MultiTaskModel,
    splits: Mapping[str, EncodedSplit],
    recipe: Recipe,
    *,
    seed: int,
    batches: int | None = None,
    heartbeat: HeartbeatWriter | None = None,
) -> Iterator[Epoch]:
    """Train in place (Algorithm 1); yield after each epoch, so that the caller can evaluate.

    Parameters
    ----------
    splits : dict of task name to training split
    seed : int
        Determines mini-batches and dropout. The same seed gives the same weights, bit for bit, on one kind of machine.
    batches : int, optional
        Mini-batches per epoch, for a single task; passes over its rows continue across epochs. Default: every row of
        every task once.
    heartbeat : HeartbeatWriter, optional
        Receives the progress after each mini-batch.

    Raises
    ------
    Diverged
        If a loss is infinite or not a number.
    """
    attached = {name: split for name, split in splits.items() if name not in model.detached}
    per_epoch = batches or batches_in_an_epoch(attached, recipe.batch_size)
    stepper = stepper_of(model, recipe, recipe.num_train_epochs * per_epoch)
    torch.manual_seed(seed_of(seed, "dropout"))
    for number in range(1, recipe.num_train_epochs + 1):
        started = time.perf_counter()
        model.train()
        losses: dict[str, list[torch.Tensor]] = {name: [] for name in splits}
        n_tokens = 0
        if heartbeat is not None:
            heartbeat.start_epoch(number, batches or batches_in_an_epoch(splits, recipe.batch_size))
        for batch in _batches(model, splits, recipe.batch_size, batches, seed=seed, epoch=number):
            # One task per batch: the gradient is that task's alone.
            loss = model.loss(batch.to(recipe.device))
            loss.backward()
            stepper.step(counts=batch.task in attached)
            losses[batch.task].append(loss.detach())  # .item() would wait for the GPU
            n_tokens += len(batch.tokens)
            if heartbeat is not None:
                heartbeat.step(len(batch.rows))
        means = {name: float(torch.stack(values).mean()) for name, values in losses.items()}
        diverged = [name for name, mean in means.items() if not np.isfinite(mean)]
        if diverged:
            raise Diverged(
                f"diverged: the training loss of {', '.join(diverged)} is not a number after epoch {number} "
                f"(learning_rate {recipe.learning_rate:g}); try a smaller one"
            )
        steps = sum(len(values) for values in losses.values())
        yield Epoch(number, means, steps, n_tokens, time.perf_counter() - started)


def stepper_of(model: MultiTaskModel, recipe: Recipe, n_steps: int) -> Stepper | BertAdamStepper:
    """The optimizer of the recipe's protocol."""
    stepper = BertAdamStepper if recipe.protocol == "paper" else Stepper
    return stepper(model, recipe, n_steps)


def _batches(
    model: MultiTaskModel,
    splits: Mapping[str, EncodedSplit],
    batch_size: int,
    n_batches: int | None,
    *,
    seed: int,
    epoch: int,
) -> Iterator[Batch]:
    if n_batches is not None:
        ((name, split),) = splits.items()
        return stretched_batches(name, split, batch_size, n_batches, seed=seed, epoch=epoch)
    attached = {name: split for name, split in splits.items() if name not in model.detached}
    detached = {name: split for name, split in splits.items() if name in model.detached}
    return epoch_batches(attached, batch_size, seed=seed, epoch=epoch, detached=detached)


@torch.inference_mode()
def predict(model: MultiTaskModel, task: TaskMeta, split: EncodedSplit, *, device: str = "cpu") -> list[Any]:
    """One predicted label per example: a score, a class, or the tags of a sentence.

    Raises
    ------
    Diverged
        If an output is infinite or not a number.
    """
    model.eval()
    lengths = np.diff(split.bounds)
    outputs: list[np.ndarray[Any, Any]] = [np.zeros(0)] * split.n_rows
    for rows in batches_by_tokens(lengths, EVALUATION_TOKENS[device]):
        batch = make_batch(task.name, split, rows)
        raw = model(batch.to(device))
        if not bool(torch.isfinite(raw).all()):  # the last step can break the weights after the last loss
            raise Diverged(f"diverged: outputs for {task.name} are not numbers; try a smaller learning_rate")
        predicted = outputs_to_predictions(task.kind, raw).cpu().numpy()
        sizes = np.diff(split.word_bounds)[batch.rows] if split.is_tagging else np.ones(len(rows), dtype=np.int64)
        for row, values in zip(batch.rows, np.split(predicted, np.cumsum(sizes)[:-1]), strict=True):
            outputs[row] = values
    if split.is_tagging:
        return tags_of_sentences(task.outputs, split, outputs)
    values = np.concatenate(outputs)
    if task.kind != "similarity":
        return [task.outputs[int(v)] for v in values]
    mean, sd = task.scale or (0.0, 1.0)
    return [float(v) * sd + mean for v in values]


def batches_by_tokens(lengths: IntArray, max_tokens: int) -> Iterator[IntArray]:
    """All rows in ascending length, in batches of at most ``max_tokens`` tokens or of one row."""
    order = np.argsort(lengths, kind="stable")
    first, n_tokens = 0, 0
    for i, row in enumerate(order):
        if n_tokens and n_tokens + lengths[row] > max_tokens:
            yield order[first:i]
            first, n_tokens = i, 0
        n_tokens += int(lengths[row])
    if first < len(order):
        yield order[first:]


def tags_of_sentences(
    tags: Sequence[str], split: EncodedSplit, outputs: Sequence[np.ndarray[Any, Any]]
) -> list[list[str]]:
    """The tags of each sentence, from the tag numbers predicted for each row's words."""
    sentences = [["O"] * len(gold) for gold in split.gold]
    for row, predicted in enumerate(outputs):
        sentence = sentences[split.examples_of_rows[row]]
        numbers = split.word_numbers[split.word_bounds[row] : split.word_bounds[row + 1]]
        for number, tag in zip(numbers, predicted, strict=True):
            sentence[number] = tags[int(tag)]
    return sentences
