"""The training loop.

Single-task training, refinement and fine-tuning share this loop. They differ in tasks, starting weights and recipe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np
import torch

from taskaffinity.runs.heartbeat import HeartbeatWriter
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.sampling import draws
from taskaffinity.training.inputs.batches import (
    Cut,
    epoch_cuts,
    seed_of,
    stretched_cuts,
)
from taskaffinity.training.inputs.encoded import EncodedSplit
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.bert_adam import BertAdamStepper
from taskaffinity.training.optim.one_pass import OnePassStepper
from taskaffinity.training.optim.optimizer import Stepper
from taskaffinity.training.updates.captured import CapturedSteps
from taskaffinity.training.updates.cuda_graphs import Graphs
from taskaffinity.training.updates.steps import AnyStepper, FedSteps, Steps, on_gpu


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
    log_variances: Mapping[str, float] = field(default_factory=dict)
    """Of the tasks whose weights are learned, after the epoch."""


@dataclass
class Position:
    """Position of a training, and sums since the end of the last epoch."""

    epoch: int = 1
    """The current epoch, from 1."""
    batches: int = 0
    """Mini-batches of this epoch that are done."""
    losses: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    """The losses of these mini-batches by task, each a scalar on the model's device."""
    tokens: int = 0
    """Tokens of these mini-batches."""
    seconds: float = 0.0
    """Seconds of these mini-batches."""


class TrainingLoop:
    """Trains a model in place, epoch by epoch (Algorithm 1).

    Between two mini-batches, the rest of the training depends only on the model, the ``stepper``, the ``position`` and
    the states of torch's generators.

    Parameters
    ----------
    splits : dict of task name to training split
    seed : int
        Determines mini-batches and dropout. The same seed gives the same weights, bit for bit, on one kind of machine.
    batches : int, optional
        Mini-batches per epoch, for a single task; passes over its rows continue across epochs. Default: every row of
        every task once.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        splits: Mapping[str, EncodedSplit],
        recipe: Recipe,
        *,
        seed: int,
        batches: int | None = None,
        make_graphs: Callable[[], Graphs] | None = None,
    ) -> None:
        self.model, self.position = model, Position()
        self._splits, self._recipe, self._seed, self._batches = splits, recipe, seed, batches
        self._attached = {name: split for name, split in splits.items() if name not in model.detached}
        detached = {name: split for name, split in splits.items() if name not in self._attached}
        counted = (self._draws(tasks) for tasks in (self._attached, detached))
        self._counts = {name: batches or n for of_tasks in counted for name, n in of_tasks.items()}
        per_epoch = sum(self._counts[name] for name in self._attached)
        self.stepper = stepper_of(model, recipe, recipe.num_train_epochs * per_epoch)
        self.steps = steps_of(model, self.stepper, splits, self._attached, make_graphs=make_graphs)
        self._is_prepared = False
        torch.manual_seed(seed_of(seed, "dropout"))

    def epochs(
        self, heartbeat: HeartbeatWriter | None = None, after_batch: Callable[[], None] | None = None
    ) -> Iterator[Epoch]:
        """Train from the current position; yield after each epoch for evaluation.

        Parameters
        ----------
        heartbeat : HeartbeatWriter, optional
            Receives the progress after each mini-batch.
        after_batch : callable, optional
            Called after each mini-batch. If it raises, training ends.

        Raises
        ------
        Diverged
            If a loss is infinite or not a number.
        """
        self.prepare()
        try:
            yield from self._epochs_left(heartbeat, after_batch)
        finally:
            self.steps.close()

    def prepare(self) -> None:
        """Prepare the steps for the mini-batches of all epochs, if that is not done; ``epochs`` begins with it."""
        if self._is_prepared:
            return
        whole = (self._cuts(epoch) for epoch in range(1, self._recipe.num_train_epochs + 1))
        self.steps.prepare(chain.from_iterable(whole))
        self._is_prepared = True

    def _epochs_left(
        self, heartbeat: HeartbeatWriter | None, after_batch: Callable[[], None] | None
    ) -> Iterator[Epoch]:
        while self.position.epoch <= self._recipe.num_train_epochs:
            started = time.perf_counter() - self.position.seconds
            self._train_epoch(started, heartbeat, after_batch)
            at = self.position
            of_tasks = torch.stack([torch.stack(at.losses[name]).mean() for name in self._splits])
            means = dict(zip(self._splits, of_tasks.tolist(), strict=True))  # the only wait for a GPU in an epoch
            diverged = [name for name, mean in means.items() if not np.isfinite(mean)]
            if diverged:
                raise Diverged(
                    f"diverged: the training loss of {', '.join(diverged)} is not a number after epoch {at.epoch} "
                    f"(learning_rate {self._recipe.learning_rate:g}); try a smaller one"
                )
            at.seconds = time.perf_counter() - started
            yield Epoch(at.epoch, means, at.batches, at.tokens, at.seconds, self.model.weighting.learned())
            self.position = Position(at.epoch + 1)

    def _train_epoch(
        self, started: float, heartbeat: HeartbeatWriter | None, after_batch: Callable[[], None] | None
    ) -> None:
        """Train on the remaining mini-batches of the current epoch."""
        at = self.position
        self.model.train()
        if heartbeat is not None:
            heartbeat.start_epoch(at.epoch, sum(self._counts.values()), at.batches)
        for done in self.steps.run(islice(self._cuts(at.epoch), at.batches, None)):
            at.losses.setdefault(done.task, []).append(done.loss)
            at.batches += 1
            at.tokens += done.n_tokens
            if heartbeat is not None:
                heartbeat.step(done.n_rows)
            if after_batch is not None:
                at.seconds = time.perf_counter() - started
                after_batch()

    def _cuts(self, epoch: int) -> Iterator[Cut]:
        """Return the mini-batches of an epoch, as rows of the splits."""
        size, seed = self._recipe.batch_size, self._seed
        if self._batches is not None:
            ((name, split),) = self._splits.items()
            return stretched_cuts(name, split, size, self._batches, seed=seed, epoch=epoch)
        detached = {name: split for name, split in self._splits.items() if name not in self._attached}
        return epoch_cuts(self._attached, size, seed=seed, epoch=epoch, detached=detached, counts=self._counts)

    def _draws(self, splits: Mapping[str, EncodedSplit]) -> dict[str, int]:
        """Mini-batches of each task in an epoch."""
        sizes = {name: split.n_units for name, split in splits.items()}
        return draws(sizes, self._recipe.batch_size, self._recipe.sampling)


def stepper_of(model: MultiTaskModel, recipe: Recipe, n_steps: int) -> AnyStepper:
    """Return the optimizer of the recipe's protocol and the model's device."""
    if recipe.protocol == "paper":
        return BertAdamStepper(model, recipe, n_steps)
    on_gpu = next(model.parameters()).device.type == "cuda"
    return OnePassStepper(model, recipe, n_steps) if on_gpu else Stepper(model, recipe, n_steps)


def steps_of(
    model: MultiTaskModel,
    stepper: AnyStepper,
    splits: Mapping[str, EncodedSplit],
    attached: Collection[str],
    *,
    make_graphs: Callable[[], Graphs] | None,
) -> Steps:
    """The steps of the model's device: captured on a GPU, if batches are packed and the optimizer takes one pass.

    Parameters
    ----------
    make_graphs : callable, optional
        Makes what captures them; None if they may not be captured.
    """
    if not on_gpu(model):
        return Steps(model, stepper, splits, attached)
    if make_graphs is not None and model.is_packed and isinstance(stepper, OnePassStepper):
        return CapturedSteps(model, stepper, splits, attached, make_graphs)
    return FedSteps(model, stepper, splits, attached)
