"""Adamax with decoupled weight decay, in one pass over memory.

With a tensor's own count of updates ``t`` (from 1) and its gradient ``g`` divided by ``grad_scale``::

    m = .9 m + .1 g
    u = max(.999 u, |g| + 1e-8)
    p = p - rate * (m / (1 - .9^t) / u + decay * p)

(Kingma & Ba 2015, section 7.1, as ``torch.optim.Adamax`` has it, but that one adds ``decay * p`` to the gradient.) On a
CPU the step is bound by memory, so that all of it is done to a cacheful of elements before the next is read; that, and
leaving the clipped gradient unwritten, takes a third off torch's. On a GPU it is a few kernels over all tensors.
"""

# t updates of a tensor, m and u its moments, p its values, g its gradient

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

_IN_CACHE = 2**15
"""Elements at a time: with gradient, moments and values half a megabyte."""


class Adamax(torch.optim.Optimizer):
    """The formulas above.

    Parameters
    ----------
    groups : iterable of dict
        With ``params``, and ``weight_decay`` where it is not 0.
    lr : float
        The rate; a group's ``lr`` may be set anew before each step.
    """

    grad_scale: Tensor | None = None
    """What gradients are divided by, as torch's fused optimisers take it; None for 1."""

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0, "betas": (0.9, 0.999), "eps": 1e-8})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move whatever has a gradient."""
        for group in self.param_groups:
            by_count: dict[int, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state[parameter]
                    if not state:
                        state |= {"t": 0, "m": torch.zeros_like(parameter), "u": torch.zeros_like(parameter)}
                    state["t"] += 1
                    by_count[state["t"]].append(parameter)
            for t, moved in by_count.items():
                rate, decay = group["lr"] / (1 - group["betas"][0] ** t), group["lr"] * group["weight_decay"]
                tensors = Moved(
                    moved,
                    [parameter.grad.contiguous() for parameter in moved if parameter.grad is not None],
                    [self.state[parameter]["m"] for parameter in moved],
                    [self.state[parameter]["u"] for parameter in moved],
                )
                move = move_in_cache if moved[0].device.type == "cpu" else move_at_once
                move(tensors, self.grad_scale, rate, decay, group["betas"], group["eps"])


class Moved(NamedTuple):
    """What a step reads and writes, a tensor each of as many parameters."""

    values: list[Tensor]
    gradients: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]


def move_in_cache(
    moved: Moved, grad_scale: Tensor | None, rate: float, decay: float, betas: tuple[float, float], epsilon: float
) -> None:
    """A cacheful of elements after the other; ``rate`` is bias-corrected, ``decay`` the share of ``p`` to be lost."""
    share = 1.0 if grad_scale is None else 1 / float(grad_scale)  # on a CPU reading it waits for nothing
    room, floor = moved.values[0].new_empty(_IN_CACHE), moved.values[0].new_tensor(epsilon)
    for tensors in zip(*moved, strict=True):
        for p, g, m, u in zip(*(tensor.view(-1).split(_IN_CACHE) for tensor in tensors), strict=True):
            m.mul_(betas[0]).add_(g, alpha=(1 - betas[0]) * share)
            size = torch.abs(g, out=room[: len(g)])
            torch.maximum(u.mul_(betas[1]), torch.add(floor, size, alpha=share, out=size), out=u)
            if decay:
                p.mul_(1 - decay)
            p.addcdiv_(m, u, value=-rate)


def move_at_once(
    moved: Moved, grad_scale: Tensor | None, rate: float, decay: float, betas: tuple[float, float], epsilon: float
) -> None:
    """The same in a few operations over all tensors."""
    values, gradients, first, second = moved
    if grad_scale is not None:
        gradients = list(torch._foreach_div(gradients, grad_scale))
    torch._foreach_lerp_(first, gradients, 1 - betas[0])
    sizes = torch._foreach_abs(gradients)
    torch._foreach_add_(sizes, epsilon)
    torch._foreach_mul_(second, betas[1])
    torch._foreach_maximum_(second, sizes)
    if decay:
        torch._foreach_mul_(values, 1 - decay)
    torch._foreach_addcdiv_(values, first, second, -rate)
