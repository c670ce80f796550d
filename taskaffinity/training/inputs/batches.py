"""Algorithm 1's D: mini-batches of all tasks, merged and shuffled anew each epoch, one task a batch.

Each task's own order depends on the seed, the epoch and the task's name alone: alone and in a pair a task meets the
same mini-batches, only what stands between them differs.
"""

# B sequences, T tokens of the batch, R states that the head reads: one a sequence, or one a word

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray, ranges
from taskaffinity.training.packing.layout import Layout, layout_of, sent


@dataclass(frozen=True)
class Batch:
    """Sequences of one task, concatenated in order of length."""

    task: str
    rows: IntArray  # (B,) rows of the split, in the batch's order
    tokens: Tensor  # (T,)
    positions: Tensor  # (T,) from 0 in each sequence
    token_types: Tensor  # (T,)
    lengths: Tensor  # (B,)
    longest: int  # of the lengths
    targets: Tensor  # (R,) scores or classes of sequences, tags of words
    layout: Layout  # its ``read``: (R,) where each sequence begins, or each word

    def to(self, device: str, *, blocks: bool = True) -> Batch:
        """The same on another device, where a GPU is not waited for; without its layout's ``blocks`` if they are not
        needed, as by a model that pads."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        moved: dict[str, Any] = {name: sent(tensor, device) for name, tensor in tensors.items()}
        return replace(self, **moved, layout=self.layout.to(device, blocks=blocks))


def make_batch(task: str, split: EncodedSplit, rows: IntArray) -> Batch:
    """The given rows of a split as one packed batch."""
    lengths = np.diff(split.bounds)[rows]
    order = np.argsort(lengths, kind="stable")
    rows, lengths = rows[order], lengths[order]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    picked = ranges(split.bounds[rows], lengths)
    if split.is_tagging:
        n_words = np.diff(split.word_bounds)[rows]
        words = ranges(split.word_bounds[rows], n_words)
        read = split.word_positions[words] + np.repeat(starts, n_words)
        targets = split.targets[words]
    else:
        read = starts
        targets = split.targets[split.examples_of_rows[rows]]
    return Batch(
        task=task,
        rows=rows,
        tokens=torch.from_numpy(split.tokens[picked].astype(np.int64)),
        positions=torch.from_numpy(np.arange(len(picked)) - np.repeat(starts, lengths)),
        token_types=torch.from_numpy(split.token_types[picked].astype(np.int64)),
        lengths=torch.from_numpy(lengths),
        longest=int(lengths[-1]),
        targets=torch.from_numpy(targets),
        layout=layout_of(lengths.tolist(), read),
    )


def epoch_batches(
    splits: Mapping[str, EncodedSplit],
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    detached: Mapping[str, EncodedSplit] | None = None,
) -> Iterator[Batch]:
    """Every row of every task once, in mini-batches of one task, tasks in random order.

    Mini-batches of ``detached`` tasks are inserted among the others, whose order is the same with and without them.
    """
    detached = detached or {}
    own, extra = (_shuffled_cuts(tasks, batch_size, seed, epoch) for tasks in (splits, detached))
    is_extra = np.repeat([False, True], [len(own), len(extra)])
    own_cuts, extra_cuts = iter(own), iter(extra)
    for slot in np.random.default_rng(seed_of(seed, "beside", epoch)).permutation(is_extra):
        name, rows = next(extra_cuts if slot else own_cuts)
        yield make_batch(name, (detached if slot else splits)[name], rows)


def _shuffled_cuts(
    splits: Mapping[str, EncodedSplit], batch_size: int, seed: int, epoch: int
) -> list[tuple[str, IntArray]]:
    cuts: list[tuple[str, IntArray]] = []
    for name, split in splits.items():
        rows = np.random.default_rng(seed_of(seed, "rows", name, epoch)).permutation(split.n_rows)
        cuts += [(name, rows[i : i + batch_size]) for i in range(0, len(rows), batch_size)]
    return [cuts[i] for i in np.random.default_rng(seed_of(seed, "merge", epoch)).permutation(len(cuts))]


def stretched_batches(
    name: str, split: EncodedSplit, batch_size: int, n_batches: int, *, seed: int, epoch: int
) -> Iterator[Batch]:
    """``n_batches`` mini-batches of one task: passes over its rows follow one another, across epochs too."""
    in_a_pass = -(-split.n_rows // batch_size)
    for number in range((epoch - 1) * n_batches, epoch * n_batches):
        rows = np.random.default_rng(seed_of(seed, "rows", name, number // in_a_pass + 1)).permutation(split.n_rows)
        first = number % in_a_pass * batch_size
        yield make_batch(name, split, rows[first : first + batch_size])


def batches_in_an_epoch(splits: Mapping[str, EncodedSplit], batch_size: int) -> int:
    return sum(-(-split.n_rows // batch_size) for split in splits.values())


def seed_of(*parts: int | str) -> int:
    """A 63-bit seed for each purpose, stable across processes."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8]) >> 1
