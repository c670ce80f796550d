"""Attention over the blocks of a packed row, with dropout: forward and backward written out for a CPU.

torch's own attention has no fast path for dropout on a CPU, and left to autograd the blocks of one layer are a hundred
small operations to record. Here a layer is one, and what backward needs is what forward had in hand.
"""

# T tokens of the batch, R of them that ask, N heads, D a head's width
# of one block: B sequences, L places each, A of them that ask

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from taskaffinity.training.packing.dropout import kept
from taskaffinity.training.packing.layout import Block, by_head, by_token


class BlockAttention(torch.autograd.Function):
    """``dropout(softmax(q k' * scaling + bias)) v`` of each block.

    In 32 bits under autocast too: its products are small, and torch's own attention in 16 bits took longer.
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]
    def forward(
        ctx: Any,
        query: Tensor,  # (R, N, D)
        key: Tensor,  # (T, N, D)
        value: Tensor,
        asking: Sequence[Block],
        blocks: Sequence[Block],
        dropout: float,
        scaling: float,
    ) -> Tensor:
        output = torch.empty_like(query, memory_format=torch.contiguous_format)
        sizes = [
            query.shape[1] * block.shape[0] * block.shape[1] * asked.shape[1]
            for asked, block in zip(asking, blocks, strict=True)
        ]
        masks = kept(query.new_empty(sum(sizes)), dropout).split(sizes)  # one call a layer, not one a block
        saved: list[Tensor] = []
        for own, block, mask in zip(asking, blocks, masks, strict=True):
            q, k, v = by_head(query, own), by_head(key, block), by_head(value, block)  # (B N, A, D), (B N, L, D)
            scores = _scaled(q, k.mT, scaling)  # (B N, A, L)
            if block.bias is not None:
                scores.view(block.shape[0], -1, *scores.shape[1:]).add_(block.bias)
            shares = torch.softmax(scores, dim=-1)
            mask = mask.view_as(shares)
            dropped = torch.mul(shares, mask, out=scores)
            output[own.tokens] = by_token(torch.bmm(dropped, v), own)
            saved += [q, k, v, shares, mask]
        ctx.save_for_backward(*saved)
        ctx.asking, ctx.blocks, ctx.n_tokens, ctx.scaling = asking, blocks, len(key), scaling
        return output

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> Any:
        of_query = torch.empty_like(gradient, memory_format=torch.contiguous_format)
        of_key, of_value = (gradient.new_empty(ctx.n_tokens, *gradient.shape[1:]) for _ in range(2))
        saved = iter(ctx.saved_tensors)
        for own, block in zip(ctx.asking, ctx.blocks, strict=True):
            q, k, v, shares, mask = (next(saved) for _ in range(5))
            of_output = by_head(gradient, own)
            of_shares = torch.bmm(of_output, v.mT).mul_(mask)
            of_scores = torch._softmax_backward_data(of_shares, shares, -1, shares.dtype)
            dropped = torch.mul(shares, mask, out=of_shares)
            of_query[own.tokens] = by_token(_scaled(of_scores, k, ctx.scaling), own)
            of_key[block.tokens] = by_token(_scaled(of_scores.mT, q, ctx.scaling), block)
            of_value[block.tokens] = by_token(torch.bmm(dropped.mT, of_output), block)
        return of_query, of_key, of_value, None, None, None, None


def _scaled(left: Tensor, right: Tensor, scaling: float) -> Tensor:
    """``left @ right * scaling``, without another pass over the product."""
    nothing = left.new_empty(left.shape[0], left.shape[1], right.shape[2])
    return torch.baddbmm(nothing, left, right, beta=0, alpha=scaling)
