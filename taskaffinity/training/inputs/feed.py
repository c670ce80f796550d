"""Make mini-batches on a GPU from rows of numbers; its corpora are copied once.

A row has the numbers of tokens and targets in the corpora, the bounds of sequences, and the states that a head reads.
The rows of many mini-batches are copied together, so a step gathers its batch on the GPU and waits for no copy.

A row may have room: tokens, and places that a head reads, up to a given number. They form one more sequence, whose
targets are ignored. Mini-batches with the same room have the same shapes, which a captured step needs.
"""

# B sequences of the batch and S with the room's, T tokens, R states that the head reads

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from taskaffinity.training.inputs.batches import Batch, pick, positions_of
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray
from taskaffinity.training.packing.layout import Layout, sent

IGNORED = -100
"""The target that cross-entropy ignores."""


class Shape(NamedTuple):
    """The sizes of a mini-batch on a GPU."""

    task: str
    n_tokens: int
    n_sequences: int
    n_read: int
    longest: int
    """Upper bound of the number of tokens of the longest sequence."""
    most_read: int
    """Upper bound of the number of read tokens of one sequence."""
    n_pooled: int = 0
    """Number of examples whose windows are pooled; 0 if none are."""

    @property
    def parts(self) -> tuple[int, ...]:
        """Sizes of the parts of a row.

        The parts are tokens, bounds, places to read, their bounds, targets, owners of windows.
        """
        sizes = self.n_tokens, self.n_sequences + 1, self.n_read, self.n_sequences + 1
        return (*sizes, self.n_pooled, self.n_read) if self.n_pooled else (*sizes, self.n_read)


@dataclass(frozen=True)
class Row:
    """A mini-batch as numbers."""

    shape: Shape
    """The shape, including room."""
    rows: IntArray  # those of the batch
    n_tokens: int
    """Tokens of the split's rows."""
    numbers: npt.NDArray[np.int32]


def row_of(task: str, split: EncodedSplit, rows: IntArray, room: Shape | None = None) -> Row:
    """Return the row of numbers of a mini-batch.

    Parameters
    ----------
    room : Shape, optional
        The shape to fill. It has one sequence and at least one token more than the mini-batch.
    """
    picked = pick(split, rows)
    n, n_read = len(picked.tokens), len(picked.read)
    owners = [] if picked.owners is None else [picked.owners]
    bounds, read_bounds = (np.cumsum([0, *sizes]) for sizes in (picked.lengths, picked.n_read))
    parts: list[IntArray]
    if room is None:
        n_pooled = len(picked.rows) if owners else 0
        shape = Shape(task, n, len(rows), n_read, int(picked.lengths[-1]), int(picked.n_read.max()), n_pooled)
        parts = [picked.tokens, bounds, picked.read, read_bounds, picked.targets, *owners]
    else:
        shape, more, more_read = room, room.n_tokens - n, room.n_read - n_read
        parts = [
            np.append(picked.tokens, np.zeros(more, np.int64)),  # any token is valid here
            np.append(bounds, room.n_tokens),
            np.append(picked.read, n + np.arange(more_read) % more),
            np.append(read_bounds, room.n_read),
            np.append(picked.targets, np.full(more_read, len(split.targets))),
            *owners,  # only words have room to read
        ]
    return Row(shape, picked.rows, n, np.concatenate(parts).astype(np.int32))


class Corpus(NamedTuple):
    """A split on a device."""

    tokens: Tensor  # (3, T) int32: each token, its type, and its position in its sequence
    targets: Tensor  # those of the split, and one that is ignored

    @classmethod
    def of(cls, split: EncodedSplit, device: torch.device) -> Self:
        """Copy a split to a device."""
        positions = positions_of(np.diff(split.bounds))
        tokens = np.stack([split.tokens, split.token_types.astype(np.int32), positions.astype(np.int32)])
        ignored = np.full((1, *split.targets.shape[1:]), IGNORED, split.targets.dtype)
        targets = np.concatenate([split.targets, ignored])
        return cls(torch.from_numpy(tokens).to(device), torch.from_numpy(targets).to(device))


class Feed:
    """The corpora of splits on a device, which gathers mini-batches from them."""

    def __init__(self, splits: Mapping[str, EncodedSplit], device: torch.device) -> None:
        self.device = device
        self._corpora = {name: Corpus.of(split, device) for name, split in splits.items()}

    def upload(self, rows: Sequence[Row]) -> tuple[Tensor, ...]:
        """Copy the numbers of all rows to the device at once."""
        table = torch.from_numpy(np.concatenate([row.numbers for row in rows]))
        return torch.split(sent(table, self.device.type), [len(row.numbers) for row in rows])

    def batch(self, shape: Shape, rows: IntArray, numbers: Tensor) -> Batch:
        """Return the mini-batch of a row's numbers on the device."""
        corpus = self._corpora[shape.task]
        picked, bounds, read, read_bounds, of_targets, *owners = numbers.split(shape.parts)
        tokens, token_types, positions = corpus.tokens.index_select(1, picked).long()
        return Batch(
            task=shape.task,
            rows=rows,
            tokens=tokens,
            positions=positions,
            token_types=token_types,
            lengths=bounds.diff().long(),
            longest=shape.longest,
            targets=corpus.targets.index_select(0, of_targets),
            layout=Layout((), read.long(), (), bounds, read_bounds, shape.longest, shape.most_read),
            owners=owners[0] if owners else None,
        )
