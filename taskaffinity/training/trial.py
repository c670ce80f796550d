"""Train one trial of a recipe: each task by itself, in step, one epoch at a time.

A trial evaluates only dev and never reads test.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import torch

from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.stored.checkpoint_files import TrainingState
from taskaffinity.tasks.secondary_metrics import secondary_metrics
from taskaffinity.training.evaluation import Evaluated, evaluate, evaluated
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import Epoch, Position, TrainingLoop
from taskaffinity.training.resume import Generators, Tensors, generators, restore_generators, restore_loop
from taskaffinity.training.setup import RunSetup, setup_run
from taskaffinity.training.trial_checkpoints import TrialCheckpoints
from taskaffinity.training.updates.cuda_graphs import CudaGraphs, Graphs


def train_in_step(
    specs: Sequence[RunSpec],
    *,
    encoder_folder: Path,
    cache: Path,
    checkpoints: Path | None = None,
    checkpoint_minutes: float = 0.0,
) -> Generator[Mapping[str, Evaluated]]:
    """Train single-task runs side by side; yield each task's best dev evaluation per epoch.

    The evaluation has counts of macro-F1 if the task has classes. They show whether all predictions are one class.

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
                for run in runs.values():
                    run.train_to(epoch, partial(written.end_if_asked, run))
                written.after_epoch()
                yield {name: run.best_after(epoch) for name, run in runs.items()}
    finally:
        for run in runs.values():
            run.loop.steps.close()


class TrialRun:
    """A single-task run that trains one epoch at a time.

    Its state is the position of its loop, its generators, and the epochs that improved on all earlier ones.
    """

    def __init__(self, spec: RunSpec, setup: RunSetup, make_graphs: Callable[[], Graphs] | None = None) -> None:
        (self.name,) = spec.task_names
        self.spec, self.setup = spec, setup
        self.device = spec.recipe.device
        splits = setup.training.splits
        self.loop = TrainingLoop(setup.model, splits, spec.recipe, seed=spec.seed, make_graphs=make_graphs)
        self.generators: Generators = generators(self.device)
        self.improved: dict[int, Evaluated] = {}
        """Dev evaluations by epoch, of the epochs that were better than all before."""
        self._epochs: Iterator[Epoch] | None = None
        self._after_batch: Callable[[], None] = lambda: None

    def best_after(self, epoch: int) -> Evaluated:
        """Return the best dev evaluation of the first ``epoch`` epochs."""
        return self.improved[max(number for number in self.improved if number <= epoch)]

    def train_to(self, epoch: int, after_batch: Callable[[], None]) -> None:
        """Train the next epoch if fewer than ``epoch`` are done and the run was not stopped early."""
        patience = self.spec.recipe.early_stopping_patience
        done = self.loop.position.epoch - 1
        if done >= epoch or (patience is not None and self.improved and done - max(self.improved) >= patience):
            return
        if self._epochs is None:
            self._epochs = self.loop.epochs(after_batch=lambda: self._after_batch())
        restore_generators(self.generators)
        self._after_batch = after_batch
        trained = next(self._epochs)
        self.note_generators()
        dev = evaluate(self.setup.model, self._meta, "dev", self._dev, self.device, self._by_class)
        if not self.improved or dev.score > self.improved[max(self.improved)].score:
            self.improved[trained.number] = dev
        self.loop.position = Position(trained.number + 1)

    def note_generators(self) -> None:
        """Store the states of torch's generators, with which the run continues."""
        self.generators = generators(self.device)

    def restore(self, state: TrainingState, tensors: Tensors) -> None:
        """Continue from a checkpoint.

        Raises
        ------
        LookupError, ValueError
            If the checkpoint belongs to other data.
        """
        improved = {int(number): chosen for number, chosen in state.selected.items()}
        if any(number >= state.epoch for number in improved) or (state.epoch > 1) != (1 in improved):
            raise ValueError("the epochs do not follow from each other")
        self.improved = {
            number: evaluated(self._meta, "dev", self._dev, improved[number].predicted, self._by_class)
            for number in sorted(improved)
        }
        restore_loop(self.loop, tensors, state)
        self.note_generators()

    @property
    def _meta(self) -> TaskMeta:
        return self.setup.metas[self.name]

    @property
    def _dev(self) -> EncodedSplit:
        return self.setup.splits["dev"][self.name]

    @property
    def _by_class(self) -> list[str]:
        secondary = secondary_metrics(self._meta.kind, self._meta.metric_name, missed_are_known=False)
        return [name for name in secondary if name == "macro_f1"]
