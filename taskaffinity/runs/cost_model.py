"""Predict the seconds and disk space of runs from a few timed steps on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from taskaffinity.runs.spec import RunSpec, Variant

SHARE_OF_TRAINING: dict[Variant, float] = {"placebo": 1.4, "half": 0.5}
"""Cost of a variant's epochs relative to a single-task run. A placebo's extra batches have no backward pass."""

_BYTES_OF_A_RUN = 6_000
"""Bytes on disk of spec, history and result."""
_BYTES_OF_COUNTS, _BYTES_OF_A_PREDICTION, _BYTES_OF_A_PROBABILITY = 2, 18, 6
"""Bytes on disk of the counts of an example, its prediction, and a probability stored with the prediction."""


@dataclass(frozen=True)
class CostModel:
    """Seconds per task of one run with no other load on this machine."""

    epoch: Mapping[str, float]
    """Seconds of one pass over the training rows, by task."""
    dev: Mapping[str, float]
    test: Mapping[str, float]
    load: float
    """Seconds to load a run's model and data."""
    steps: int
    """Number of timed updates."""
    scored: Mapping[str, int]
    """Number of dev and test examples, by task."""
    parameters: int
    """Size of a stored encoder that has the tokens of all tasks, in weights of 4 bytes; one of fewer is smaller."""
    memory_mib: float
    """Peak memory of the process that timed the steps, or of the GPU."""
    attention: str
    """``packed``, or ``padded`` if the encoder does not support packed sequences."""
    device: str
    gpu_share: float | None = None
    """Share of a GPU that one run needs; None on a CPU."""
    gpu: str | None = None
    """Model of the GPU; None on a CPU."""
    probabilities: Mapping[str, int] = field(default_factory=dict)
    """Number of stored probabilities, test examples times classes, by task; a task without classes has none."""

    def seconds(self, spec: RunSpec) -> float:
        """Return the expected seconds of a run, with all its epochs and evaluations."""
        epochs, names = spec.recipe.num_train_epochs, spec.task_names
        partners = (spec.partner[0],) if spec.partner else ()
        training = sum(self.epoch[name] for name in (*names, *partners)) * SHARE_OF_TRAINING.get(spec.variant, 1.0)
        evaluations = epochs if spec.recipe.protocol is None else 1
        return self.load + epochs * training + sum(evaluations * self.dev[name] + self.test[name] for name in names)

    def disk(self, specs: Iterable[RunSpec], keeping: Iterable[RunSpec], *, keep_predictions: bool = True) -> float:
        """Return the bytes on disk of runs' results and stored encoders.

        Runs in ``keeping`` store one encoder per task.
        """
        of_task = {name: _BYTES_OF_COUNTS * n for name, n in self.scored.items()}
        if keep_predictions:
            for name, n in self.scored.items():
                of_task[name] += _BYTES_OF_A_PREDICTION * n + _BYTES_OF_A_PROBABILITY * self.probabilities.get(name, 0)
        of_results = sum(_BYTES_OF_A_RUN + sum(of_task[name] for name in spec.task_names) for spec in specs)
        return of_results + sum(4 * self.parameters * len(spec.task_names) for spec in keeping)
