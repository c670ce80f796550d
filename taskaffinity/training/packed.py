"""Padding-free attention for stock transformers encoders.

A mini-batch is one row of concatenated sequences, ``(1, T)``. Everything in an encoder but attention works token by
token, so only attention must know where sequences end: the function registered here attends within each sequence.
Sequences lie sorted by length, so that neighbours of nearly one length are one small padded block for attention
(within an eighth, or eight pieces, so that little is wasted and little is called).

Trap: under an attention name that has no mask function, transformers builds no mask at all, so a padded batch under
this name would attend to its padding. ``packs_exactly`` therefore compares both paths on the encoder at hand, and
whatever differs (DeBERTa-v2, MPNet, sliding windows) is trained padded, under ``sdpa``.
"""

# T word pieces of the batch, P places of all blocks, B sequences, L their length, N heads, D a head's width

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from taskaffinity.training.attention import BlockAttention

PACKED = "taskaffinity_packed"

_SLACK, _SLACK_PIECES = 1 / 8, 8
"""How much longer than its shortest a group's longest sequence may be, as a share or in pieces, whichever is more. (On
a two-layer encoder and sentences of 14 pieces, blocks within an eighth alone cost a step 1.15 times as much.)"""


@dataclass(frozen=True)
class Layout:
    """Where the sequences of a packed row lie when attention sees them: padded blocks, one behind the other."""

    slots: Tensor  # (T,) each piece's place in the flattened blocks
    shapes: tuple[tuple[int, int], ...]  # (sequences, longest) of each block
    masks: tuple[Tensor | None, ...]  # (B, 1, 1, L) 0 where a place holds a piece, else -inf; None where all do

    @property
    def places(self) -> int:
        return sum(count * longest for count, longest in self.shapes)

    @property
    def is_full(self) -> bool:
        """Whether every place holds a piece, so that the blocks are the packed row."""
        return self.places == len(self.slots)

    def to(self, device: str) -> Layout:
        masks = tuple(None if mask is None else mask.to(device) for mask in self.masks)
        return Layout(self.slots.to(device), self.shapes, masks)


def packed_attention(
    module: nn.Module,
    query: Tensor,  # (1, N, T, D)
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: Layout,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend within each sequence of a packed row; the output is ``(1, T, N, D)``."""
    query, key, value = (_in_blocks(states[0].transpose(0, 1), layout) for states in (query, key, value))
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    if dropout and query.device.type == "cpu":
        attended: Tensor = BlockAttention.apply(  # type: ignore[no-untyped-call]
            query, key, value, layout.shapes, layout.masks, dropout, scaling
        )
    else:
        attended = _attend(query, key, value, layout, dropout, scaling)
    if layout.is_full:
        return attended[None], None
    return attended.index_select(0, layout.slots)[None], None


def _in_blocks(states: Tensor, layout: Layout) -> Tensor:
    """``(T, N, D)`` as ``(P, N, D)``, zeros where a block has more places than pieces."""
    flat = states.flatten(1)
    if not layout.is_full:
        flat = flat.new_zeros(layout.places, flat.shape[1]).index_copy(0, layout.slots, flat)
    return flat.view(-1, *states.shape[1:])


def _attend(query: Tensor, key: Tensor, value: Tensor, layout: Layout, dropout: float, scaling: float) -> Tensor:
    sizes = [count * longest for count, longest in layout.shapes]
    attended = []
    for *qkv, shape, mask in zip(
        *(states.split(sizes) for states in (query, key, value)), layout.shapes, layout.masks, strict=True
    ):
        q, k, v = (states.view(*shape, *states.shape[1:]).transpose(1, 2) for states in qkv)  # (B, N, L, D)
        output = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, scale=scaling)
        attended.append(output.transpose(1, 2).flatten(0, 1))  # (B L, N, D)
    return torch.cat(attended)


AttentionInterface.register(PACKED, packed_attention)


def layout_of(lengths: Sequence[int]) -> Layout:
    """Blocks of neighbours whose lengths differ by at most an eighth, or by eight pieces.

    Parameters
    ----------
    lengths : sequence of int
        Of the sequences in word pieces, ascending.
    """
    shapes, masks, slots = [], [], []
    first = taken = 0
    while first < len(lengths):
        last = first + 1
        longest = max(lengths[first] * (1 + _SLACK), lengths[first] + _SLACK_PIECES)
        while last < len(lengths) and lengths[last] <= longest:
            last += 1
        own = torch.tensor(lengths[first:last])[:, None]  # (B, 1)
        valid = torch.arange(lengths[last - 1])[None] < own  # (B, L)
        slots.append(taken + torch.nonzero(valid.flatten())[:, 0])
        shapes.append((valid.shape[0], valid.shape[1]))
        masks.append(None if bool(valid.all()) else _as_bias(valid)[:, None, None, :])
        first, taken = last, taken + valid.numel()
    return Layout(torch.cat(slots), tuple(shapes), tuple(masks))


def _as_bias(valid: Tensor) -> Tensor:
    return torch.zeros(valid.shape).masked_fill(~valid, -torch.inf)


def first_position(encoder: PreTrainedModel) -> int:
    """The position id of a sequence's first piece: 0, or ``padding_idx + 1`` where padding has its own position."""
    embeddings = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    padding = getattr(embeddings, "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


@torch.no_grad()
def packs_exactly(encoder: PreTrainedModel, max_length: int = 128, *, tolerance: float = 1e-4) -> bool:
    """Whether this encoder gives the same states for packed sequences as for each sequence by itself.

    Tried on one sequence of 5 and one of ``max_length`` pieces (or as long as the encoder takes). Leaves the encoder
    packed if so, under ``sdpa`` if not.
    """
    if not getattr(encoder, "_supports_attention_backend", False):
        return False
    start = first_position(encoder)
    longest = min(max_length, getattr(encoder.config, "max_position_embeddings", max_length) - start)
    lengths = [min(5, longest), longest]
    vocabulary = encoder.config.vocab_size
    pieces = [(torch.arange(length) * 7 + length) % (vocabulary - 10) + 10 for length in lengths]
    was_training = encoder.training
    encoder.eval()
    try:
        device = encoder.device
        encoder.set_attn_implementation("sdpa")
        alone = [encoder(input_ids=ids[None].to(device)).last_hidden_state[0] for ids in pieces]
        encoder.set_attn_implementation(PACKED)
        positions = torch.cat([torch.arange(length) + start for length in lengths])
        packed = encoder(
            input_ids=torch.cat(pieces)[None].to(device),
            position_ids=positions[None].to(device),
            layout=layout_of(lengths),
        ).last_hidden_state[0]
        if torch.allclose(torch.cat(alone), packed, atol=tolerance, rtol=tolerance):
            return True
    except (TypeError, ValueError, RuntimeError, IndexError):
        pass  # an encoder that takes no position_ids, or does not hand the layout on to its attention
    finally:
        encoder.train(was_training)
    encoder.set_attn_implementation("sdpa" if getattr(encoder, "_supports_sdpa", False) else "eager")
    return False
