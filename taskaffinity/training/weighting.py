"""Weights of the tasks' losses: given ones, or ones that are learned with the model.

A mini-batch has one task, so its loss is weighted alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

LOG_VARIANCE_RATE = 1e-2
"""Peak learning rate of a log variance. That of an encoder would not move it: 1,000 updates at 5e-5 change it by less
than 0.05."""


class LogVariance(nn.Module):
    """The log variance ``s`` of one task; the loss ``L`` becomes ``(exp(-s) L + s) / 2`` (Kendall et al., 2018).

    Each task has a parameter of its own. So the moments of its optimizer change in its own updates only.
    """

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))

    def forward(self, loss: Tensor) -> Tensor:
        return (0.5 * torch.exp(-self.value) * loss + 0.5 * self.value).sum()


class Weighting(nn.Module):
    """The weight of each task's loss; by default every loss stays as it is.

    Parameters
    ----------
    weights : mapping of float, optional
        Weights by task; tasks that are not named have the weight 1.
    learned : collection of str
        Tasks whose weights are learned.
    """

    def __init__(self, weights: Mapping[str, float] | None = None, learned: Collection[str] = ()) -> None:
        super().__init__()
        self.weights = dict(weights or {})
        self.log_variances = {name: LogVariance() for name in learned}
        self.parts = nn.ModuleList(self.log_variances.values())  # a ModuleDict refuses names such as "v1.0"

    def forward(self, task: str, loss: Tensor) -> Tensor:
        """Return the weighted loss of a task's mini-batch, a scalar."""
        if task in self.log_variances:
            weighted: Tensor = self.log_variances[task](loss)
            return weighted
        return self.weights[task] * loss if task in self.weights else loss

    def learned(self) -> dict[str, float]:
        """Return the log variance of each task whose weight is learned."""
        return {name: float(module.value.detach()) for name, module in self.log_variances.items()}


def log_variances_of(model: nn.Module) -> list[nn.Parameter]:
    """Return the log variances of a model; none if its weights are not learned."""
    return [module.value for module in model.modules() if isinstance(module, LogVariance)]
