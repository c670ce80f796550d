"""The optimizer of the paper's released code, for ``protocol: paper``.

It follows ``bert_optim.py`` of that code and BertAdam of pytorch-pretrained-bert 0.6.0. For a tensor's update ``s``
(from 0), with ``x = s / n_steps`` and the warm-up ratio ``w``::

    lr = peak * (x / w if x < w else 1 - x)             # drops by a share of w at the end of warm-up
    m = .9 m + .1 g
    adamw:   d = m / (sqrt(v) + 1e-6), v = .999 v + .001 g^2
    adamax:  d = m / (u + 1e-6),       u = max(.999 u, |g| + 1e-6)
    p -= lr * (d + decay * p)                            # no bias correction

The gradient is first clipped to a global norm. After its first gradient, a tensor is updated in every step, with a zero
gradient if it has none, because torch 1.1 kept zero gradients. An idle head therefore changes by momentum and weight
decay, and its count of updates increases.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.optim.optimizer import decayed_parameters, like, numbered

_EPSILON = 1e-6


class BertAdamStepper:
    """The interface of ``optimizer.Stepper`` with the update above."""

    def __init__(self, model: nn.Module, recipe: Recipe, n_steps: int) -> None:
        self.recipe = recipe
        self.n_steps = n_steps
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.decay = {id(p): recipe.weight_decay for p in decayed_parameters(model)}
        self.steps: dict[int, int] = {}
        self.first: dict[int, Tensor] = {}
        self.second: dict[int, Tensor] = {}

    def step(self, *, counts: bool = True) -> None:
        """Update every parameter that has, or once had, a gradient.

        Raises
        ------
        ValueError
            If ``counts`` is False, because the released code has no such option.
        """
        if not counts:
            raise ValueError("counts=False: the paper's optimizer counts every step")
        nn.utils.clip_grad_norm_(self.parameters, self.recipe.max_grad_norm)
        by_count: dict[int, list[nn.Parameter]] = defaultdict(list)
        for parameter in self.parameters:
            if id(parameter) not in self.steps:
                if parameter.grad is None:
                    continue
                self.steps[id(parameter)] = 0
                self.first[id(parameter)] = torch.zeros_like(parameter)
                self.second[id(parameter)] = torch.zeros_like(parameter)
            elif parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            by_count[self.steps[id(parameter)]].append(parameter)
        for count, parameters in by_count.items():
            self._update(parameters, bert_adam_learning_rate(self.recipe, count, self.n_steps))
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """Return each parameter's moments and count of updates, by the parameter's number."""
        state: dict[str, Tensor] = {}
        for number, parameter in enumerate(self.parameters):
            if (count := self.steps.get(id(parameter))) is not None:
                state[f"{number}.steps"] = torch.tensor(count)
                state[f"{number}.first"] = self.first[id(parameter)]
                state[f"{number}.second"] = self.second[id(parameter)]
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a state of the same model."""
        for (number, key), value in numbered(state).items():
            parameter = self.parameters[number]
            if key == "steps":
                self.steps[id(parameter)] = int(value)
            else:
                (self.first if key == "first" else self.second)[id(parameter)] = like(parameter, value)

    @torch.no_grad()
    def _update(self, parameters: list[nn.Parameter], lr: float) -> None:
        for parameter in parameters:
            first, second, gradient = self.first[id(parameter)], self.second[id(parameter)], parameter.grad
            assert gradient is not None
            first.mul_(0.9).add_(gradient, alpha=0.1)
            if self.recipe.optimizer == "adamax":
                torch.maximum(second.mul_(0.999), gradient.abs().add_(_EPSILON), out=second)
                direction = first / (second + _EPSILON)
            else:
                second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
                direction = first / second.sqrt().add_(_EPSILON)
            if decay := self.decay.get(id(parameter)):
                direction.add_(parameter, alpha=decay)
            parameter.sub_(direction, alpha=lr)
            self.steps[id(parameter)] += 1


def bert_adam_learning_rate(recipe: Recipe, step: int, n_steps: int) -> float:
    """Return the learning rate of a tensor's update ``step`` (from 0)."""
    done = step / n_steps
    return recipe.learning_rate * (done / recipe.warmup_ratio if done < recipe.warmup_ratio else 1 - done)
