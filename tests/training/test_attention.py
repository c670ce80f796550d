"""Attention with dropout, compared with finite differences and with attention without dropout."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from taskaffinity.training.packing.attention import BlockAttention
from taskaffinity.training.packing.layout import layout_of
from taskaffinity.training.packing.packed import packed_attention

SOME = [0, 3, 9, 10, 12, 18, 19, 40]
"""Places in sequences of 2, 8, 9 and 30."""
LENGTHS = ([3], [2, 2, 2], [1, 2, 8, 9, 9], [16, 17, 18], [4, 30])
LONG = ([1, 2, 8, 9, 9], [16, 17, 18], [4, 30])
"""Whose finite differences take seconds."""


@pytest.mark.parametrize(
    ("lengths", "read"),
    [
        *((lengths, None) for lengths in ([3], [2, 2, 2], [1, 2, 8])),
        ([2, 2, 2], [1, 2, 4]),
        *(pytest.param(lengths, None, marks=pytest.mark.slow) for lengths in LONG),
        pytest.param([2, 8, 9, 30], SOME, marks=pytest.mark.slow),
    ],
)
def test_gradients_match_finite_differences(lengths: list[int], read: list[int] | None) -> None:
    """``gradcheck``: with the generator set back, the same masks fall in every call."""
    layout = layout_of(lengths, read)
    blocks = [block if block.bias is None else replace(block, bias=block.bias.double()) for block in layout.blocks]
    query_blocks = blocks if read is None else layout.read_blocks
    n_query_blocks = sum(lengths) if read is None else len(read)
    torch.manual_seed(1)
    states = [
        torch.randn(n, 2, 3, dtype=torch.float64, requires_grad=True)
        for n in (n_query_blocks, sum(lengths), sum(lengths))
    ]

    def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        torch.manual_seed(0)
        attended: Tensor = BlockAttention.apply(query, key, value, query_blocks, blocks, 0.3, 0.7)
        return attended

    assert torch.autograd.gradcheck(attention, states)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_dropout_preserves_the_mean_attention(lengths: list[int]) -> None:
    """The mean over many draws is attention without dropout."""
    torch.manual_seed(0)
    layout = layout_of(lengths)
    query, key, value = torch.randn(3, 1, 2, sum(lengths), 4)  # (1, N, T, D) each

    def attended(dropout: float) -> Tensor:
        return packed_attention(nn.Identity(), query, key, value, None, layout=layout, dropout=dropout)[0]

    n = 1000
    draws = torch.stack([attended(0.3) for _ in range(n)])
    assert float(draws.std(0).max()) > 0.1
    assert bool(((draws.mean(0) - attended(0.0)).abs() < 5 * draws.std(0) / n**0.5 + 1e-6).all())
    torch.testing.assert_close(attended(1e-9), attended(0.0))
