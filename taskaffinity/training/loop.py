"""The training loop, and prediction.

Single-task training, refinement and fine-tuning share this loop. They differ in tasks, starting weights and recipe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
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
from taskaffinity.training.optim.one_pass import OnePassStepper
from taskaffinity.training.optim.optimizer import Stepper

EVALUATION_TOKENS = {"cpu": 1024, "cuda": 8192}
"""Tokens in a batch of predictions: enough to keep a core busy, few enough for its cache. Larger batches were slower
on a CPU; the GPU value is not measured."""

AnyStepper = Stepper | OnePassStepper | BertAdamStepper


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


@dataclass
class Position:
    """How far a training is, and what it computed since the end of the last epoch."""

    epoch: int = 1
    """The current epoch, from 1."""
    batches: int = 0
    """Mini-batches of this epoch that are done."""
    losses: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    """The losses of these mini-batches by task, each a scalar on the model's device."""
    tokens: int = 0
    """Tokens of these mini-batches."""
    seconds: float = 0.0
    """Time that they took."""


class TrainingLoop:
    """Algorithm 1: trains a model in place, one epoch after the other. ``fit`` describes the parameters.

    Between two mini-batches, the model, the ``stepper``, the ``position`` and the states of torch's generators are all
    that the rest of the training depends on.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        splits: Mapping[str, EncodedSplit],
        recipe: Recipe,
        *,
        seed: int,
        batches: int | None = None,
    ) -> None:
        self.model, self.position = model, Position()
        self._splits, self._recipe, self._seed, self._batches = splits, recipe, seed, batches
        self._attached = {name: split for name, split in splits.items() if name not in model.detached}
        per_epoch = batches or batches_in_an_epoch(self._attached, recipe.batch_size)
        self.stepper = stepper_of(model, recipe, recipe.num_train_epochs * per_epoch)
        torch.manual_seed(seed_of(seed, "dropout"))

    def epochs(
        self, heartbeat: HeartbeatWriter | None = None, after_batch: Callable[[], None] | None = None
    ) -> Iterator[Epoch]:
        """Train from the position on; yield after each epoch.

        Parameters
        ----------
        after_batch : callable, optional
            Called after each mini-batch. It may raise, and training ends there.
        """
        while self.position.epoch <= self._recipe.num_train_epochs:
            started = time.perf_counter() - self.position.seconds
            self._train_epoch(started, heartbeat, after_batch)
            at = self.position
            means = {name: float(torch.stack(at.losses[name]).mean()) for name in self._splits}
            diverged = [name for name, mean in means.items() if not np.isfinite(mean)]
            if diverged:
                raise Diverged(
                    f"diverged: the training loss of {', '.join(diverged)} is not a number after epoch {at.epoch} "
                    f"(learning_rate {self._recipe.learning_rate:g}); try a smaller one"
                )
            at.seconds = time.perf_counter() - started
            yield Epoch(at.epoch, means, at.batches, at.tokens, at.seconds)
            self.position = Position(at.epoch + 1)

    def _train_epoch(
        self, started: float, heartbeat: HeartbeatWriter | None, after_batch: Callable[[], None] | None
    ) -> None:
        """Train on the mini-batches of the current epoch that are left."""
        recipe, at = self._recipe, self.position
        self.model.train()
        if heartbeat is not None:
            n_batches = self._batches or batches_in_an_epoch(self._splits, recipe.batch_size)
            heartbeat.start_epoch(at.epoch, n_batches, at.batches)
        batches = _batches(self.model, self._splits, recipe.batch_size, self._batches, seed=self._seed, epoch=at.epoch)
        for batch in islice(batches, at.batches, None):
            # One task per batch: the gradient is that task's alone.
            loss = self.model.loss(batch.to(recipe.device))
            loss.backward()
            self.stepper.step(counts=batch.task in self._attached)
            at.losses.setdefault(batch.task, []).append(loss.detach())  # .item() would wait for the GPU
            at.batches += 1
            at.tokens += len(batch.tokens)
            if heartbeat is not None:
                heartbeat.step(len(batch.rows))
            if after_batch is not None:
                at.seconds = time.perf_counter() - started
                after_batch()


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
    yield from TrainingLoop(model, splits, recipe, seed=seed, batches=batches).epochs(heartbeat)


def stepper_of(model: MultiTaskModel, recipe: Recipe, n_steps: int) -> AnyStepper:
    """The optimizer of the recipe's protocol and the model's device."""
    if recipe.protocol == "paper":
        return BertAdamStepper(model, recipe, n_steps)
    on_gpu = next(model.parameters()).device.type == "cuda"
    return OnePassStepper(model, recipe, n_steps) if on_gpu else Stepper(model, recipe, n_steps)


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
