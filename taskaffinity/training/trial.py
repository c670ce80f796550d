"""A trial of a recipe: every task trained alone, an epoch each in turn, and scored on dev after each of them.

What is not asked of dev is not asked at all: a trial knows no test split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.loop import fit
from taskaffinity.training.selection import evaluate
from taskaffinity.training.setup import Ready, setup_run


def train_in_step(specs: Sequence[RunSpec], *, encoder_folder: Path, cache: Path) -> Iterator[Mapping[str, float]]:
    """Train runs of one task each side by side; after each epoch, every task's best dev score so far by its name.

    Each run is trained as ``execute`` would train it: it has its own stream of random numbers. All their models are in
    memory at once.

    Parameters
    ----------
    specs : sequence of RunSpec
        Of different tasks, by one recipe.

    Raises
    ------
    Diverged, MemoryError, torch.OutOfMemoryError
    """
    torch.set_num_threads(specs[0].recipe.threads)
    runs = {
        spec.task_names[0]: _Alone(spec, setup_run(spec, encoder_folder=encoder_folder, cache=cache, scored=("dev",)))
        for spec in specs
    }
    for _ in range(specs[0].recipe.num_train_epochs):
        yield {name: run.next_epoch() for name, run in runs.items()}


class _Alone:
    """One task alone, trained an epoch at a time."""

    def __init__(self, spec: RunSpec, ready: Ready) -> None:
        (self.name,) = spec.task_names
        self.ready = ready
        self.device = spec.recipe.device
        self.epochs = fit(ready.model, ready.company.train, spec.recipe, seed=spec.seed)
        self.patience = spec.recipe.early_stopping_patience
        self.since_best = 0
        self.best = -float("inf")
        self.stream: Any = None  # None before the first epoch: ``fit`` seeds it

    def next_epoch(self) -> float:
        if self.patience is not None and self.since_best >= self.patience:  # settled: a study would look no further
            return self.best
        if self.stream is not None:
            _restore(self.stream)
        next(self.epochs)
        self.stream = _streams(self.device)
        dev = evaluate(
            self.ready.model, self.ready.metas[self.name], "dev", self.ready.splits["dev"][self.name], self.device
        )
        self.since_best = 0 if dev.score > self.best else self.since_best + 1
        self.best = max(self.best, dev.score)
        return self.best


def _streams(device: str) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Where torch's random numbers stand, on the CPU and on a GPU."""
    return torch.get_rng_state(), torch.cuda.get_rng_state() if device == "cuda" else None


def _restore(streams: tuple[torch.Tensor, torch.Tensor | None]) -> None:
    on_cpu, on_gpu = streams
    torch.set_rng_state(on_cpu)
    if on_gpu is not None:
        torch.cuda.set_rng_state(on_gpu)
