"""Attention by the bounds of sequences, as a GPU's kernels get them, in plain operations on any device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from taskaffinity.training.packing.layout import Layout


def attend_densely(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, *, is_narrow: bool, dropout: float, scaling: float
) -> Tensor:
    """In the place of ``varlen.attend``: all scores of the row, those across sequences hidden."""
    of_query, of_key = (
        torch.bucketize(torch.arange(len(states), dtype=torch.int32), bounds[1:], right=True)
        for states, bounds in ((query, layout.read_bounds if is_narrow else layout.bounds), (key, layout.bounds))
    )
    scores = torch.einsum("rnd,tnd->nrt", query.float(), key.float()) * scaling
    scores = scores.masked_fill(of_query[:, None] != of_key[None], -torch.inf)
    weights = nn.functional.dropout(torch.softmax(scores, dim=-1), dropout)
    return torch.einsum("nrt,tnd->rnd", weights, value.float()).to(query.dtype)
