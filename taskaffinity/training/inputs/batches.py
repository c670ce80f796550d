"""Mini-batches of all tasks, one task per batch, merged and shuffled in each epoch (D of Algorithm 1).

The order of a task's rows depends only on the seed, the epoch and the task's name. A task therefore has the same
mini-batches in single-task and multi-task training; only the batches between them differ.
"""

# B sequences, T tokens of the batch, R states that the head reads: one per sequence, or one per word

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
    positions: Tensor  # (T,) position in the sequence, from 0
    token_types: Tensor  # (T,)
    lengths: Tensor  # (B,)
    longest: int  # maximum length
    targets: Tensor  # (R,) scores or classes of sequences, tags of words
    layout: Layout  # its ``read``: (R,) first token of each sequence, or of each word

    def to(self, device: str) -> Batch:
        """The batch on another device; the copy to a GPU is asynchronous."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        moved: dict[str, Any] = {name: sent(tensor, device) for name, tensor in tensors.items()}
        return replace(self, **moved, layout=self.layout.to(device))


def make_batch(task: str, split: EncodedSplit, rows: IntArray) -> Batch:
    """Pack the given rows of a split into one batch."""
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
    """Yield every row of every task once, in mini-batches of one task each, in random order.

    Mini-batches of ``detached`` tasks are inserted between the others. They do not change the order of the others.
    """
    detached = detached or {}
    attached, extra = (_shuffled_cuts(tasks, batch_size, seed, epoch) for tasks in (splits, detached))
    is_extra = np.repeat([False, True], [len(attached), len(extra)])
    attached_cuts, extra_cuts = iter(attached), iter(extra)
    for slot in np.random.default_rng(seed_of(seed, "beside", epoch)).permutation(is_extra):
        name, rows = next(extra_cuts if slot else attached_cuts)
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
    """Yield ``n_batches`` mini-batches of one task per epoch.

    One pass over the rows follows another, and a pass may continue in the next epoch.
    """
    per_pass = -(-split.n_rows // batch_size)
    for number in range((epoch - 1) * n_batches, epoch * n_batches):
        rows = np.random.default_rng(seed_of(seed, "rows", name, number // per_pass + 1)).permutation(split.n_rows)
        first = number % per_pass * batch_size
        yield make_batch(name, split, rows[first : first + batch_size])


def batches_in_an_epoch(splits: Mapping[str, EncodedSplit], batch_size: int) -> int:
    """Number of mini-batches in an epoch of these tasks."""
    return sum(-(-split.n_rows // batch_size) for split in splits.values())


def seed_of(*parts: int | str) -> int:
    """A 63-bit seed derived from the parts, the same in every process."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8]) >> 1
