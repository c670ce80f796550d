"""Is packed attention right on this device, and repeatable? Beside fp64, one sequence after the other.

Also with the room of a captured step: one more sequence, which no head reads. And how much dropout keeps.
"""

# T tokens, R of them with a query, N heads, D width of a head

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import torch
from gpu_plain import precisions
from gpu_report import Row, check, row
from torch import Tensor, nn

from taskaffinity.training.packing.layout import Layout, layout_of, sent
from taskaffinity.training.packing.packed import packed_attention

STAGE = "correctness"
THRESHOLDS = {"fp32": 1e-3, "bf16": 1e-2}
LENGTHS = (2, 5, 29, 29, 62, 114, 128)
ROOM = 40
"""Tokens of the sequence that fills a captured step."""
LONG, REPEATS = 512, 4
"""Tokens of sequences whose gradients must have the same bits, and how often they are computed again."""
KEPT = {"bf16": 230 / 256, "fp32": 0.9}
"""Share of the attention weights that dropout of 0.1 keeps on a GPU: FlashAttention has eight random bits a weight."""
_HEADS, _WIDTH = 12, 64
_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def attention(device: str) -> Iterator[Row]:
    """Rows of checks: states and gradients of all queries and of those that a head reads, and the share that is kept.

    On a CPU, matrix products in bf16 have fp32 states, so bf16 is not checked there.
    """
    for precision, dtype in _TYPES.items():
        if precision not in (("fp32",) if device == "cpu" else precisions(device)):
            continue
        for has_room, is_narrow in product((False, True) if device == "cuda" else (False,), (False, True)):
            of = "the tokens that are read" if is_narrow else "all tokens"
            name = f"attention of {of}, {'with room, ' * has_room}{precision}"
            for part, error in errors(device, dtype, is_narrow=is_narrow, has_room=has_room).items():
                yield check(STAGE, f"{part}, {name}", error, THRESHOLDS[precision], unit="relative error")
        is_same = repeats(device, dtype, LONG if device == "cuda" else 130)
        yield row(STAGE, f"gradients of long sequences have the same bits again, {precision}", passed=is_same)
        share = abs(kept_share(device, dtype) - (KEPT[precision] if device == "cuda" else 0.9))
        yield check(STAGE, f"share that dropout keeps, {precision}", share, 5e-4, unit="off the expected share")


def errors(device: str, dtype: torch.dtype, *, is_narrow: bool, has_room: bool = False) -> dict[str, float]:
    """Relative errors of the states and of the gradients of queries, keys and values, without dropout."""
    starts = np.cumsum([0, *LENGTHS, *[ROOM] * has_room])
    read = np.concatenate([first + np.arange(0, n, 3) for first, n in zip(starts, LENGTHS, strict=False)])
    layout = layout_of(LENGTHS, read).to(device)
    if has_room:
        layout = with_room(layout, len(read), device)
    torch.manual_seed(0)
    n_tokens = int(starts[-1])
    sizes = [len(read) if is_narrow else n_tokens, n_tokens, n_tokens]
    given = [torch.randn(size, _HEADS, _WIDTH).to(dtype).to(device).requires_grad_() for size in sizes]
    exact = [tensor.detach().double().requires_grad_() for tensor in given]
    found = _packed(given, layout, is_narrow=is_narrow)
    queries = read if is_narrow else np.arange(n_tokens)
    expected = _one_by_one(exact, np.searchsorted(queries, starts).tolist(), starts.tolist())
    direction = torch.randn(found.shape).to(dtype).to(device)
    found.backward(direction)
    expected.backward(direction.double())
    pairs = {"states": (found, expected)}
    pairs |= {
        f"gradients of {name}": (ours.grad, theirs.grad)
        for name, ours, theirs in zip(("queries", "keys", "values"), given, exact, strict=True)
    }
    with torch.no_grad():
        return {name: float((ours.double() - theirs).norm() / theirs.norm()) for name, (ours, theirs) in pairs.items()}


def with_room(layout: Layout, n_read: int, device: str) -> Layout:
    """The layout with one more sequence, which no head reads, as ``feed.row_of`` makes it; a GPU's has no blocks."""
    n_tokens = int(layout.bounds[-1]) + ROOM
    ends = ((layout.bounds, n_tokens), (layout.read_bounds, n_read))
    bounds, read_bounds = (
        sent(torch.cat([of.cpu(), torch.tensor([end], dtype=torch.int32)]), device) for of, end in ends
    )
    return replace(layout, blocks=(), read_blocks=(), bounds=bounds, read_bounds=read_bounds)


def repeats(device: str, dtype: torch.dtype, length: int) -> bool:
    """Whether the gradients of sequences of this length have the same bits each time."""
    torch.manual_seed(0)
    n = 32 if device == "cuda" else 2
    layout = layout_of([length] * n).to(device)
    given = [torch.randn(length * n, _HEADS, _WIDTH).to(dtype).to(device).requires_grad_() for _ in range(3)]
    direction = torch.randn(length * n, _HEADS, _WIDTH).to(dtype).to(device)
    found = [torch.autograd.grad(_packed(given, layout, is_narrow=False), given, direction) for _ in range(1 + REPEATS)]
    return all(torch.equal(one, first) for again in found for one, first in zip(again, found[0], strict=True))


def kept_share(device: str, dtype: torch.dtype, *, p: float = 0.1, length: int = 64, count: int = 128) -> float:
    """The share of the attention weights that dropout keeps.

    All weights of a sequence are equal and all values are 1, so a state is the share that is kept, over ``1 - p``.
    Weights are counted, which rounded states tell exactly; the mean of states in bf16 would be 0.0002 off.
    """
    torch.manual_seed(0)
    layout = layout_of([length] * count).to(device)
    zeros = torch.zeros(length * count, _HEADS, _WIDTH, dtype=dtype, device=device)
    states = _packed([zeros, zeros, torch.ones_like(zeros)], layout, is_narrow=False, dropout=p)
    return float((states.double() * ((1 - p) * length)).round().mean()) / length


def _packed(tensors: Sequence[Tensor], layout: Layout, *, is_narrow: bool, dropout: float = 0.0) -> Tensor:
    """Packed attention of ``(R or T, N, D)``."""
    query, key, value = (tensor.transpose(0, 1)[None] for tensor in tensors)
    states, _ = packed_attention(
        nn.Identity(), query, key, value, None, layout=layout, is_narrow=is_narrow, dropout=dropout
    )
    return states[0]


def _one_by_one(tensors: Sequence[Tensor], queries: Sequence[int], keys: Sequence[int]) -> Tensor:
    """Attention as its definition has it, of one sequence after the other, between these bounds."""
    query, key, value = tensors
    states = []
    for i in range(len(keys) - 1):
        q, k, v = query[queries[i] : queries[i + 1]], key[keys[i] : keys[i + 1]], value[keys[i] : keys[i + 1]]
        scores = torch.einsum("qnd,knd->nqk", q, k) * _WIDTH**-0.5
        states.append(torch.einsum("nqk,knd->qnd", scores.softmax(dim=-1), v))
    return torch.cat(states)
