"""Divide the sequences of a packed row into blocks for attention.

Sequences are sorted by length. A long sequence is a block by itself, which needs no copy and no padding. Short
sequences share a block with neighbours of similar length, padded to the longest, which saves calls and wastes little.
A narrow last layer has queries only for the tokens that are read. These form a second list of as many blocks.
A GPU needs no blocks: its kernels take the bounds of the sequences in the row.
"""

# T tokens of the batch in S sequences, R of them read; of a block: B sequences, L tokens of the longest

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_SINGLE = 24
"""A sequence of this length in tokens, or more, is a block by itself: copying it would cost more than a call."""
_SLACK, _SLACK_TOKENS = 1 / 8, 8
"""The longest sequence of a block may exceed the shortest by the larger of a share and a number of tokens."""


@dataclass(frozen=True)
class Block:
    """Neighbouring sequences that share one attention call."""

    tokens: slice  # their range in the packed row
    shape: tuple[int, int]  # (B, L)
    places: Tensor | None = None  # (tokens,) index of each token in the flattened block; None without padding
    bias: Tensor | None = None  # (B, 1, 1 or L, L) 0 for what is attended to, -inf for the rest; None without padding


@dataclass(frozen=True)
class Layout:
    """The sequences of a packed row, as blocks for a CPU and as bounds for a GPU."""

    blocks: tuple[Block, ...]  # in the order of the row; none on a GPU
    read: Tensor  # (R,) indices of the tokens whose last states are read, ascending
    read_blocks: tuple[Block, ...]  # by block, the tokens that are read, in the row of the R tokens
    bounds: Tensor  # (S + 1,) int32, first token of each sequence, and T
    read_bounds: Tensor  # (S + 1,) int32, the same in the row of the R tokens
    longest: int  # tokens of the longest sequence
    most_read: int  # most tokens of one sequence that are read

    def to(self, device: str) -> Layout:
        """Return the layout on another device."""
        if torch.device(device).type == "cpu":
            return self
        bounds, read, read_bounds = (sent(tensor, device) for tensor in (self.bounds, self.read, self.read_bounds))
        return replace(self, blocks=(), read=read, read_blocks=(), bounds=bounds, read_bounds=read_bounds)


def sent(tensor: Tensor, device: str) -> Tensor:
    """Copy a tensor to a device; for a GPU through pinned memory, so that the CPU does not wait."""
    return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor.to(device)


def layout_of(lengths: Sequence[int], read: Sequence[int] | npt.NDArray[np.int64] | None = None) -> Layout:
    """Return the layout of packed sequences.

    Parameters
    ----------
    lengths : sequence of int
        Lengths in tokens, in ascending order.
    read : sequence of int, optional
        Indices in the packed row of the tokens that are read, in ascending order, at least one per sequence. The
        default is the first token of each sequence.
    """
    starts = np.cumsum([0, *lengths])
    at = starts[:-1] if read is None else np.asarray(read)
    n_read = (np.diff(np.searchsorted(at, starts)) if read is not None else np.ones(len(lengths), int)).tolist()
    blocks, read_blocks = [], []
    first = start = read_start = 0
    while first < len(lengths):
        last = first + 1
        longest = max(lengths[first] * (1 + _SLACK), lengths[first] + _SLACK_TOKENS)
        while last < len(lengths) and lengths[last] < _SINGLE and lengths[last] <= longest:
            last += 1
        blocks.append(_block(start, lengths[first:last]))
        read_blocks.append(_block(read_start, n_read[first:last], has_keys=False))
        first, start, read_start = last, blocks[-1].tokens.stop, read_blocks[-1].tokens.stop
    read_bounds = np.cumsum([0, *n_read])
    return Layout(
        tuple(blocks),
        torch.from_numpy(at),
        tuple(read_blocks),
        torch.from_numpy(starts.astype(np.int32)),
        torch.from_numpy(read_bounds.astype(np.int32)),
        max(lengths),
        max(n_read),
    )


def _block(first: int, lengths: Sequence[int], *, has_keys: bool = True) -> Block:
    """Return the block of sequences with these lengths; a bias hides the padding of keys."""
    tokens, shape = slice(first, first + sum(lengths)), (len(lengths), max(lengths))
    if min(lengths) == shape[1]:
        return Block(tokens, shape)
    is_token = torch.arange(shape[1]) < torch.tensor(lengths)[:, None]  # (B, L)
    places = torch.nonzero(is_token.flatten())[:, 0]
    if not has_keys:
        return Block(tokens, shape, places)
    bias = torch.zeros(shape).masked_fill(~is_token, -torch.inf)
    return Block(tokens, shape, places, bias[:, None, None, :])


def in_reach(block: Block, reach: int) -> Block:
    """The block with a bias for local attention: a token attends to tokens at a distance below ``reach``."""
    longest = block.shape[1]
    if longest <= reach:
        return block
    bias = _band(longest, reach)  # (1, 1, L, L)
    if block.bias is not None:
        # padding attends to all tokens; with none, its weights would be NaN
        bias = bias.masked_fill(block.bias.isinf().mT, 0.0) + block.bias
    return replace(block, bias=bias)


@lru_cache(maxsize=256)
def _band(longest: int, reach: int) -> Tensor:
    places = torch.arange(longest)
    is_far = (places[:, None] - places).abs() >= reach
    return torch.zeros(1, 1, longest, longest).masked_fill(is_far, -torch.inf)


def by_head(states: Tensor, block: Block) -> Tensor:
    """Return the block's rows of ``(T, N, D)`` as ``(B N, L, D)``, padded with zeros.

    The result is a view if possible.
    """
    count, longest = block.shape
    rows = states[block.tokens]
    if count == 1:
        return rows.transpose(0, 1)
    if block.places is not None:
        rows = rows.new_zeros(count * longest, *rows.shape[1:]).index_copy(0, block.places, rows)
    return rows.view(count, longest, *rows.shape[1:]).transpose(1, 2).reshape(-1, longest, rows.shape[2])


def by_token(states: Tensor, block: Block) -> Tensor:
    """Invert ``by_head``: return ``(B N, L, D)`` as rows of ``(T, N, D)``, without padding."""
    rows = states.view(block.shape[0], -1, *states.shape[1:]).transpose(1, 2)  # (B, L, N, D)
    return rows.flatten(0, 1) if block.places is None else rows.flatten(0, 1).index_select(0, block.places)
