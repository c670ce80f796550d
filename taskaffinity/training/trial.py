"""Train one trial of a recipe: each task by itself, in step, one epoch at a time.

A trial evaluates dev alone; it never reads test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from taskaffinity.runs.spec import RunSpec
from taskaffinity.tasks.secondary_metrics import secondary_metrics
from taskaffinity.training.evaluation import Evaluated, evaluate
from taskaffinity.training.loop import fit
from taskaffinity.training.setup import RunSetup, setup_run


def train_in_step(specs: Sequence[RunSpec], *, encoder_folder: Path, cache: Path) -> Iterator[Mapping[str, Evaluated]]:
    """Train single-task runs side by side; after each epoch yield each task's best dev evaluation so far.

    It has counts of macro-F1, if these exist for the task, because they show whether all predictions are one class.

    Each run trains exactly as ``execute`` would train it, with its own stream of random numbers. All models are in
    memory at once.

    Parameters
    ----------
    specs : sequence of RunSpec
        One task each, all different, with the same recipe.

    Raises
    ------
    Diverged, MemoryError, torch.OutOfMemoryError
    """
    torch.set_num_threads(specs[0].recipe.threads)
    runs = {
        spec.task_names[0]: _SingleRun(
            spec, setup_run(spec, encoder_folder=encoder_folder, cache=cache, scored=("dev",))
        )
        for spec in specs
    }
    for _ in range(specs[0].recipe.num_train_epochs):
        yield {name: run.next_epoch() for name, run in runs.items()}


class _SingleRun:
    """A single-task run that trains one epoch at a time."""

    def __init__(self, spec: RunSpec, setup: RunSetup) -> None:
        (self.name,) = spec.task_names
        self.setup = setup
        self.device = spec.recipe.device
        self.epochs = fit(setup.model, setup.training.splits, spec.recipe, seed=spec.seed)
        self.patience = spec.recipe.early_stopping_patience
        self.since_best = 0
        self.best: Evaluated | None = None
        self.rng_state: Any = None  # None before the first epoch: ``fit`` sets the seed

    def next_epoch(self) -> Evaluated:
        """Train an epoch, unless early stopping has ended the run; return the best dev evaluation."""
        if self.best is not None and self.patience is not None and self.since_best >= self.patience:
            return self.best
        if self.rng_state is not None:
            _restore_rng(self.rng_state)
        next(self.epochs)
        self.rng_state = _rng_state(self.device)
        meta, arrays = self.setup.metas[self.name], self.setup.splits["dev"][self.name]
        secondary = secondary_metrics(meta.kind, meta.metric_name, missed_are_known=False)
        by_class = [name for name in secondary if name == "macro_f1"]
        dev = evaluate(self.setup.model, meta, "dev", arrays, self.device, by_class)
        is_better = self.best is None or dev.score > self.best.score
        self.since_best = 0 if is_better else self.since_best + 1
        self.best = dev if self.best is None or is_better else self.best
        return self.best


def _rng_state(device: str) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The state of torch's generators on the CPU and, if used, on the GPU."""
    return torch.get_rng_state(), torch.cuda.get_rng_state() if device == "cuda" else None


def _restore_rng(state: tuple[torch.Tensor, torch.Tensor | None]) -> None:
    on_cpu, on_gpu = state
    torch.set_rng_state(on_cpu)
    if on_gpu is not None:
        torch.cuda.set_rng_state(on_gpu)
