"""Attention with dropout within each sequence of a packed row, on a GPU.

torch has kernels for sequences of different lengths in one row: FlashAttention for 16-bit states, and memory-efficient
attention for others. The public function ``torch.nn.attention.varlen.varlen_attn`` has no dropout, so the kernels are
called as torch's nested tensors call them. These calls are private to torch. ``packs_exactly`` therefore compares
states and gradients on the GPU before a model uses them.

FlashAttention compares 8 random bits with ``floor(255 (1 - p))``. With ``p = 0.1`` it keeps 230 of 256 weights and
divides by 0.9, so the expected weight is 0.998 times the weight.
"""

# T tokens of the batch, R of them with a query, N heads, D width of a head

from __future__ import annotations

import math

import torch
from torch import Tensor

from taskaffinity.training.packing.layout import Layout


def attend(
    query: Tensor,  # (R, N, D)
    key: Tensor,  # (T, N, D)
    value: Tensor,
    layout: Layout,
    *,
    is_narrow: bool,
    dropout: float,
    scaling: float,
) -> Tensor:
    """``dropout(softmax(q k' * scaling)) v`` of each sequence, ``(R, N, D)``.

    Parameters
    ----------
    is_narrow : bool
        Whether only the tokens in ``layout.read`` have a query; otherwise R is T.
    """
    bounds, longest = (layout.read_bounds, layout.most_read) if is_narrow else (layout.bounds, layout.longest)
    # torch 2.13 cannot trace the backward pass of memory-efficient attention with a scale
    scale = None if math.isclose(scaling, query.shape[-1] ** -0.5) else scaling
    if query.dtype in (torch.float16, torch.bfloat16):
        attended: Tensor = torch.ops.aten._flash_attention_forward(
            query, key, value, bounds, layout.bounds, longest, layout.longest, dropout, False, False, scale=scale
        )[0]
        return attended
    row: Tensor = torch.ops.aten._efficient_attention_forward(
        query[None],
        key[None],
        value[None],
        None,
        bounds,
        layout.bounds,
        longest,
        layout.longest,
        dropout,
        0,  # no causal mask
        torch.is_grad_enabled(),
        scale=scale,
    )[0]
    return row[0]
