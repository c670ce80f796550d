"""Make the training set of each run variant (``runs.spec.Variant``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taskaffinity.runs.sampling import draws
from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta


@dataclass(frozen=True)
class TrainingSet:
    """The tasks that a run trains on, by name; only the tasks of the spec are evaluated."""

    metas: Mapping[str, TaskMeta]
    splits: Mapping[str, EncodedSplit]
    detached: frozenset[str] = frozenset()
    """Tasks whose loss reaches only their own head."""
    batches: int | None = None
    """Mini-batches per epoch; None for every row once."""


def training_set_of(
    spec: RunSpec,
    metas: Mapping[str, TaskMeta],
    train: Mapping[str, EncodedSplit],
    partner: EncodedSplit | None = None,
) -> TrainingSet:
    """Return the training set of a run.

    Plain and warm-started runs train only on their tasks. A placebo adds a detached copy of the task. A
    compute-matched run imitates the update count of a pair. The split-half variants train on one half of the task, or
    on both halves as two tasks.

    Parameters
    ----------
    partner : EncodedSplit, optional
        Training split of ``spec.partner``, the partner whose updates a compute-matched run imitates.
    """
    if spec.variant in ("plain", "continued"):
        return TrainingSet(metas, train)
    (name,) = spec.task_names
    extra = f"{name}~{spec.variant}"  # task names contain no tilde
    if spec.variant == "placebo":
        both = {name: train[name], extra: train[name]}
        return TrainingSet({**metas, extra: metas[name]}, both, detached=frozenset({extra}))
    if spec.variant == "matched":
        assert partner is not None
        sizes = {one: split.n_units for one, split in {**train, extra: partner}.items()}
        counts = draws(sizes, spec.recipe.batch_size, spec.recipe.sampling)
        return TrainingSet(metas, train, batches=sum(counts.values()))
    first, second = train[name].split_half(spec.recipe.sample_seed)
    if spec.variant == "half":
        return TrainingSet(metas, {name: first})
    return TrainingSet({**metas, extra: metas[name]}, {name: first, extra: second})
