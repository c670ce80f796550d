"""Where the sequences of a packed row lie, and how attention takes them: in blocks.

Sequences lie sorted by length. A long one is a block by itself, which needs no copy and no padding; short ones are
taken together with neighbours of nearly their length, padded to the longest, so that little is wasted and little is
called. In the last layer fewer tokens ask than are asked, those alone whose states are read; they lie in blocks too,
as many of them.
"""

# T tokens of the batch, R of them read; of a block: B sequences, L tokens of the longest

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

_ALONE = 24
"""Pieces from which on a sequence is a block of its own: there the copies into a block cost more than the calls. (Six
layers of 12 heads, batches of 32: attention with sentences of 66 tokens took .70 of the time of blocks within an
eighth, with 28 tokens .88; with 14 tokens, each alone, 1.3.)"""
_SLACK, _SLACK_TOKENS = 1 / 8, 8
"""How much longer than its shortest a block's longest sequence may be, as a share or in tokens, whichever is more. (On
a two-layer encoder and sentences of 14 tokens, blocks within an eighth alone cost a step 1.15 times as much.)"""


@dataclass(frozen=True)
class Block:
    """Neighbouring sequences that attention takes together."""

    tokens: slice  # of the packed row
    shape: tuple[int, int]  # (B, L)
    places: Tensor | None = None  # (tokens,) each token's place in the flattened block; None where it has no padding
    bias: Tensor | None = None  # (B, 1, 1, L) 0 where a place holds a token, else -inf; None where nothing is hidden


@dataclass(frozen=True)
class Layout:
    """The blocks of a packed row, in its order."""

    blocks: tuple[Block, ...]
    read: Tensor  # (R,) where the tokens lie whose last states are read, ascending
    reading: tuple[Block, ...]  # those tokens among themselves, of each block's sequences

    def to(self, device: str, *, blocks: bool = True) -> Layout:
        """The same on another device; with ``read`` alone if not ``blocks``."""
        if not blocks:
            return Layout((), sent(self.read, device), ())
        return Layout(
            tuple(_moved(block, device) for block in self.blocks),
            sent(self.read, device),
            tuple(_moved(block, device) for block in self.reading),
        )


def sent(tensor: Tensor, device: str) -> Tensor:
    """The tensor on a device. To a GPU it goes from pinned memory: from any other a copy may wait for the GPU."""
    return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor.to(device)


def layout_of(lengths: Sequence[int], read: Sequence[int] | None = None) -> Layout:
    """Blocks for sequences of these lengths in tokens, ascending.

    Parameters
    ----------
    read : sequence of int, optional
        Places in the packed row, ascending, at least one in each sequence. Default: each sequence's first.
    """
    starts = np.cumsum([0, *lengths])
    at = starts[:-1] if read is None else np.asarray(read)
    n_read = (np.diff(np.searchsorted(at, starts)) if read is not None else np.ones(len(lengths), int)).tolist()
    blocks, reading = [], []
    first = taken = asked = 0
    while first < len(lengths):
        last = first + 1
        longest = max(lengths[first] * (1 + _SLACK), lengths[first] + _SLACK_TOKENS)
        while last < len(lengths) and lengths[last] < _ALONE and lengths[last] <= longest:
            last += 1
        blocks.append(_block(taken, lengths[first:last]))
        reading.append(_block(asked, n_read[first:last], is_asked=False))
        first, taken, asked = last, blocks[-1].tokens.stop, reading[-1].tokens.stop
    return Layout(tuple(blocks), torch.from_numpy(at), tuple(reading))


def _block(first: int, lengths: Sequence[int], *, is_asked: bool = True) -> Block:
    tokens, shape = slice(first, first + sum(lengths)), (len(lengths), max(lengths))
    if min(lengths) == shape[1]:
        return Block(tokens, shape)
    is_token = torch.arange(shape[1]) < torch.tensor(lengths)[:, None]  # (B, L)
    places = torch.nonzero(is_token.flatten())[:, 0]
    if not is_asked:
        return Block(tokens, shape, places)
    bias = torch.zeros(shape).masked_fill(~is_token, -torch.inf)
    return Block(tokens, shape, places, bias[:, None, None, :])


def _moved(block: Block, device: str) -> Block:
    places, bias = (None if tensor is None else sent(tensor, device) for tensor in (block.places, block.bias))
    return replace(block, places=places, bias=bias)


def by_head(states: Tensor, block: Block) -> Tensor:
    """The block's rows of ``(T, N, D)`` as ``(B N, L, D)``, zeros where a place holds no token; a view if it can be."""
    count, longest = block.shape
    own = states[block.tokens]
    if count == 1:
        return own.transpose(0, 1)
    if block.places is not None:
        own = own.new_zeros(count * longest, *own.shape[1:]).index_copy(0, block.places, own)
    return own.view(count, longest, *own.shape[1:]).transpose(1, 2).reshape(-1, longest, own.shape[2])


def by_token(states: Tensor, block: Block) -> Tensor:
    """``(B N, L, D)`` as the block's rows of ``(T, N, D)``."""
    rows = states.view(block.shape[0], -1, *states.shape[1:]).transpose(1, 2)  # (B, L, N, D)
    return rows.flatten(0, 1) if block.places is None else rows.flatten(0, 1).index_select(0, block.places)
