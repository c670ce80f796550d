"""A single-task run of a trial: it trains one epoch at a time and evaluates only dev."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.stored.checkpoint_files import TrainingState
from taskaffinity.tasks.secondary_metrics import SHOW_COLLAPSE
from taskaffinity.training.evaluation import Evaluated, evaluate, evaluated, secondary_of
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import Epoch, Position, TrainingLoop
from taskaffinity.training.resume import Generators, Tensors, generators, restore_generators, restore_loop
from taskaffinity.training.setup import RunSetup
from taskaffinity.training.updates.cuda_graphs import Graphs


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

    def train_to(self, epoch: int, after_batch: Callable[[], None]) -> bool:
        """Train the next epoch if fewer than ``epoch`` are done and the run was not stopped early.

        Returns whether it was trained.
        """
        patience = self.spec.recipe.early_stopping_patience
        done = self.loop.position.epoch - 1
        if done >= epoch or (patience is not None and self.improved and done - max(self.improved) >= patience):
            return False
        if self._epochs is None:
            self._epochs = self.loop.epochs(after_batch=lambda: self._after_batch())
        restore_generators(self.generators)
        self._after_batch = after_batch
        trained = next(self._epochs)
        self.note_generators()
        dev = evaluate(self.setup.model, self._meta, "dev", self._dev, self.device, self._show_collapse)
        if not self.improved or dev.score > self.improved[max(self.improved)].score:
            self.improved[trained.number] = dev
        self.loop.position = Position(trained.number + 1)
        return True

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
            number: evaluated(self._meta, "dev", self._dev, improved[number].predicted, self._show_collapse)
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
    def _show_collapse(self) -> list[str]:
        return [name for name in secondary_of(self._meta) if name in SHOW_COLLAPSE]
