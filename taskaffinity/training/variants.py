"""What a run trains on: its own tasks, and whatever its variant puts beside them (``runs.spec.Variant``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.inputs.batches import batches_in_an_epoch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta


@dataclass(frozen=True)
class Company:
    """The tasks of a training, by name; only the spec's own are evaluated."""

    metas: Mapping[str, TaskMeta]
    train: Mapping[str, EncodedSplit]
    detached: frozenset[str] = frozenset()
    """Tasks whose loss reaches only their own head."""
    batches: int | None = None
    """Mini-batches an epoch; None for every row once."""


def company_of(
    spec: RunSpec,
    metas: Mapping[str, TaskMeta],
    train: Mapping[str, EncodedSplit],
    partner: EncodedSplit | None = None,
) -> Company:
    """The tasks of a plain or continued run as they are; another variant's task with its company.

    Parameters
    ----------
    partner : EncodedSplit, optional
        Training split of ``spec.partner``: a matched run makes up for its mini-batches.
    """
    if spec.variant in ("plain", "continued"):
        return Company(metas, train)
    (name,) = spec.task_names
    beside = f"{name}~{spec.variant}"  # no task's name holds a tilde
    if spec.variant == "placebo":
        both = {name: train[name], beside: train[name]}
        return Company({**metas, beside: metas[name]}, both, detached=frozenset({beside}))
    if spec.variant == "matched":
        assert partner is not None
        return Company(metas, train, batches=batches_in_an_epoch({**train, beside: partner}, spec.recipe.batch_size))
    first, second = train[name].split_half(spec.recipe.sample_seed)
    if spec.variant == "half":
        return Company(metas, {name: first})
    return Company({**metas, beside: metas[name]}, {name: first, beside: second})
