"""Read frozen models: tokens of a task, states that its head reads, and gradients.

Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from taskaffinity.runs.spec import RunSpec, TaskRef
from taskaffinity.tasks.task import Split
from taskaffinity.training.checkpoint import load_head
from taskaffinity.training.inputs.batches import make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.outputs import pool_windows
from taskaffinity.training.setup import read_tasks, setup_run

MOST_ROWS = 1000
"""Most units of a task that states are read of."""
MOST_STATES = 2000
"""Largest number of states of a task; tagging has one per word."""
GRADIENT_ROWS = 256
"""Units of a task in a mean gradient."""
_ROWS = 32


@dataclass(frozen=True)
class FrozenModels:
    """The folders of a study's encoder and encoded tasks."""

    encoder_folder: Path
    cache: Path

    def tokens(self, task: TaskRef, spec: RunSpec, split: Split) -> IntArray:
        """Return the tokens of a split by the recipe and encoder of ``spec``, (n_tokens,)."""
        _, splits = read_tasks((task,), spec, self.cache, (split,))
        return np.asarray(splits[split][task[0]].tokens, dtype=np.int64)

    def states(
        self, spec: RunSpec, start: Path | None = None
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the states that a single-task head reads, and their targets.

        The states are those of the training examples.

        Parameters
        ----------
        start : Path, optional
            Encoder weights of any task. Default: those in the encoder's folder.

        Returns
        -------
        states : (n, hidden)
            One per example, the mean over its windows; for tagging one per word; for choice one per option.
        targets : (n,)
            Scores, or numbers of classes; for choice whether the option is right.
        """
        setup = setup_run(spec, encoder_folder=self.encoder_folder, cache=self.cache, start=start, scored=())
        (name,) = spec.task_names
        split = setup.training.splits[name]
        setup.model.eval()
        states, targets = [], []
        with torch.no_grad():
            for rows in _some_rows(split, MOST_ROWS):
                batch = make_batch(name, split, rows)
                found, of_them = setup.model.states(batch.to(spec.recipe.device)).float().cpu(), batch.targets
                if batch.owners is not None and split.n_options:
                    of_them = batch.owners % split.n_options == of_them[batch.owners // split.n_options]
                elif batch.owners is not None:
                    found = pool_windows(found, batch.owners, len(of_them), "mean")
                states.append(found.numpy())
                targets.append(of_them.numpy())
        inputs, labels = np.concatenate(states).astype(np.float64), np.concatenate(targets).astype(np.float64)
        if len(inputs) > MOST_STATES:
            kept = np.linspace(0, len(inputs) - 1, MOST_STATES).astype(np.int64)
            inputs, labels = inputs[kept], labels[kept]
        return inputs, labels

    def gradient_cosine(self, spec: RunSpec, target: str, start: Path, heads: Mapping[str, Path]) -> float:
        """Return the cosine, in [-1, 1], of two tasks' gradients over the shared weights.

        The weights are those of the target's single-task run.

        The target's gradient is over its dev examples, the source's over its training examples, both without dropout.

        Parameters
        ----------
        spec : RunSpec
            The run of both tasks.
        start : Path
            Encoder weights of the target's single-task run.
        heads : mapping of Path
            The head of each task from its single-task run.
        """
        setup = setup_run(spec, encoder_folder=self.encoder_folder, cache=self.cache, start=start, scored=("dev",))
        model, gradients = setup.model, []
        for name, path in heads.items():
            weights, _, _ = load_head(path)
            model.heads[name].load_state_dict(weights)
        model.eval()
        for name in spec.task_names:
            split = setup.splits["dev"][name] if name == target else setup.training.splits[name]
            gradients.append(_mean_gradient(model, name, split, spec.recipe.device))
        one, other = gradients
        length = float(one.norm() * other.norm())
        return float(one @ other) / length if length > 0 else 0.0


def _some_rows(split: EncodedSplit, most: int) -> Sequence[IntArray]:
    """Return the rows of at most so many units, evenly spaced, in batches."""
    units = np.unique(np.linspace(0, split.n_units - 1, min(most, split.n_units)).astype(np.int64))
    return [split.rows_of(units[first : first + _ROWS]) for first in range(0, len(units), _ROWS)]


def _mean_gradient(model: MultiTaskModel, name: str, split: EncodedSplit, device: str) -> torch.Tensor:
    """Return the mean gradient of a task over the encoder's weights, as one vector."""
    model.zero_grad(set_to_none=True)
    batches = _some_rows(split, GRADIENT_ROWS)
    for rows in batches:
        (model.loss(make_batch(name, split, rows).to(device)) / len(batches)).backward()
    return torch.cat(
        [
            (torch.zeros_like(weight) if weight.grad is None else weight.grad).flatten()
            for weight in model.encoder.parameters()
            if weight.requires_grad
        ]
    ).double()
