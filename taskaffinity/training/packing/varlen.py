"""Attention with dropout within each sequence of a packed row, on a GPU.

torch has kernels for sequences of different lengths in one row: FlashAttention for 16-bit states, and memory-efficient
attention for others. The public function ``torch.nn.attention.varlen.varlen_attn`` has no dropout, so the kernels are
called as torch's nested tensors call them. These calls are private to torch. ``packs_exactly`` therefore compares
states and gradients on the GPU before a model uses them.

The gradients of keys come in blocks, and a GPU adds those of several blocks to a query as they come. So where there may
be several blocks, the backward pass runs in torch's deterministic mode; otherwise a run would give other last digits
each time. The whole step does not, because the mode also replaces kernels that are repeatable.

FlashAttention compares 8 random bits with ``floor(255 (1 - p))``. With ``p = 0.1`` it keeps 230 of 256 weights and
divides by 0.9, so the expected weight is 0.998 times the weight.
"""

# T tokens of the batch, R of them with a query, N heads, D width of a head

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from taskaffinity.training.packing.layout import Layout

_BLOCK, _WIDTH = 128, 64
"""FlashAttention's block of keys, up to this width of a head; wider heads have smaller blocks."""


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
    is_16_bit = query.dtype in (torch.float16, torch.bfloat16)
    is_one_block = is_16_bit and layout.longest <= _BLOCK and query.shape[-1] <= _WIDTH

    def kernel(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        call = _flash if is_16_bit else _efficient
        return call(query, key, value, layout, is_narrow=is_narrow, dropout=dropout, scaling=scaling)

    if is_one_block or not (torch.is_grad_enabled() and query.requires_grad):
        return kernel(query, key, value)
    attended: Tensor = _Repeatable.apply(kernel, query, key, value)  # type: ignore[no-untyped-call]
    return attended


def _flash(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, *, is_narrow: bool, dropout: float, scaling: float
) -> Tensor:
    bounds, longest = _of_queries(layout, is_narrow)
    scale = _scale(query, scaling)
    attended: Tensor = torch.ops.aten._flash_attention_forward(
        query, key, value, bounds, layout.bounds, longest, layout.longest, dropout, False, False, scale=scale
    )[0]
    return attended


def _efficient(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, *, is_narrow: bool, dropout: float, scaling: float
) -> Tensor:
    bounds, longest = _of_queries(layout, is_narrow)
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
        scale=_scale(query, scaling),
    )[0]
    return row[0]


def _of_queries(layout: Layout, is_narrow: bool) -> tuple[Tensor, int]:
    """Return the bounds of the queries of sequences, and most queries of one."""
    return (layout.read_bounds, layout.most_read) if is_narrow else (layout.bounds, layout.longest)


def _scale(query: Tensor, scaling: float) -> float | None:
    """Return None for the kernels' own scaling.

    torch 2.13 cannot trace the backward pass of memory-efficient attention with a scale.
    """
    return None if math.isclose(scaling, query.shape[-1] ** -0.5) else scaling


class _Repeatable(torch.autograd.Function):
    """Attention whose backward pass adds in a fixed order."""

    @staticmethod
    def forward(
        ctx: Any, kernel: Callable[[Tensor, Tensor, Tensor], Tensor], query: Tensor, key: Tensor, value: Tensor
    ) -> Tensor:
        with torch.enable_grad():
            ctx.given = [tensor.detach().requires_grad_() for tensor in (query, key, value)]
            ctx.attended = kernel(*ctx.given)
        attended: Tensor = ctx.attended.detach()
        return attended

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        with _deterministic():
            gradients = torch.autograd.grad(ctx.attended, ctx.given, gradient)
        del ctx.attended, ctx.given
        return None, *gradients


@contextmanager
def _deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
