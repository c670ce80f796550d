"""Fast dropout on CPUs, from 16 random bits per element.

torch's CPU dropout draws one random number per element, which takes about a sixth of a training step. ``CpuDropout``
draws words of 64 random bits and uses each as four signed 16-bit numbers. An element is dropped if its number is among
the lowest ``p * 65536``, so ``p`` is rounded to a multiple of 1/65536. The scale is the reciprocal of the exact share
of elements that are not dropped, so the expected value does not change. The bits come from torch's generator. On other
devices, torch's dropout is used.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_NUMBERS = 2**16


def dropout(values: Tensor, p: float) -> Tensor:
    """Set each value to 0 with probability ``p``; scale the others to preserve the mean.

    On a CPU, ``p`` is rounded to a multiple of 1/65536.
    """
    if values.device.type != "cpu" or not 0 < p < 1:
        return nn.functional.dropout(values, p)
    return values * dropout_mask(values, p)


def dropout_mask(values: Tensor, p: float) -> Tensor:
    """Return the factors of values on a CPU: 0 with probability ``p``, otherwise the scale."""
    dropped = min(round(p * _NUMBERS), _NUMBERS - 1)
    words = torch.empty(-(-values.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    numbers = words.view(torch.int16)[: values.numel()].view(values.shape)
    # compared in place on 16-bit integers, because a boolean mask would double the time
    return numbers.ge_(dropped - _NUMBERS // 2).to(values.dtype).mul_(_NUMBERS / (_NUMBERS - dropped))


class CpuDropout(nn.Dropout):
    """``nn.Dropout`` with the fast ``dropout`` on CPUs."""

    def forward(self, input: Tensor) -> Tensor:
        return dropout(input, self.p) if self.training else input


def replace_dropout(model: nn.Module) -> None:
    """Replace every ``nn.Dropout`` of a model by a ``CpuDropout``."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, CpuDropout(child.p))
