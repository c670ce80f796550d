"""The optimiser step: Adamax or AdamW with decoupled decay, the global warm-up schedule, gradient clipping.

``p -= lr * (direction + weight_decay * p)``, on weights only, both bias-corrected (the paper's code corrects nothing).
What had no gradient in a step is not moved in that step, by momentum or decay either: another task's head, the pooler
in a tagging step. The rate follows the run's own step count, not each tensor's. The gradient is clipped as the
optimiser reads it, so that no pass over memory is spent on writing it.
"""

from __future__ import annotations

import torch
from torch import nn

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.optim.adamax import Adamax


class Stepper:
    """Clips, steps and clears the gradients of a model, one call a mini-batch."""

    def __init__(self, model: nn.Module, recipe: Recipe, n_steps: int) -> None:
        self.recipe = recipe
        self.n_steps = n_steps
        self.step_number = 0
        decayed = decayed_parameters(model)
        chosen = {id(parameter) for parameter in decayed}
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        groups = [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": [p for p in self.parameters if id(p) not in chosen], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        self.optimizer: torch.optim.Optimizer
        if recipe.optimizer == "adamax":
            self.optimizer = Adamax(groups, lr=recipe.learning_rate)
        else:
            self.optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)

    def step(self, *, counts: bool = True) -> None:
        """One update of whatever has a gradient; the schedule moves on where the step ``counts``."""
        rate = learning_rate(self.recipe, self.step_number, self.n_steps)
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        if gradients:
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
            # torch's fused optimisers and our own divide by it as they go; GradScaler hands its scale over like this
            self.optimizer.grad_scale = (norm / self.recipe.max_grad_norm).clamp(min=1.0)  # type: ignore[attr-defined]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
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
    """Weights that decay: all but biases and the weights of layer norms; one that stands in two places (a language
    head's, tied to the embeddings) once."""
    found = [
        parameter
        for module in model.modules()
        if not isinstance(module, nn.LayerNorm)
        for name, parameter in module.named_parameters(recurse=False)
        if not name.endswith("bias") and parameter.requires_grad
    ]
    return list({id(parameter): parameter for parameter in found}.values())
