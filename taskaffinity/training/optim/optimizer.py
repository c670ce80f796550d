"""The optimizer step: gradient clipping, the learning rate schedule, and Adamax or AdamW.

The update is ``p -= lr * (direction + weight_decay * p)``. Both optimizers correct the bias of their moments (the
paper's code does not), and only weight matrices decay. A parameter without a gradient does not change in that step,
neither by momentum nor by decay. Examples are the head of another task, and the pooler in a tagging step. The learning
rate depends on the run's step, not on a tensor's count of updates. The optimizer clips gradients while it reads them,
which saves a pass over memory.
"""

from __future__ import annotations

import torch
from torch import nn

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.optim.adamax import Adamax


class Stepper:
    """Clip gradients, update the model and clear the gradients, once per mini-batch."""

    def __init__(self, model: nn.Module, recipe: Recipe, n_steps: int) -> None:
        self.recipe = recipe
        self.n_steps = n_steps
        self.step_number = 0
        decayed = decayed_parameters(model)
        decayed_ids = {id(parameter) for parameter in decayed}
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        groups = [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": [p for p in self.parameters if id(p) not in decayed_ids], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        self.optimizer: torch.optim.Optimizer
        if recipe.optimizer == "adamax":
            self.optimizer = Adamax(groups, lr=recipe.learning_rate)
        else:
            self.optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)

    def step(self, *, counts: bool = True) -> None:
        """Update every parameter that has a gradient.

        Parameters
        ----------
        counts : bool
            Whether the learning rate schedule advances.
        """
        lr = learning_rate(self.recipe, self.step_number, self.n_steps)
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        if gradients:
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
            # torch's fused optimizers and ``Adamax`` divide by this attribute, which GradScaler also uses
            self.optimizer.grad_scale = (norm / self.recipe.max_grad_norm).clamp(min=1.0)  # type: ignore[attr-defined]
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step_number += counts


def learning_rate(recipe: Recipe, step: int, n_steps: int) -> float:
    """The learning rate of update ``step`` (from 0): linear warm-up to the peak, then linear decay to 0."""
    warmup = max(1, round(recipe.warmup_ratio * n_steps))
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    return recipe.learning_rate * (n_steps - step) / max(1, n_steps - warmup)


def decayed_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Parameters that decay: all but biases and layer-norm weights.

    A parameter in two places, such as tied embeddings, occurs once.
    """
    decayed = [
        parameter
        for module in model.modules()
        if not isinstance(module, nn.LayerNorm)
        for name, parameter in module.named_parameters(recurse=False)
        if not name.endswith("bias") and parameter.requires_grad
    ]
    return list({id(parameter): parameter for parameter in decayed}.values())
