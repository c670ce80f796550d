"""Dropout from sixteen random bits an element.

torch's CPU dropout draws a whole random number for every element, one at a time: a sixth of a training step.
``CpuDropout`` fills words of 64 random bits, takes a signed 16-bit number of them for each element and keeps the
elements whose number is not among the lowest ``p * 65536``; that turns ``p`` into a multiple of 1/65536, and the scale
is the reciprocal of the share so kept, so the mean is exact, but for what 16 bits round. It draws from torch's
generator, and leaves every device but the CPU to torch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_NUMBERS = 2**16


def dropout(values: Tensor, p: float) -> Tensor:
    """The values, each set to 0 with probability ``p`` (to the next 1/65536), the others scaled to keep the mean."""
    if values.device.type != "cpu" or not 0 < p < 1:
        return nn.functional.dropout(values, p)
    return values * kept(values, p)


def kept(values: Tensor, p: float) -> Tensor:
    """A mask for values on a CPU: 0 with probability ``p``, else the scale."""
    dropped = min(round(p * _NUMBERS), _NUMBERS - 1)
    words = torch.empty(-(-values.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    numbers = words.view(torch.int16)[: values.numel()].view(values.shape)
    # in place on 16-bit numbers: a mask of bools would cost as much as all the rest
    return numbers.ge_(dropped - _NUMBERS // 2).to(values.dtype).mul_(_NUMBERS / (_NUMBERS - dropped))


class CpuDropout(nn.Dropout):
    """``nn.Dropout`` by ``dropout``."""

    def forward(self, input: Tensor) -> Tensor:
        return dropout(input, self.p) if self.training else input


def replace_dropout(model: nn.Module) -> None:
    """Put a ``CpuDropout`` in the place of every ``nn.Dropout`` of a model."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, CpuDropout(child.p))
