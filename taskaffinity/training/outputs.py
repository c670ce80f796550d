"""From the outputs of heads to those of examples, to predictions and to probabilities."""

# B sequences, W words of the batch, C classes, E examples that have several rows

from __future__ import annotations

import torch
from torch import Tensor

from taskaffinity.tasks.kinds import TRAITS, Kind
from taskaffinity.tasks.reading import Pool
from taskaffinity.training.inputs.encoded import TaskMeta

EXCLUDED = -1e9
"""Output of what cannot be chosen: its probability is exactly 0, and unlike infinity it has gradients."""


def outputs_of_examples(task: TaskMeta, outputs: Tensor, owners: Tensor, n_examples: int) -> Tensor:
    """Return the outputs of examples that have several rows, ``(B, C)`` -> ``(E, C)``.

    Parameters
    ----------
    owners : (B,) Tensor
        As ``Batch`` has them.
    """
    if task.n_options:
        table = outputs.new_full((n_examples * len(task.outputs),), EXCLUDED)
        return table.index_copy(0, owners.long(), outputs[:, 0]).view(n_examples, -1)
    return pool_windows(outputs, owners, n_examples, task.reading.pool)


def pool_windows(outputs: Tensor, owners: Tensor, n_examples: int, pool: Pool) -> Tensor:
    """Return the mean or maximum over each example's windows, ``(B, C)`` -> ``(E, C)``.

    A matrix assigns rows to examples. Unlike scattered sums, its sums do not depend on the timing of the device.

    Parameters
    ----------
    owners : (B,) Tensor
        Number of each row's example, in [0, E).
    """
    is_owner = torch.arange(n_examples, device=outputs.device)[:, None] == owners  # (E, B)
    if pool == "max":
        return outputs.masked_fill(~is_owner[..., None], -torch.inf).amax(dim=1)
    return (is_owner / is_owner.sum(dim=1, keepdim=True)).to(outputs.dtype) @ outputs


def outputs_to_predictions(kind: Kind, outputs: Tensor) -> Tensor:
    """Return the predictions of outputs.

    They are scores for similarity and regression, ``(B,)``; for multilabel whether each class has a probability above
    0.5, ``(B, C)``; for spans the logits, ``(W, 2)``; otherwise the index of the highest class, ``(B,)``.
    """
    form = TRAITS[kind].label
    if form == "answers":
        return outputs.float()
    if form == "classes":
        return outputs > 0
    return outputs[:, 0].float() if form == "score" else torch.argmax(outputs, dim=-1)


def has_probabilities(kind: Kind) -> bool:
    """Whether each example of this kind has classes or options with probabilities."""
    return TRAITS[kind].label in ("class", "classes", "option")


def outputs_to_probabilities(kind: Kind, outputs: Tensor) -> Tensor | None:
    """Return the probability of each class of each example, ``(B, C)``; None for kinds without such classes.

    Options that an example of ``choice`` does not have get 0.
    """
    if not has_probabilities(kind):
        return None
    several_hold = TRAITS[kind].label == "classes"
    return torch.sigmoid(outputs.float()) if several_hold else torch.softmax(outputs.float(), dim=-1)
