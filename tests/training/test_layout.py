"""Blocks of sequences: every token has one place, padding is limited, and the mapping is invertible."""

# T tokens of the batch, N heads, D a head's width

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taskaffinity.training.packing.layout import by_head, by_token, layout_of

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=25).map(sorted)


@settings(deadline=None)
@given(LENGTHS)
def test_blocks_are_consecutive_and_give_each_token_one_place(lengths: list[int]) -> None:
    first = taken = 0
    for block in layout_of(lengths).blocks:
        count, longest = block.shape
        own = lengths[first : first + count]
        assert block.tokens == slice(taken, taken + sum(own))
        places = [number * longest + i for number, length in enumerate(own) for i in range(length)]
        assert places == (list(range(sum(own))) if block.places is None else block.places.tolist())
        first, taken = first + count, taken + sum(own)
    assert (first, taken) == (len(lengths), sum(lengths))


@settings(deadline=None)
@given(LENGTHS)
def test_padding_of_a_block_is_limited_and_masked(lengths: list[int]) -> None:
    first = 0
    for block in layout_of(lengths).blocks:
        count, longest = block.shape
        own = lengths[first : first + count]
        first += count
        assert longest == max(own) <= max(min(own) * 9 / 8, min(own) + 8)
        if block.bias is None:
            assert set(own) == {longest}
        else:
            assert block.bias.shape == (count, 1, 1, longest)
            assert block.bias[:, 0, 0].tolist() == [[0 if i < n else -np.inf for i in range(longest)] for n in own]


@settings(deadline=None)
@given(LENGTHS)
def test_a_long_sequence_is_a_block_by_itself(lengths: list[int]) -> None:
    assert all(count == 1 or longest < 24 for count, longest in (block.shape for block in layout_of(lengths).blocks))


@settings(deadline=None)
@given(LENGTHS)
def test_by_token_inverts_by_head(lengths: list[int]) -> None:
    states = torch.arange(sum(lengths) * 6.0).view(-1, 2, 3)  # (T, N, D)
    for block in layout_of(lengths).blocks:
        heads = by_head(states, block)
        count, longest = block.shape
        assert heads.shape == (count * 2, longest, 3)
        assert torch.equal(by_token(heads, block), states[block.tokens])
