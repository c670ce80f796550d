"""Where the sequences of a packed row lie, and how attention takes them: in blocks.

Sequences lie sorted by length. A long one is a block by itself, which needs no copy and no padding; short ones are
taken together with neighbours of nearly their length, padded to the longest, so that little is wasted and little is
called.
"""

# T word pieces of the batch; of a block: B sequences, L pieces of the longest

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

_ALONE = 24
"""Pieces from which on a sequence is a block of its own: there the copies into a block cost more than the calls. (Six
layers of 12 heads, batches of 32: attention with sentences of 66 pieces took .70 of the time of blocks within an
eighth, with 28 pieces .88; with 14 pieces, each alone, 1.3.)"""
_SLACK, _SLACK_PIECES = 1 / 8, 8
"""How much longer than its shortest a block's longest sequence may be, as a share or in pieces, whichever is more. (On
a two-layer encoder and sentences of 14 pieces, blocks within an eighth alone cost a step 1.15 times as much.)"""


@dataclass(frozen=True)
class Block:
    """Neighbouring sequences that attention takes together."""

    pieces: slice  # of the packed row
    shape: tuple[int, int]  # (B, L)
    places: Tensor | None = None  # (pieces,) each piece's place in the flattened block; None where it has no padding
    bias: Tensor | None = None  # (B, 1, 1, L) 0 where a place holds a piece, else -inf; None where all do


@dataclass(frozen=True)
class Layout:
    """The blocks of a packed row, in its order."""

    blocks: tuple[Block, ...]

    def to(self, device: str) -> Layout:
        return Layout(
            tuple(
                block
                if block.places is None or block.bias is None
                else replace(
                    block,
                    places=block.places.to(device, non_blocking=True),
                    bias=block.bias.to(device, non_blocking=True),
                )
                for block in self.blocks
            )
        )


def layout_of(lengths: Sequence[int]) -> Layout:
    """Blocks for sequences of these lengths in word pieces, ascending."""
    blocks = []
    first = taken = 0
    while first < len(lengths):
        last = first + 1
        longest = max(lengths[first] * (1 + _SLACK), lengths[first] + _SLACK_PIECES)
        while last < len(lengths) and lengths[last] < _ALONE and lengths[last] <= longest:
            last += 1
        own = lengths[first:last]
        pieces = slice(taken, taken + sum(own))
        blocks.append(_block(pieces, own))
        first, taken = last, pieces.stop
    return Layout(tuple(blocks))


def _block(pieces: slice, lengths: Sequence[int]) -> Block:
    shape = (len(lengths), lengths[-1])
    if lengths[0] == lengths[-1]:
        return Block(pieces, shape)
    holds_piece = torch.arange(shape[1]) < torch.tensor(lengths)[:, None]  # (B, L)
    bias = torch.zeros(shape).masked_fill(~holds_piece, -torch.inf)
    return Block(pieces, shape, torch.nonzero(holds_piece.flatten())[:, 0], bias[:, None, None, :])


def by_head(states: Tensor, block: Block) -> Tensor:
    """The block's rows of ``(T, N, D)`` as ``(B N, L, D)``, zeros where a place holds no piece; a view if it can be."""
    count, longest = block.shape
    own = states[block.pieces]
    if count == 1:
        return own.transpose(0, 1)
    if block.places is not None:
        own = own.new_zeros(count * longest, *own.shape[1:]).index_copy(0, block.places, own)
    return own.view(count, longest, *own.shape[1:]).transpose(1, 2).reshape(-1, longest, own.shape[2])


def by_piece(states: Tensor, block: Block) -> Tensor:
    """``(B N, L, D)`` as the block's rows of ``(T, N, D)``."""
    rows = states.view(block.shape[0], -1, *states.shape[1:]).transpose(1, 2)  # (B, L, N, D)
    return rows.flatten(0, 1) if block.places is None else rows.flatten(0, 1).index_select(0, block.places)
