"""How near the machine's limit: the measured peak of matrix multiplication, and the useful work of a training step."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from transformers import PretrainedConfig

from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray

_SHAPES = ((1024, 384, 1536), (1024, 768, 3072), (2048, 2048, 2048))
_OF_A_GPU = (8192, 8192, 8192)
"""Of smaller ones it waits more than it works."""


def matmul_peak(dtype: torch.dtype = torch.float32, device: str = "cpu", *, seconds: float = 0.3) -> float:
    """Best rate over a few shapes, each tried for a while, in FLOP a second."""
    best = 0.0
    for m, k, n in _SHAPES if device == "cpu" else (*_SHAPES, _OF_A_GPU):
        left, right = torch.randn(m, k, dtype=dtype, device=device), torch.randn(k, n, dtype=dtype, device=device)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            began = time.perf_counter()
            product = left @ right
            float(product[0, 0])  # waits for a GPU
            best = max(best, 2 * m * k * n / (time.perf_counter() - began))
    return best


def useful_flops(
    config: PretrainedConfig, lengths: Sequence[int], read: Sequence[int] | None = None, *, backward: bool = True
) -> float:
    """Multiplications and additions of an encoder's layers over real tokens alone: eight H² + four H·I a token for
    the linear layers, four L²·H a sequence for attention, a layer; three times that with backward.

    With ``read``, the states of each sequence that its head reads, the last layer counts keys and values of all tokens
    and everything else of these: what is left of it where it is worked out in part.
    """
    width, inner = config.hidden_size, config.intermediate_size

    def a_layer(asking: Sequence[int]) -> int:
        for_all, for_asking = 4 * width * width, 4 * width * width + 4 * width * inner
        pairs = zip(lengths, asking, strict=True)
        return sum(for_all * n + for_asking * m + 4 * m * n * width for n, m in pairs)

    whole = a_layer(lengths)
    last = whole if read is None else a_layer(read)
    return float(((config.num_hidden_layers - 1) * whole + last) * (3 if backward else 1))


def read_of(split: EncodedSplit, rows: IntArray | slice = slice(None)) -> list[int]:
    """How many states of each row its head reads: one of a sequence, or one a word."""
    found = np.diff(split.word_bounds)[rows] if split.is_tagging else np.ones(split.n_rows, dtype=int)[rows]
    return [int(n) for n in found]
