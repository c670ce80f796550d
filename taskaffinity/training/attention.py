"""Attention over the blocks of a packed row, with dropout: forward and backward written out for a CPU.

torch's own attention has no fast path for dropout on a CPU, and left to autograd the blocks of one layer are a hundred
small operations to record. Here a layer is one, and what backward needs is what forward had in hand.
"""

# P places of all blocks, N heads, D a head's width; of one block: B sequences, L places each

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from taskaffinity.training.dropout import kept


class BlockAttention(torch.autograd.Function):
    """``dropout(softmax(q k' * scaling + bias)) v`` of each block."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,  # (P, N, D)
        key: Tensor,
        value: Tensor,
        shapes: Sequence[tuple[int, int]],
        biases: Sequence[Tensor | None],
        dropout: float,
        scaling: float,
    ) -> Tensor:
        output = torch.empty_like(query)
        saved: list[Tensor] = []
        for places, shape, bias in zip(_places(shapes), shapes, biases, strict=True):
            q, k, v = (_by_head(states[places], shape) for states in (query, key, value))  # (B N, L, D)
            scores = torch.bmm(q, k.mT).mul_(scaling)
            if bias is not None:
                scores.view(shape[0], -1, *scores.shape[1:]).add_(bias)
            shares = torch.softmax(scores, dim=-1)
            mask = kept(shares, dropout)
            _by_place(torch.bmm(shares * mask, v), output[places], shape)
            saved += [q, k, v, shares, mask]
        ctx.save_for_backward(*saved)
        ctx.shapes, ctx.scaling = shapes, scaling
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        gradient = gradient.contiguous()
        of_query, of_key, of_value = (torch.empty_like(gradient) for _ in range(3))
        saved = iter(ctx.saved_tensors)
        for places, shape in zip(_places(ctx.shapes), ctx.shapes, strict=True):
            q, k, v, shares, mask = (next(saved) for _ in range(5))
            own = _by_head(gradient[places], shape)
            of_shares = torch.bmm(own, v.mT).mul_(mask)
            of_scores = torch._softmax_backward_data(of_shares, shares, -1, shares.dtype).mul_(ctx.scaling)
            _by_place(torch.bmm(of_scores, k), of_query[places], shape)
            _by_place(torch.bmm(of_scores.mT, q), of_key[places], shape)
            _by_place(torch.bmm((shares * mask).mT, own), of_value[places], shape)
        return of_query, of_key, of_value, None, None, None, None


def _places(shapes: Sequence[tuple[int, int]]) -> Iterator[slice]:
    first = 0
    for count, longest in shapes:
        yield slice(first, first + count * longest)
        first += count * longest


def _by_head(states: Tensor, shape: tuple[int, int]) -> Tensor:
    """``(B L, N, D)`` as ``(B N, L, D)``."""
    return states.view(*shape, *states.shape[1:]).transpose(1, 2).reshape(-1, shape[1], states.shape[2])


def _by_place(states: Tensor, into: Tensor, shape: tuple[int, int]) -> None:
    """Write ``(B N, L, D)`` into ``(B L, N, D)``."""
    into.view(*shape, *into.shape[1:]).copy_(states.view(shape[0], -1, *states.shape[1:]).transpose(1, 2))
