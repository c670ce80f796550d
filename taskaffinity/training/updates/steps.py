"""Update a model on one mini-batch after the other, in the best way for its device."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from taskaffinity.training.inputs.batches import Batch, Cut, batches_of
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray
from taskaffinity.training.inputs.feed import Feed, Row, row_of
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.bert_adam import BertAdamStepper
from taskaffinity.training.optim.one_pass import OnePassStepper
from taskaffinity.training.optim.optimizer import Stepper

AnyStepper = Stepper | OnePassStepper | BertAdamStepper

_AT_ONCE = 512
"""Mini-batches whose numbers are copied to a GPU together. While it works on them, the next ones are prepared."""


class Done(NamedTuple):
    """One update."""

    task: str
    loss: Tensor
    """A scalar on the model's device. Reading it waits for a GPU."""
    n_rows: int
    n_tokens: int


class Steps:
    """Updates on a CPU."""

    def __init__(
        self,
        model: MultiTaskModel,
        stepper: AnyStepper,
        splits: Mapping[str, EncodedSplit],
        attached: Collection[str],
    ) -> None:
        self.model, self.stepper, self.splits, self.attached = model, stepper, splits, attached

    def prepare(self, cuts: Iterable[Cut]) -> None:
        """Prepare for the mini-batches of the whole training."""

    def close(self) -> None:
        """Release the memory of ``prepare``."""

    @property
    def versions(self) -> dict[str, str]:
        """Return how a GPU takes its steps; empty on a CPU."""
        return {}

    def run(self, cuts: Iterable[Cut]) -> Iterator[Done]:
        """Update the model on these mini-batches; yield after each."""
        for batch in batches_of(cuts, self.splits):
            yield self.update(batch, len(batch.tokens))

    def update(self, batch: Batch, n_tokens: int) -> Done:
        """Update the model on a mini-batch on its device."""
        loss = self.model.loss(batch)  # one task per batch, so the gradient is only that task's
        self.model.weighting(batch.task, loss).backward()
        self.stepper.step(counts=batch.task in self.attached)
        return Done(batch.task, loss.detach(), len(batch.rows), n_tokens)


class FedSteps(Steps):
    """Updates on a GPU, which gathers its mini-batches itself."""

    def __init__(
        self,
        model: MultiTaskModel,
        stepper: AnyStepper,
        splits: Mapping[str, EncodedSplit],
        attached: Collection[str],
    ) -> None:
        super().__init__(model, stepper, splits, attached)
        self.feed = Feed(splits, next(model.parameters()).device)

    @property
    def versions(self) -> dict[str, str]:
        return {"steps": "eager"}

    def run(self, cuts: Iterable[Cut]) -> Iterator[Done]:
        left = iter(cuts)
        while rows := [self.row(name, of_batch) for name, of_batch in islice(left, _AT_ONCE)]:
            for row, numbers in zip(rows, self.feed.upload(rows), strict=True):
                yield self.step(row, numbers)

    def row(self, name: str, rows: IntArray) -> Row:
        """Return the numbers of a mini-batch."""
        return row_of(name, self.splits[name], rows)

    def step(self, row: Row, numbers: Tensor) -> Done:
        """Update the model on a mini-batch, by its numbers on the device."""
        return self.update(self.feed.batch(row.shape, row.rows, numbers), row.n_tokens)


def on_gpu(model: MultiTaskModel) -> bool:
    """Return whether the model is on another device than a CPU."""
    return next(model.parameters()).device.type != torch.device("cpu").type
