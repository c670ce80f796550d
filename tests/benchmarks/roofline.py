"""How near the machine's limit: the measured peak of matrix multiplication, and the useful work of a training step."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import torch
from transformers import PretrainedConfig

_SHAPES = ((1024, 384, 1536), (1024, 768, 3072), (2048, 2048, 2048))


def matmul_peak(dtype: torch.dtype = torch.float32, device: str = "cpu", *, seconds: float = 0.3) -> float:
    """Best rate over a few shapes, each tried for a while, in FLOP a second."""
    best = 0.0
    for m, k, n in _SHAPES:
        left, right = torch.randn(m, k, dtype=dtype, device=device), torch.randn(k, n, dtype=dtype, device=device)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            began = time.perf_counter()
            product = left @ right
            float(product[0, 0])  # waits for a GPU
            best = max(best, 2 * m * k * n / (time.perf_counter() - began))
    return best


def useful_flops(config: PretrainedConfig, lengths: Iterable[int] | Sequence[int], *, backward: bool = True) -> float:
    """Multiplications and additions of an encoder's layers over real tokens alone: eight H² + four H·I a token for
    the linear layers, four L²·H a sequence for attention, a layer; three times that with backward."""
    width, inner = config.hidden_size, config.intermediate_size
    a_layer = sum((8 * width * width + 4 * width * inner) * n + 4 * n * n * width for n in lengths)
    return float(config.num_hidden_layers * a_layer * (3 if backward else 1))
