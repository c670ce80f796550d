"""Adamax with decoupled weight decay, in one pass over memory.

For a tensor's update ``t`` (from 1) and its gradient ``g`` divided by ``grad_scale``::

    m = .9 m + .1 g
    u = max(.999 u, |g| + 1e-8)
    p = p - lr * (m / (1 - .9^t) / u + decay * p)

This is Kingma & Ba (2015), section 7.1. ``torch.optim.Adamax`` differs in one point: it adds ``decay * p`` to the
gradient. On a CPU, memory bandwidth limits the step, so each chunk that fits in the cache is updated completely before
the next one is read. On a GPU, the step is a few kernels over all tensors.
"""

# t number of updates of a tensor, m and u its moments, p its values, g its gradient

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

_CHUNK = 2**15
"""Elements per chunk; gradient, moments and values take half a megabyte."""


class Adamax(torch.optim.Optimizer):
    """Adamax as in the formulas above.

    Parameters
    ----------
    groups : iterable of dict
        Parameter groups with ``params``, and ``weight_decay`` if it is not 0.
    lr : float
        The learning rate. The ``lr`` of a group may change before each step.
    """

    grad_scale: Tensor | None = None
    """Divisor of the gradients, with the same name as in torch's fused optimizers; None for 1."""

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0, "betas": (0.9, 0.999), "eps": 1e-8})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            by_count: dict[int, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state[parameter]
                    if not state:
                        state |= {"t": 0, "m": torch.zeros_like(parameter), "u": torch.zeros_like(parameter)}
                    state["t"] += 1
                    by_count[state["t"]].append(parameter)
            for t, parameters in by_count.items():
                step_size, decay = group["lr"] / (1 - group["betas"][0] ** t), group["lr"] * group["weight_decay"]
                tensors = StepTensors(
                    parameters,
                    [parameter.grad.contiguous() for parameter in parameters if parameter.grad is not None],
                    [self.state[parameter]["m"] for parameter in parameters],
                    [self.state[parameter]["u"] for parameter in parameters],
                )
                update = update_in_chunks if parameters[0].device.type == "cpu" else update_at_once
                update(tensors, self.grad_scale, step_size, decay, group["betas"], group["eps"])


class StepTensors(NamedTuple):
    """The tensors of one step; the four lists have one tensor per parameter."""

    values: list[Tensor]
    gradients: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]


def update_in_chunks(
    tensors: StepTensors,
    grad_scale: Tensor | None,
    step_size: float,
    decay: float,
    betas: tuple[float, float],
    epsilon: float,
) -> None:
    """Update the tensors chunk by chunk.

    Parameters
    ----------
    step_size : float
        The learning rate with bias correction.
    decay : float
        Share by which ``p`` shrinks.
    """
    share = 1.0 if grad_scale is None else 1 / float(grad_scale)
    room, floor = tensors.values[0].new_empty(_CHUNK), tensors.values[0].new_tensor(epsilon)
    for of_parameter in zip(*tensors, strict=True):
        for p, g, m, u in zip(*(tensor.view(-1).split(_CHUNK) for tensor in of_parameter), strict=True):
            m.mul_(betas[0]).add_(g, alpha=(1 - betas[0]) * share)
            size = torch.abs(g, out=room[: len(g)])
            torch.maximum(u.mul_(betas[1]), torch.add(floor, size, alpha=share, out=size), out=u)
            if decay:
                p.mul_(1 - decay)
            p.addcdiv_(m, u, value=-step_size)


def update_at_once(
    tensors: StepTensors,
    grad_scale: Tensor | None,
    step_size: float,
    decay: float,
    betas: tuple[float, float],
    epsilon: float,
) -> None:
    """Update the tensors as ``update_in_chunks`` does, in a few operations over all of them."""
    values, gradients, first, second = tensors
    if grad_scale is not None:
        gradients = list(torch._foreach_div(gradients, grad_scale))
    torch._foreach_lerp_(first, gradients, 1 - betas[0])
    sizes = torch._foreach_abs(gradients)
    torch._foreach_add_(sizes, epsilon)
    torch._foreach_mul_(second, betas[1])
    torch._foreach_maximum_(second, sizes)
    if decay:
        torch._foreach_mul_(values, 1 - decay)
    torch._foreach_addcdiv_(values, first, second, -step_size)
