"""Train one trial of a recipe: each task by itself, in step, one epoch at a time.

A trial evaluates only dev and never reads test.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import torch

from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.evaluation import Evaluated
from taskaffinity.training.setup import setup_run
from taskaffinity.training.trial_checkpoints import TrialCheckpoints
from taskaffinity.training.trial_run import TrialRun
from taskaffinity.training.updates.cuda_graphs import CudaGraphs


class TrialEpoch(NamedTuple):
    """An epoch of a trial."""

    best: Mapping[str, Evaluated]
    """Each task's best dev evaluation so far."""
    is_trained: bool
    """Whether this process trained any task in it. If not, checkpoints have it, or all tasks were stopped early."""


def train_in_step(
    specs: Sequence[RunSpec],
    *,
    encoder_folder: Path,
    cache: Path,
    checkpoints: Path | None = None,
    checkpoint_minutes: float = 0.0,
) -> Generator[TrialEpoch]:
    """Train single-task runs side by side; yield each task's best dev evaluation per epoch.

    An evaluation has counts of macro-F1 if the task has classes. They show whether all predictions are one class.

    Each run trains exactly as ``execute`` would train it, with its own stream of random numbers. All models are in
    memory at once.

    Parameters
    ----------
    specs : sequence of RunSpec
        One task each, all different, with the same recipe.
    checkpoints : Path, optional
        Folder of the trial's checkpoints. If there is one, the trial continues from it: it yields the epochs that were
        already trained, and then trains the others. The result has the same bytes as that of an uninterrupted trial.
    checkpoint_minutes : float
        Shortest time between two checkpoints, in minutes; 0 for none.

    Raises
    ------
    Diverged, MemoryError, torch.OutOfMemoryError, Terminated
    """
    torch.set_num_threads(specs[0].recipe.threads)
    places = {"encoder_folder": encoder_folder, "cache": cache}
    make_graphs = lru_cache(CudaGraphs)  # one for all models: they train one after the other, in the same memory
    runs = {
        spec.task_names[0]: TrialRun(spec, setup_run(spec, **places, scored=("dev",)), make_graphs) for spec in specs
    }
    folder = checkpoints if checkpoint_minutes else None
    try:
        with TrialCheckpoints(folder, checkpoint_minutes, runs) as written:
            written.resume()
            for run in runs.values():  # before the first one trains: a capture that fails costs the graphs of all
                run.loop.prepare()
            for epoch in range(1, specs[0].recipe.num_train_epochs + 1):
                trained = [run.train_to(epoch, partial(written.end_if_asked, run)) for run in runs.values()]
                written.after_epoch()
                yield TrialEpoch({name: run.best_after(epoch) for name, run in runs.items()}, any(trained))
    finally:
        for run in runs.values():
            run.loop.steps.close()
