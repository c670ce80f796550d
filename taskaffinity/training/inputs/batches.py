"""Make mini-batches of one task each, shuffled in each epoch (D of Algorithm 1).

The order of a task's rows depends only on the seed, the epoch and the task's name. A task therefore has the same
mini-batches in single-task and multi-task training; only the batches between them differ.
"""

# B sequences, T tokens of the batch, R states that the head reads: one per sequence, or one per word
# E examples, if some have several rows: windows, whose outputs are pooled, or options

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray, ranges
from taskaffinity.training.packing.layout import Layout, layout_of, sent

Cut = tuple[str, IntArray]
"""A task, and the rows of its split in one mini-batch."""


@dataclass(frozen=True)
class Batch:
    """Sequences of one task, concatenated in order of length."""

    task: str
    rows: IntArray  # (B,) rows of the split, in the batch's order; (E,) examples if they have several
    tokens: Tensor  # (T,)
    positions: Tensor  # (T,) position in the sequence, from 0
    token_types: Tensor  # (T,)
    lengths: Tensor  # (B,)
    longest: int  # maximum length
    targets: Tensor  # (R,) scores or classes of sequences, tags of words; (R, C) for multilabel; E of examples
    layout: Layout  # its ``read``: (R,) first token of each sequence, or of each word
    owners: Tensor | None = None
    """(B,) place in ``rows`` of each sequence's example; of an option, its place in an (E, options) table; or None."""

    def to(self, device: str) -> Batch:
        """Return the batch on another device; the copy to a GPU is asynchronous."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        moved: dict[str, Any] = {name: sent(tensor, device) for name, tensor in tensors.items()}
        return replace(self, **moved, layout=self.layout.to(device))


class Picked(NamedTuple):
    """The parts of a split's arrays that a mini-batch takes, in the batch's order."""

    rows: IntArray  # (B,); (E,) examples if they have several
    lengths: IntArray  # (B,)
    tokens: IntArray  # (T,) numbers of the tokens
    read: IntArray  # (R,) places in the batch of the tokens that the head reads
    n_read: IntArray  # (B,) how many of them each sequence has
    targets: IntArray  # (R,) numbers of the targets; (E,) of examples
    owners: IntArray | None = None  # (B,) as in ``Batch``


def pick(split: EncodedSplit, rows: IntArray) -> Picked:
    """Return what a mini-batch of these rows takes from the split, sorted by length.

    ``rows`` has all windows or options of an example, or none of them.
    """
    lengths = np.diff(split.bounds)[rows]
    order = np.argsort(lengths, kind="stable")
    rows, lengths = rows[order], lengths[order]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    tokens = ranges(split.bounds[rows], lengths)
    if not split.is_tagging:
        one, examples = np.ones_like(rows), split.examples_of_rows[rows]
        if split.n_pooled(rows):
            distinct, owners = np.unique(examples, return_inverse=True)
            if split.n_options:
                owners = owners * split.n_options + rows - split.unit_bounds[examples]
            return Picked(distinct, lengths, tokens, starts, one, distinct, owners)
        return Picked(examples, lengths, tokens, starts, one, examples)
    n_words = np.diff(split.word_bounds)[rows]
    words = ranges(split.word_bounds[rows], n_words)
    return Picked(rows, lengths, tokens, split.word_positions[words] + np.repeat(starts, n_words), n_words, words)


def positions_of(lengths: IntArray) -> IntArray:
    """Return the position of each token in its sequence, from 0, ``(T,)``."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def make_batch(task: str, split: EncodedSplit, rows: IntArray) -> Batch:
    """Pack the given rows of a split into one batch."""
    picked = pick(split, rows)
    return Batch(
        task=task,
        rows=picked.rows,
        tokens=torch.from_numpy(split.tokens[picked.tokens].astype(np.int64)),
        positions=torch.from_numpy(positions_of(picked.lengths)),
        token_types=torch.from_numpy(split.token_types[picked.tokens].astype(np.int64)),
        lengths=torch.from_numpy(picked.lengths),
        longest=int(picked.lengths[-1]),
        targets=torch.from_numpy(split.targets[picked.targets]),
        layout=layout_of(picked.lengths.tolist(), picked.read),
        owners=None if picked.owners is None else torch.from_numpy(picked.owners),
    )


def epoch_cuts(
    splits: Mapping[str, EncodedSplit],
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    detached: Mapping[str, EncodedSplit] | None = None,
    counts: Mapping[str, int] | None = None,
) -> Iterator[Cut]:
    """Yield every unit of every task once, in mini-batches of one task, in random order.

    Mini-batches of ``detached`` tasks are inserted between the others. They do not change the order of the others.

    Parameters
    ----------
    counts : mapping of int, optional
        Mini-batches of each task. One pass over its units follows another, across epochs. Default: one pass each.
    """
    attached, extra = (_shuffled_cuts(tasks, batch_size, seed, epoch, counts) for tasks in (splits, detached or {}))
    is_extra = np.repeat([False, True], [len(attached), len(extra)])
    attached_cuts, extra_cuts = iter(attached), iter(extra)
    for slot in np.random.default_rng(seed_of(seed, "beside", epoch)).permutation(is_extra):
        yield next(extra_cuts if slot else attached_cuts)


def _shuffled_cuts(
    splits: Mapping[str, EncodedSplit], batch_size: int, seed: int, epoch: int, counts: Mapping[str, int] | None
) -> list[Cut]:
    cuts: list[Cut] = []
    for name, split in splits.items():
        n = batches_in_an_epoch({name: split}, batch_size) if counts is None else counts[name]
        cuts += stretched_cuts(name, split, batch_size, n, seed=seed, epoch=epoch)
    return [cuts[i] for i in np.random.default_rng(seed_of(seed, "merge", epoch)).permutation(len(cuts))]


def stretched_cuts(
    name: str, split: EncodedSplit, batch_size: int, n_batches: int, *, seed: int, epoch: int
) -> Iterator[Cut]:
    """Yield the rows of ``n_batches`` mini-batches of one task per epoch.

    One pass over the rows follows another, and a pass may continue in the next epoch.
    """
    per_pass, shuffled = -(-split.n_units // batch_size), 0
    for number in range((epoch - 1) * n_batches, epoch * n_batches):
        if shuffled != number // per_pass + 1:
            shuffled = number // per_pass + 1
            units = np.random.default_rng(seed_of(seed, "rows", name, shuffled)).permutation(split.n_units)
        first = number % per_pass * batch_size
        yield name, split.rows_of(units[first : first + batch_size])


def batches_of(cuts: Iterable[Cut], splits: Mapping[str, EncodedSplit]) -> Iterator[Batch]:
    """Yield the mini-batches of these rows."""
    for name, rows in cuts:
        yield make_batch(name, splits[name], rows)


def batches_in_an_epoch(splits: Mapping[str, EncodedSplit], batch_size: int) -> int:
    """Return the number of mini-batches in an epoch of these tasks."""
    return sum(-(-split.n_units // batch_size) for split in splits.values())


def seed_of(*parts: int | str) -> int:
    """Return a 63-bit seed derived from the parts, the same in every process."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8]) >> 1
