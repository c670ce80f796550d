"""Attention with dropout over blocks of a packed row, with explicit gradients for CPUs.

torch's attention has no fast path for dropout on a CPU, and autograd would record about a hundred small operations per
layer. Here a layer is one operation, and the backward pass reuses the intermediate results of the forward pass.
"""

# T tokens of the batch, R of them with a query, N heads, D width of a head
# of one block: B sequences, L places per sequence, A places with a query

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from taskaffinity.training.packing.dropout import dropout_mask
from taskaffinity.training.packing.layout import Block, by_head, by_token


class BlockAttention(torch.autograd.Function):
    """``dropout(softmax(q k' * scaling + bias)) v`` of each block.

    It is computed in fp32 even under autocast, because its matrix products are small and bf16 was slower.
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]
    def forward(
        ctx: Any,
        query: Tensor,  # (R, N, D)
        key: Tensor,  # (T, N, D)
        value: Tensor,
        query_blocks: Sequence[Block],
        blocks: Sequence[Block],
        dropout: float,
        scaling: float,
    ) -> Tensor:
        output = torch.empty_like(query, memory_format=torch.contiguous_format)
        sizes = [
            query.shape[1] * block.shape[0] * block.shape[1] * q_block.shape[1]
            for q_block, block in zip(query_blocks, blocks, strict=True)
        ]
        masks = dropout_mask(query.new_empty(sum(sizes)), dropout).split(sizes)  # one call per layer, not per block
        saved: list[Tensor] = []
        for q_block, block, mask in zip(query_blocks, blocks, masks, strict=True):
            q, k, v = by_head(query, q_block), by_head(key, block), by_head(value, block)  # (B N, A, D), (B N, L, D)
            scores = _scaled(q, k.mT, scaling)  # (B N, A, L)
            if block.bias is not None:
                scores.view(block.shape[0], -1, *scores.shape[1:]).add_(block.bias)
            weights = torch.softmax(scores, dim=-1)
            mask = mask.view_as(weights)
            dropped = torch.mul(weights, mask, out=scores)
            output[q_block.tokens] = by_token(torch.bmm(dropped, v), q_block)
            saved += [q, k, v, weights, mask]
        ctx.save_for_backward(*saved)
        ctx.query_blocks, ctx.blocks, ctx.n_tokens, ctx.scaling = query_blocks, blocks, len(key), scaling
        return output

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> Any:
        grad_query = torch.empty_like(gradient, memory_format=torch.contiguous_format)
        grad_key, grad_value = (gradient.new_empty(ctx.n_tokens, *gradient.shape[1:]) for _ in range(2))
        saved = iter(ctx.saved_tensors)
        for q_block, block in zip(ctx.query_blocks, ctx.blocks, strict=True):
            q, k, v, weights, mask = (next(saved) for _ in range(5))
            grad_output = by_head(gradient, q_block)
            grad_weights = torch.bmm(grad_output, v.mT).mul_(mask)
            grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
            dropped = torch.mul(weights, mask, out=grad_weights)
            grad_query[q_block.tokens] = by_token(_scaled(grad_scores, k, ctx.scaling), q_block)
            grad_key[block.tokens] = by_token(_scaled(grad_scores.mT, q, ctx.scaling), block)
            grad_value[block.tokens] = by_token(torch.bmm(dropped.mT, grad_output), block)
        return grad_query, grad_key, grad_value, None, None, None, None


def _scaled(left: Tensor, right: Tensor, scaling: float) -> Tensor:
    """``left @ right * scaling``, without another pass over the product."""
    empty = left.new_empty(left.shape[0], left.shape[1], right.shape[2])
    return torch.baddbmm(empty, left, right, beta=0, alpha=scaling)
