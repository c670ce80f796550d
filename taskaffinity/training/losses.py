"""The loss of classes with weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from taskaffinity.runs.weights import BALANCED, ONE_CLASS, OfClasses, class_weights
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.inputs.feed import IGNORED


def class_loss(outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean cross-entropy of targets, each times the weight of its class.

    The mean is over targets, not over weights: that of torch depends on the classes that a mini-batch happens to have,
    so its expectation is not the loss of the weighted training set.

    Parameters
    ----------
    outputs : (R, C) Tensor
    targets : (R,) Tensor
        Classes, or ``IGNORED``.
    weights : (C,) Tensor, optional
        Weights of the classes. Default: 1.
    """
    if weights is None:
        return nn.functional.cross_entropy(outputs, targets)
    total = nn.functional.cross_entropy(outputs, targets, weight=weights, reduction="sum")
    return total / (targets != IGNORED).sum()


def weights_of_classes(text: str | None, task: TaskMeta, split: EncodedSplit) -> Tensor | None:
    """Return the weights of a task's classes, with a mean of 1 over the training targets; None if all are 1.

    Parameters
    ----------
    text : str, optional
        The setting ``class_weights``.

    Returns
    -------
    (C,) Tensor or None
    """
    found = class_weights(text)
    by_default: OfClasses | None = BALANCED if task.kind in ONE_CLASS else None
    of_task = found.get(task.name) if isinstance(found, Mapping) else by_default
    if of_task is None:
        return None
    counts = np.bincount(split.targets, minlength=len(task.outputs)).astype(np.float64)
    if isinstance(of_task, Mapping):
        weights = np.array([of_task.get(name, 1.0) for name in task.outputs])
    else:
        weights = 1 / np.maximum(counts, 1)
    weights *= counts.sum() / (weights @ counts)
    return torch.from_numpy(weights.astype(np.float32))
