"""Our training step over given mini-batches, for the benchmarks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from peers import Rows, now

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.inputs.batches import make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray, TaskMeta
from taskaffinity.training.inputs.vocabulary import prune_embeddings, renumbered, used_token_ids
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.one_pass import OnePassStepper
from taskaffinity.training.optim.optimizer import Stepper

Precision = Literal["bf16"] | None


class Step(NamedTuple):
    """One timed training step."""

    seconds: float
    """Of the whole step: the batch, forward, backward and the update."""
    update_seconds: float
    """Of the optimizer's part."""


class Ours:
    """The loop of ``training.loop.TrainingLoop``, over given mini-batches.

    Parameters
    ----------
    kind : type
        The optimizer step. Default: that of a CPU.
    """

    def __init__(
        self,
        folder: Path,
        metas: Mapping[str, TaskMeta],
        splits: Mapping[str, EncodedSplit],
        optimizer: str,
        precision: Precision = None,
        device: str = "cpu",
        kind: type[Stepper | OnePassStepper] = Stepper,
    ) -> None:
        self.device = device
        self.model = MultiTaskModel(folder, metas, seed=0, device=device)
        self.model.precision = precision
        tokens = used_token_ids(splits.values(), self.model.encoder)
        prune_embeddings(self.model.encoder, tokens)
        self.splits = {name: renumbered(split, tokens) for name, split in splits.items()}
        self.model.to(device)
        self.stepper = kind(self.model, Recipe(optimizer=optimizer), 1000)
        self.model.train()

    def train(self, batches: Rows) -> float:
        """Seconds that these mini-batches took."""
        began = now(self.device)
        for name, rows in batches:
            loss = self.model.loss(make_batch(name, self.splits[name], rows).to(self.device))
            loss.backward()
            self.stepper.step()
        return now(self.device) - began

    def step(self, name: str, rows: IntArray, seed: int) -> Step:
        """Take one step on a CPU; equal seeds give equal dropout."""
        torch.manual_seed(seed)
        began = time.perf_counter()
        loss = self.model.loss(make_batch(name, self.splits[name], rows))
        loss.backward()
        middle = time.perf_counter()
        self.stepper.step()
        ended = time.perf_counter()
        return Step(ended - began, ended - middle)
