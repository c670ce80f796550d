"""The optimizer step: gradient clipping, the learning rate schedule, and Adamax or AdamW.

The update is ``p -= lr * (direction + weight_decay * p)``. Both optimizers correct the bias of their moments (the
paper's code does not), and only weight matrices decay. A parameter without a gradient does not change in that step,
neither by momentum nor by decay. Examples are the head of another task, and the pooler in a tagging step. The learning
rate depends on the run's step, not on a tensor's count of updates. The optimizer clips gradients while it reads them,
which saves a pass over memory.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.optim.adamax import Adamax
from taskaffinity.training.weighting import LOG_VARIANCE_RATE, LogVariance, log_variances_of


class Stepper:
    """Clip gradients, update the model and clear the gradients, once per mini-batch."""

    def __init__(self, model: nn.Module, recipe: Recipe, n_steps: int) -> None:
        self.recipe = recipe
        self.n_steps = n_steps
        self.step_number = 0
        decayed = decayed_parameters(model)
        decayed_ids = {id(parameter) for parameter in decayed}
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        learned = {id(parameter) for parameter in log_variances_of(model)}
        groups = [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": [p for p in self.parameters if id(p) not in decayed_ids | learned], "weight_decay": 0.0},
        ]
        faster = LOG_VARIANCE_RATE / recipe.learning_rate
        groups += [{"params": log_variances_of(model), "weight_decay": 0.0, "faster": faster}]
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
            group["lr"] = lr * group.get("faster", 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step_number += counts

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the number of steps, and each parameter's moments and count of updates by number."""
        state = {"steps": torch.tensor(self.step_number)}
        for number, parameter in enumerate(self.parameters):
            for key, value in self.optimizer.state.get(parameter, {}).items():
                state[f"{number}.{key}"] = torch.as_tensor(value)
        return state

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Continue from a state of the same model."""
        self.step_number = int(state["steps"])
        for (number, key), value in numbered(state).items():
            parameter = self.parameters[number]
            counts_in_python = key == "t"  # ``Adamax`` counts in an int, torch in a tensor
            self.optimizer.state[parameter][key] = int(value) if counts_in_python else like(parameter, value)


def learning_rate(recipe: Recipe, step: int, n_steps: int) -> float:
    """Return the learning rate of update ``step`` (from 0).

    It rises linearly to the peak, then falls linearly to 0.
    """
    warmup = max(1, round(recipe.warmup_ratio * n_steps))
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    return recipe.learning_rate * (n_steps - step) / max(1, n_steps - warmup)


def numbered(state: Mapping[str, torch.Tensor]) -> dict[tuple[int, str], torch.Tensor]:
    """Return the tensors of a state with names ``NUMBER.KEY``, by number and key."""
    split = {name: name.partition(".") for name in state}
    return {(int(number), key): state[name] for name, (number, dot, key) in split.items() if dot}


def like(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return a copy of a moment in the optimizer's memory format; a count stays a scalar.

    Raises
    ------
    ValueError
        If the moment belongs to another parameter.
    """
    if value.ndim == 0:
        return value.to(parameter.device, copy=True)
    if value.shape != parameter.shape:
        raise ValueError("moments of another model")
    return torch.zeros_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def decayed_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that decay: all but biases and layer-norm weights.

    A parameter in two places, such as tied embeddings, occurs once.
    """
    decayed = [
        parameter
        for module in model.modules()
        if not isinstance(module, nn.LayerNorm | LogVariance)
        for name, parameter in module.named_parameters(recurse=False)
        if not name.endswith("bias") and parameter.requires_grad
    ]
    return list({id(parameter): parameter for parameter in decayed}.values())
