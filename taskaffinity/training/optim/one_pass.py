"""The optimizer step on a GPU: Adamax or AdamW in one pass over flat buffers.

The values and moments of all parameters lie in flat buffers in fp32, and parameters are views into them. A step
computes the norm of the gradients. Then it updates each run of neighbouring parameters in one pointwise pass, which
also clips, decays and rounds. The formulas are those of ``optimizer.Stepper`` for CPUs; last digits differ.

If the model multiplies in bf16, the weights and biases of its linear layers are bf16 copies of their values. Autocast
rounds them in the same way in each step, so products and gradients are the same bit for bit.
"""

# p values, g gradient, m and u (v) first and second moment of a run of parameters

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.optim.compiled import compiled
from taskaffinity.training.optim.optimizer import decayed_parameters, learning_rate, numbered
from taskaffinity.training.packing.layout import sent
from taskaffinity.training.weighting import LOG_VARIANCE_RATE, log_variances_of

_ALIGNED = 64
"""A parameter starts at a multiple of this number of elements in a buffer. Kernels need multiples of 16 bytes."""
_FIRST, _SECOND, _EPSILON = 0.9, 0.999, 1e-8
RATES = 3
"""Number of rates of a run in a step: step size, share of decay, and a factor of the second moment's root."""

Update = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], None]


def adamax_update(p: Tensor, g: Tensor, m: Tensor, u: Tensor, rates: Tensor, share: Tensor) -> None:
    """Adamax in place; ``share`` is the factor that clips the gradient."""
    g = g.float() * share
    m.copy_(_FIRST * m + (1 - _FIRST) * g)
    u.copy_(torch.maximum(_SECOND * u, g.abs() + _EPSILON))
    p.copy_(p * (1 - rates[1]) - rates[0] * (m / u))


def adamw_update(p: Tensor, g: Tensor, m: Tensor, v: Tensor, rates: Tensor, share: Tensor) -> None:
    """AdamW in place; ``share`` is the factor that clips the gradient."""
    g = g.float() * share
    m.copy_(_FIRST * m + (1 - _FIRST) * g)
    v.copy_(_SECOND * v + (1 - _SECOND) * g * g)
    p.copy_(p * (1 - rates[1]) - rates[0] * (m / (v.sqrt() * rates[2] + _EPSILON)))


UPDATES: Mapping[str, Update] = {"adamax": adamax_update, "adamw": adamw_update}


@dataclass(frozen=True)
class Run:
    """Parameters that are neighbours in the buffers and are updated at once."""

    numbers: tuple[int, ...]
    """Numbers of the parameters, in the order of the buffers."""
    place: slice
    """Place in the buffers of values and moments."""
    half: slice | None
    """Place in the buffer of bf16 copies; None if the parameters are in fp32."""
    decay: float


class OnePassStepper:
    """The interface of ``optimizer.Stepper``, for a model on one device."""

    def __init__(self, model: nn.Module, recipe: Recipe, n_steps: int) -> None:
        self.recipe, self.n_steps, self.step_number = recipe, n_steps, 0
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.parameters = list(named.values())
        self.counts = [0] * len(self.parameters)
        halves = _linear_weights(model) if getattr(model, "precision", None) == "bf16" else set()
        self._halves = [id(p) in halves for p in self.parameters]
        decayed = {id(p) for p in decayed_parameters(model)}
        self._decays = [recipe.weight_decay if id(p) in decayed else 0.0 for p in self.parameters]
        self.owners = [_owner(name) for name in named]
        learned = {id(p) for p in log_variances_of(model)}
        faster = LOG_VARIANCE_RATE / recipe.learning_rate
        self._faster = [faster if id(p) in learned else 1.0 for p in self.parameters]
        self._order = sorted(range(len(named)), key=lambda i: (self._decays[i], self._halves[i], i))
        self._lay_out()
        if halves:
            masters = {id(p): self._view(self.values, i) for i, p in enumerate(self.parameters) if self._halves[i]}
            every = model.named_parameters(remove_duplicate=False)
            model.masters = {name: masters[id(p)] for name, p in every if id(p) in masters}  # type: ignore[assignment]
        self._update = compiled(UPDATES[recipe.optimizer], self.values.device)

    def step(self, *, counts: bool = True) -> None:
        """Update every parameter that has a gradient.

        Parameters
        ----------
        counts : bool
            Whether the learning rate schedule advances.
        """
        if runs := self.runs():
            rates = torch.tensor(self.advance(runs, counts=counts))
            self.apply(runs, sent(rates, self.values.device.type))
        else:
            self.step_number += counts

    def runs(self) -> list[Run]:
        """Return the runs of the parameters that have a gradient now.

        A run has one owner and one count of updates.
        """
        found: list[list[int]] = []
        previous = None
        for i in self._order:
            if self.parameters[i].grad is None:
                continue
            kind = (self._decays[i], self._halves[i], self.owners[i], self.counts[i])
            if previous == (kind, self._places[i].start):
                found[-1].append(i)
            else:
                found.append([i])
            previous = (kind, self._places[i].stop)
        return [self._run(numbers) for numbers in found]

    def is_uniform(self, runs: Sequence[Run]) -> bool:
        """Return whether all parameters of a run have one count of updates, as ``advance`` expects."""
        return all(len({self.counts[i] for i in run.numbers}) == 1 for run in runs)

    def advance(self, runs: Sequence[Run], *, counts: bool = True) -> list[list[float]]:
        """Count a step of these runs, and return the rates of each for ``apply``."""
        of_step, rates = learning_rate(self.recipe, self.step_number, self.n_steps), []
        for run in runs:
            lr = of_step * self._faster[run.numbers[0]]
            t = self.counts[run.numbers[0]] + 1
            for i in run.numbers:
                self.counts[i] = t
            rates.append([lr / (1 - _FIRST**t), lr * run.decay, 1 / math.sqrt(1 - _SECOND**t)])
        self.step_number += counts
        return rates

    @torch.no_grad()
    def apply(self, runs: Sequence[Run], rates: Tensor) -> Tensor:
        """Update the parameters of these runs and clear all gradients, without waiting for a GPU.

        Parameters
        ----------
        rates : (n_runs, RATES) Tensor
            On the device.

        Returns
        -------
        Tensor
            The norm of the gradients, a scalar.
        """
        flat = [self._gradient(run) for run in runs]
        norms = torch.stack([torch.linalg.vector_norm(g, dtype=torch.float32) for g in flat])
        norm: Tensor = torch.linalg.vector_norm(norms)
        share = 1 / (norm / self.recipe.max_grad_norm).clamp(min=1.0)
        for run, g, row in zip(runs, flat, rates, strict=True):
            values = self.values[run.place]
            self._update(values, g, self.first[run.place], self.second[run.place], row, share)
            if run.half is not None:
                self.half_values[run.half].copy_(values)
        for parameter in self.parameters:
            parameter.grad = None
        return norm

    def state_dict(self) -> dict[str, Tensor]:
        """Return the number of steps, and each parameter's moments, count and fp32 values by number."""
        state = {"steps": torch.tensor(self.step_number)}
        for i, count in enumerate(self.counts):
            if count:
                state[f"{i}.t"] = torch.tensor(count)
                state |= {f"{i}.{key}": self._view(buffer, i) for key, buffer in self._buffers(i).items()}
        return state

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a state; the parameters are those of the same model.

        Raises
        ------
        ValueError
            If the state belongs to another model.
        """
        self.step_number = int(state["steps"])
        for (i, key), value in numbered(state).items():
            if key == "t":
                self.counts[i] = int(value)
                continue
            if value.shape != self.parameters[i].shape:
                raise ValueError("moments of another model")
            self._view(self._buffers(i)[key], i).copy_(value)
            if key == "values":
                self.parameters[i].copy_(value)

    @torch.no_grad()
    def round_again(self) -> None:
        """Round the bf16 weights after their fp32 values were set."""
        for i, parameter in enumerate(self.parameters):
            if self._halves[i]:
                parameter.copy_(self._view(self.values, i))

    def _lay_out(self) -> None:
        """Move the parameters into the buffers."""
        size, half_size, device = 0, 0, self.parameters[0].device
        self._places, self._half_places = ([slice(0, 0)] * len(self.parameters) for _ in range(2))
        for i in self._order:
            n = self.parameters[i].numel()
            self._places[i], size = slice(size, size + n), -(-(size + n) // _ALIGNED) * _ALIGNED
            if self._halves[i]:
                self._half_places[i] = slice(half_size, half_size + n)
                half_size = -(-(half_size + n) // _ALIGNED) * _ALIGNED
        self.values, self.first, self.second = (torch.zeros(size, device=device) for _ in range(3))
        self.half_values = torch.zeros(half_size, device=device, dtype=torch.bfloat16)
        for i, parameter in enumerate(self.parameters):
            values = self._view(self.values, i).copy_(parameter.detach())
            if self._halves[i]:
                values = self.half_values[self._half_places[i]].view_as(parameter).copy_(values)
            parameter.data = values

    def _view(self, buffer: Tensor, i: int) -> Tensor:
        return buffer[self._places[i]].view_as(self.parameters[i])

    def _buffers(self, i: int) -> dict[str, Tensor]:
        of_half = {"values": self.values} if self._halves[i] else {}
        return {"first": self.first, "second": self.second, **of_half}

    def _run(self, numbers: Sequence[int]) -> Run:
        first, last = numbers[0], numbers[-1]
        half = slice(self._half_places[first].start, self._half_places[last].stop) if self._halves[first] else None
        place = slice(self._places[first].start, self._places[last].stop)
        return Run(tuple(numbers), place, half, self._decays[first])

    def _gradient(self, run: Run) -> Tensor:
        """Return the gradient of a run as one vector."""
        parts: list[Any] = [self.parameters[i].grad for i in run.numbers]
        return torch.cat([part.reshape(-1) for part in parts]) if len(parts) > 1 else parts[0].reshape(-1)


def _owner(name: str) -> str:
    """Return the part of a model with this parameter: encoder, pooler, or one head."""
    first, _, rest = name.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if first == "parts" else first


def _linear_weights(model: nn.Module) -> set[int]:
    """Return the ids of parameters that only linear layers have."""
    of_linear: set[int] = set()
    of_others: set[int] = set()
    for module in model.modules():
        (of_linear if type(module) is nn.Linear else of_others).update(map(id, module.parameters(recurse=False)))
    return of_linear - of_others


def full_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the state of a model with all weights in fp32."""
    return {**model.state_dict(), **getattr(model, "masters", {})}


def leave_bf16(model: nn.Module) -> None:
    """Convert a model's bf16 weights to fp32. The optimizer cannot continue after that."""
    masters = getattr(model, "masters", {})
    for name, values in masters.items():
        model.get_parameter(name).data = values
    if masters:
        model.masters = {}  # type: ignore[assignment]
