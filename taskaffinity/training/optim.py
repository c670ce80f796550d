"""The optimiser step: Adamax or AdamW with decoupled decay, the global warm-up schedule, gradient clipping.

``torch.optim.Adamax`` adds ``weight_decay * p`` to the gradient (coupled). Here decay is decoupled, as in AdamW and in
the paper's code: ``p -= lr * (adamax_direction + weight_decay * p)``, on weights only, with Adamax bias-corrected (the
paper's code corrects nothing). What had no gradient in a step is not moved in that step, by momentum or decay either:
another task's head, the pooler in a tagging step. The rate follows the run's own step count, not each tensor's.
"""

from __future__ import annotations

import torch
from torch import nn

from taskaffinity.runs.spec import Recipe


class Stepper:
    """Clips, steps and clears the gradients of a model, one call a mini-batch."""

    def __init__(self, model: nn.Module, recipe: Recipe, n_steps: int) -> None:
        self.recipe = recipe
        self.n_steps = n_steps
        self.step_number = 0
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.decayed = decayed_parameters(model)
        self.optimizer: torch.optim.Optimizer
        if recipe.optimizer == "adamax":
            self.optimizer = torch.optim.Adamax(self.parameters, lr=recipe.learning_rate)
        else:
            self.optimizer = torch.optim.AdamW(self.parameters, lr=recipe.learning_rate, weight_decay=0.0, fused=True)

    def step(self, *, counts: bool = True) -> None:
        """One update of whatever has a gradient; the schedule moves on where the step ``counts``."""
        rate = learning_rate(self.recipe, self.step_number, self.n_steps)
        nn.utils.clip_grad_norm_(self.parameters, self.recipe.max_grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.no_grad():
            moving: list[torch.Tensor] = [p for p in self.decayed if p.grad is not None]
            if moving and self.recipe.weight_decay:
                torch._foreach_mul_(moving, 1 - rate * self.recipe.weight_decay)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step_number += counts


def learning_rate(recipe: Recipe, step: int, n_steps: int) -> float:
    """The rate of update ``step`` (from 0): a line from 0 up to the peak, then a line down to 0 after the last."""
    warmup = max(1, round(recipe.warmup_ratio * n_steps))
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    return recipe.learning_rate * (n_steps - step) / max(1, n_steps - warmup)


def decayed_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Weights that decay: all but biases and the weights of layer norms."""
    return [
        parameter
        for module in model.modules()
        if not isinstance(module, nn.LayerNorm)
        for name, parameter in module.named_parameters(recurse=False)
        if not name.endswith("bias") and parameter.requires_grad
    ]
