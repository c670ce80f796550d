"""How fast a machine trains a study's tasks, from a few real steps, and what that comes to for its runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from taskaffinity.runs.spec import RunSpec, Variant

SHARE_OF_TRAINING: dict[Variant, float] = {"placebo": 1.4, "half": 0.5}
"""What a variant's epochs take, of those of its task alone: a placebo's second half has no backward."""

_BYTES_OF_A_RUN, _BYTES_OF_AN_EXAMPLE = 6_000, 20
"""Of spec, history and result, and of counts and a prediction, as they are on disk."""


@dataclass(frozen=True)
class CostModel:
    """Seconds by task, of one run by itself on this machine."""

    epoch: Mapping[str, float]
    """A pass over the training rows."""
    dev: Mapping[str, float]
    test: Mapping[str, float]
    load: float
    """To make a run ready."""
    steps: int
    """Updates that were timed."""
    scored: Mapping[str, int]
    """Examples of dev and test."""
    parameters: int
    """Of the encoder, as it would be kept."""
    memory_mib: float
    """Peak of the process that tried it, its largest mini-batches included; on a GPU, of that one's memory."""
    attention: str
    """``packed``, or ``padded`` where the encoder's own attention does not take sequences without padding."""
    device: str
    gpu_share: float | None = None
    """What a run needs of one of this machine's GPUs; None on a CPU."""

    def seconds(self, spec: RunSpec) -> float:
        """Of a run with all its epochs and evaluations."""
        epochs, names = spec.recipe.num_train_epochs, spec.task_names
        company = (spec.partner[0],) if spec.partner else ()
        training = sum(self.epoch[name] for name in (*names, *company)) * SHARE_OF_TRAINING.get(spec.variant, 1.0)
        looks = epochs if spec.recipe.protocol is None else 1
        return self.load + epochs * training + sum(looks * self.dev[name] + self.test[name] for name in names)

    def disk(self, specs: Iterable[RunSpec], keeping: Iterable[RunSpec]) -> float:
        """Bytes that the results of runs take, with an encoder for each task of those that are ``keeping`` theirs."""
        of_results = sum(
            _BYTES_OF_A_RUN + _BYTES_OF_AN_EXAMPLE * sum(self.scored[name] for name in spec.task_names)
            for spec in specs
        )
        return of_results + sum(4 * self.parameters * len(spec.task_names) for spec in keeping)
