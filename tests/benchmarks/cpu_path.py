"""Is the CPU path faster with the optimizer and the batches of the GPU path? For ``train_speed.py --cpu-path``.

A is what a CPU does today, B what was built for GPUs, both on the CPU and in turn, mini-batch by mini-batch (A B, B A):

* ``step`` and ``update``: a whole training step, and the optimizer's part of it, with ``optimizer.Stepper`` and with
  ``one_pass.OnePassStepper``. Both have the same rows and the same dropout. Their formulas are equal but their last
  digits are not: ``difference`` is the norm of the difference of their weights at the end, over that of what A changed.
* ``batches``: one pass over both training sets as mini-batches, with ``batches.make_batch`` and with the epoch table of
  ``feed.Feed``. The batches must be equal bit for bit. The table knows nothing of the blocks that attention needs on a
  CPU, so they are made in both.

``ratio`` says how many times as fast B is: the median over rounds, with quartiles. Times are medians, in milliseconds
of a mini-batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ours import Ours, Precision

from taskaffinity.training.inputs.batches import Batch, Cut, epoch_cuts, make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.inputs.feed import Feed, row_of
from taskaffinity.training.optim.one_pass import OnePassStepper, full_weights
from taskaffinity.training.optim.optimizer import Stepper
from taskaffinity.training.packing.layout import Block, Layout, layout_of
from taskaffinity.training.updates.steps import _AT_ONCE

BATCH = 32
OPTIMIZERS = ("adamax", "adamw")
Row = dict[str, object]
Weights = Mapping[str, torch.Tensor]


def steps(
    folder: Path,
    metas: Mapping[str, TaskMeta],
    splits: Mapping[str, EncodedSplit],
    precisions: Sequence[Precision],
    n: int,
    rounds: int,
) -> Iterator[Row]:
    """Yield the rows ``step`` and ``update`` of each optimizer and precision; ``n`` mini-batches a task and round."""
    for optimizer in OPTIMIZERS:
        for precision in precisions:
            ways = [Ours(folder, metas, splits, optimizer, precision, kind=kind) for kind in (Stepper, OnePassStepper)]
            start = {name: value.clone() for name, value in full_weights(ways[0].model).items()}
            measured = timed_steps(ways, splits, n, rounds)
            difference = difference_of(start, *(full_weights(way.model) for way in ways))
            for what, seconds in zip(("step", "update"), measured, strict=True):
                shared = {"what": what, "optimizer": optimizer, "precision": precision or "fp32"}
                yield {**shared, **summary(seconds / (n * len(splits))), "difference": float(f"{difference:.2g}")}


def timed_steps(
    ways: Sequence[Ours], splits: Mapping[str, EncodedSplit], n: int, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of whole steps and of updates, each ``(rounds, ways)``."""
    rng = np.random.default_rng(0)
    for name, split in splits.items():  # the largest mini-batch first touches all memory
        largest = np.argsort(np.diff(split.bounds))[-BATCH:]
        for way in ways:
            way.step(name, largest, 0)
    whole, updates, number = np.zeros((rounds, 2)), np.zeros((rounds, 2)), 0
    for of_round in range(rounds):
        for _ in range(n):
            for name, split in splits.items():
                rows = rng.choice(split.n_rows, BATCH, replace=False)
                for place in (0, 1) if number % 2 == 0 else (1, 0):
                    took = ways[place].step(name, rows, number)
                    whole[of_round, place] += took.seconds
                    updates[of_round, place] += took.update_seconds
                number += 1
    return whole, updates


def difference_of(start: Weights, one: Weights, other: Weights) -> float:
    """Norm of the difference of two trained weights, over that of what ``one`` changed."""
    apart, changed = (
        math.hypot(*(float(torch.linalg.vector_norm((one[name] - base[name]).float())) for name in one))
        for base in (other, start)
    )
    return apart / changed


def batches(splits: Mapping[str, EncodedSplit], rounds: int) -> Row:
    """The row ``batches``; raises if the two ways differ."""
    feed = Feed(splits, torch.device("cpu"))  # once in a training
    ways: list[Callable[[Sequence[Cut]], Iterator[Batch]]] = [
        lambda cuts: packed(cuts, splits),
        lambda cuts: by_table(cuts, splits, feed),
    ]
    cuts = list(epoch_cuts(splits, BATCH, seed=0, epoch=1))
    if not all(is_equal(*both) for both in zip(ways[0](cuts), ways[1](cuts), strict=True)):
        raise AssertionError("the epoch table gives other batches")
    seconds = np.zeros((rounds, 2))
    for number in range(rounds):
        cuts = list(epoch_cuts(splits, BATCH, seed=0, epoch=number + 2))
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            began = time.perf_counter()
            for _ in ways[place](cuts):
                pass
            seconds[number, place] = time.perf_counter() - began
    return {"what": "batches", "optimizer": "", "precision": "", **summary(seconds / len(cuts)), "difference": 0.0}


def packed(cuts: Sequence[Cut], splits: Mapping[str, EncodedSplit]) -> Iterator[Batch]:
    """A: today's way."""
    return (make_batch(name, splits[name], rows) for name, rows in cuts)


def by_table(cuts: Sequence[Cut], splits: Mapping[str, EncodedSplit], feed: Feed) -> Iterator[Batch]:
    """B: the numbers of many mini-batches in one table, from which each is gathered."""
    left = iter(cuts)
    while rows := [row_of(name, splits[name], of_batch) for name, of_batch in islice(left, _AT_ONCE)]:
        for row, numbers in zip(rows, feed.upload(rows), strict=True):
            batch = feed.batch(row.shape, row.rows, numbers)
            yield replace(batch, layout=layout_of(batch.lengths.tolist(), batch.layout.read.numpy()))


def is_equal(one: object, other: object) -> bool:
    """Whether two batches, or parts of them, are equal bit for bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, Batch | Layout | Block):
        return all(is_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(is_equal, one, other))
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else one == other


def summary(seconds: np.ndarray) -> Row:
    """Medians and quartiles over rounds; ``seconds`` are ``(rounds, 2)``, of A and B."""
    low, ratio, high = np.quantile(seconds[:, 0] / seconds[:, 1], (0.25, 0.5, 0.75))
    today, other = 1e3 * np.median(seconds, axis=0)
    figures = {"today_ms": today, "gpu_way_ms": other, "ratio": ratio, "ratio_q1": low, "ratio_q3": high}
    return {**{name: round(float(value), 3) for name, value in figures.items()}, "rounds": len(seconds)}


def cpu_path(
    folder: Path,
    metas: Mapping[str, TaskMeta],
    splits: Mapping[str, EncodedSplit],
    precisions: Sequence[Precision],
    n: int,
    rounds: int,
) -> pd.DataFrame:
    """Every row, printed as soon as it is there."""
    found = []
    for row in (batches(splits, rounds), *steps(folder, metas, splits, precisions, n, rounds)):
        found.append(row)
        print(row, flush=True)
    return pd.DataFrame(found)
