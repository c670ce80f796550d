"""The one loop: single, refinement and fine-tuning differ in their tasks, their starting weights and their recipe."""

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
from taskaffinity.training.optim.bert_adam import ReleasedStepper
from taskaffinity.training.optim.optimizer import Stepper

EVALUATION_PIECES = {"cpu": 1024, "cuda": 8192}
"""Word pieces in a batch of predictions: enough to keep a core busy, little enough to stay in its cache (four times as
many took 1.08 to 1.13 times as long). On a GPU, where nobody measured yet, a few times a training batch's."""


class Diverged(RuntimeError):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class Epoch:
    """One pass over all tasks."""

    number: int
    """From 1."""
    losses: Mapping[str, float]
    """Mean training loss of each task's mini-batches."""
    steps: int
    pieces: int
    """Word pieces seen, none of them padding."""
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
    """Train in place (Algorithm 1), handing over after each epoch so that the caller can evaluate and keep weights.

    Parameters
    ----------
    splits : dict of task name to training split
    seed : int
        Decides mini-batches and dropout; the same seed gives the same weights, bit for bit, on one kind of machine.
    batches : int, optional
        Mini-batches an epoch of a single task, passes over its rows following one another. Default: every row of every
        task once.
    heartbeat : HeartbeatWriter, optional
        Receives the progress, mini-batch by mini-batch.

    Raises
    ------
    Diverged
        When a loss is infinite or not a number.
    """
    attached = {name: split for name, split in splits.items() if name not in model.detached}
    in_an_epoch = batches or batches_in_an_epoch(attached, recipe.batch_size)
    stepper = stepper_of(model, recipe, recipe.num_train_epochs * in_an_epoch)
    torch.manual_seed(seed_of(seed, "dropout"))
    for number in range(1, recipe.num_train_epochs + 1):
        began = time.perf_counter()
        model.train()
        losses: dict[str, list[torch.Tensor]] = {name: [] for name in splits}
        pieces = 0
        if heartbeat is not None:
            heartbeat.start_epoch(number, batches or batches_in_an_epoch(splits, recipe.batch_size))
        for batch in _batches(model, splits, recipe.batch_size, batches, seed=seed, epoch=number):
            # One task a batch: the gradient follows that task alone.
            loss = model.loss(batch.to(recipe.device, blocks=model.is_packed))
            loss.backward()
            stepper.step(counts=batch.task in attached)
            losses[batch.task].append(loss.detach())  # no .item(): on a GPU it would wait for the step
            pieces += len(batch.pieces)
            if heartbeat is not None:
                heartbeat.step(len(batch.rows))
        means = {name: float(torch.stack(values).mean()) for name, values in losses.items()}
        lost = [name for name, mean in means.items() if not np.isfinite(mean)]
        if lost:
            raise Diverged(
                f"diverged: the training loss of {', '.join(lost)} is not a number after epoch {number} "
                f"(learning_rate {recipe.learning_rate:g}); try a smaller one"
            )
        steps = sum(len(values) for values in losses.values())
        yield Epoch(number, means, steps, pieces, time.perf_counter() - began)


def stepper_of(model: MultiTaskModel, recipe: Recipe, n_steps: int) -> Stepper | ReleasedStepper:
    """The update of the recipe's protocol."""
    way = ReleasedStepper if recipe.protocol == "paper" else Stepper
    return way(model, recipe, n_steps)


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
    beside = {name: split for name, split in splits.items() if name in model.detached}
    return epoch_batches(attached, batch_size, seed=seed, epoch=epoch, beside=beside)


@torch.inference_mode()
def predict(model: MultiTaskModel, task: TaskMeta, split: EncodedSplit, *, device: str = "cpu") -> list[Any]:
    """Predicted labels, one an example: a score, a class, or the tags of a sentence.

    Raises
    ------
    Diverged
        When an output is infinite or not a number.
    """
    model.eval()
    lengths = np.diff(split.bounds)
    outputs: list[np.ndarray[Any, Any]] = [np.zeros(0)] * split.n_rows
    for rows in by_pieces(lengths, EVALUATION_PIECES[device]):
        batch = make_batch(task.name, split, rows)
        raw = model(batch.to(device, blocks=model.is_packed))
        if not bool(torch.isfinite(raw).all()):  # the last step broke the weights, and no loss has seen it yet
            raise Diverged(f"diverged: outputs for {task.name} are not numbers; try a smaller learning_rate")
        predicted = outputs_to_predictions(task.kind, raw).cpu().numpy()
        sizes = np.diff(split.word_bounds)[batch.rows] if split.is_tagging else np.ones(len(rows), dtype=np.int64)
        for row, values in zip(batch.rows, np.split(predicted, np.cumsum(sizes)[:-1]), strict=True):
            outputs[row] = values
    if split.is_tagging:
        return tags_of_sentences(task.outputs, split, outputs)
    values = np.concatenate(outputs)
    return [float(v) for v in values] if task.kind == "similarity" else [task.outputs[int(v)] for v in values]


def by_pieces(lengths: IntArray, most: int) -> Iterator[IntArray]:
    """All rows of these lengths, ascending by length, in batches of at most so many word pieces, or of one row."""
    order = np.argsort(lengths, kind="stable")
    first, pieces = 0, 0
    for i, row in enumerate(order):
        if pieces and pieces + lengths[row] > most:
            yield order[first:i]
            first, pieces = i, 0
        pieces += int(lengths[row])
    if first < len(order):
        yield order[first:]


def tags_of_sentences(
    tags: Sequence[str], split: EncodedSplit, outputs: Sequence[np.ndarray[Any, Any]]
) -> list[list[str]]:
    """The tags of each sentence, from the numbers that were predicted for the words of each row."""
    sentences = [["O"] * len(gold) for gold in split.gold]
    for row, predicted in enumerate(outputs):
        sentence = sentences[split.examples_of_rows[row]]
        numbers = split.word_numbers[split.word_bounds[row] : split.word_bounds[row + 1]]
        for number, tag in zip(numbers, predicted, strict=True):
            sentence[number] = tags[int(tag)]
    return sentences
