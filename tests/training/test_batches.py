"""Mini-batches: every row once per epoch, one task per batch, an order that depends only on the task."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taskaffinity.training.inputs.batches import (
    batches_in_an_epoch,
    batches_of,
    epoch_cuts,
    make_batch,
    seed_of,
    stretched_cuts,
)
from taskaffinity.training.inputs.encoded import EncodedSplit

MakeSplit = Callable[..., EncodedSplit]


@pytest.fixture
def splits(make_split: MakeSplit) -> dict[str, EncodedSplit]:
    return {
        "a": make_split("inference", n=23),
        "b": make_split("ner", n=10, seed=1),
        "c": make_split("similarity", n=4),
    }


def order(splits: dict[str, EncodedSplit], *, seed: int = 0, epoch: int = 1) -> list[tuple[str, tuple[int, ...]]]:
    batches = batches_of(epoch_cuts(splits, 4, seed=seed, epoch=epoch), splits)
    return [(batch.task, tuple(batch.rows.tolist())) for batch in batches]


def test_an_epoch_has_every_row_of_every_task_once(splits: dict[str, EncodedSplit]) -> None:
    for epoch in (1, 2):
        seen = Counter((task, row) for task, rows in order(splits, epoch=epoch) for row in rows)
        assert seen == Counter((task, row) for task, split in splits.items() for row in range(split.n_rows))


def test_all_batches_of_a_task_but_one_are_full(splits: dict[str, EncodedSplit]) -> None:
    sizes = sorted((task, len(rows)) for task, rows in order(splits))
    assert sizes == [("a", 3), *[("a", 4)] * 5, ("b", 2), *[("b", 4)] * 2, ("c", 4)]
    assert batches_in_an_epoch(splits, 4) == len(sizes)


def test_tasks_are_shuffled_in_each_epoch(splits: dict[str, EncodedSplit]) -> None:
    orders = [[task for task, _ in order(splits, epoch=epoch)] for epoch in range(1, 6)]
    assert len({tuple(tasks) for tasks in orders}) > 1
    assert any(tasks != sorted(tasks) for tasks in orders)


def test_the_order_depends_only_on_seed_and_epoch(splits: dict[str, EncodedSplit]) -> None:
    assert order(splits) == order(splits)
    assert order(splits) != order(splits, seed=1)
    assert order(splits) != order(splits, epoch=2)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    once = order(splits)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    assert order(splits) == once


@pytest.mark.parametrize("task_names", [("a",), ("a", "b"), ("c", "a"), ("a", "b", "c")], ids="+".join)
def test_mini_batches_are_the_same_in_single_task_and_multi_task_training(
    task_names: tuple[str, ...], splits: dict[str, EncodedSplit]
) -> None:
    def own(names: tuple[str, ...], epoch: int) -> Counter[tuple[int, ...]]:
        chosen = {name: splits[name] for name in names}
        return Counter(rows for task, rows in order(chosen, epoch=epoch) if task == "a")

    for epoch in (1, 2):
        assert own(task_names, epoch) == own(("a",), epoch)


def stretched(
    split: EncodedSplit, n_batches: int, epochs: int, *, name: str = "a", size: int = 4, seed: int = 0
) -> list[list[frozenset[int]]]:
    """The rows of each mini-batch of each epoch."""
    return [
        [frozenset(rows.tolist()) for _, rows in stretched_cuts(name, split, size, n_batches, seed=seed, epoch=epoch)]
        for epoch in range(1, epochs + 1)
    ]


@settings(deadline=None, max_examples=50)
@given(
    n=st.integers(1, 12), size=st.integers(1, 5), n_batches=st.integers(1, 9), epochs=st.integers(1, 6), data=st.data()
)
def test_stretched_epochs_are_consecutive_passes_over_all_rows(
    n: int, size: int, n_batches: int, epochs: int, data: st.DataObject, make_split: MakeSplit
) -> None:
    split = make_split(data.draw(st.sampled_from(["inference", "ner"])), lengths=[4] * n)
    found = stretched(split, n_batches, epochs, size=size)
    assert [len(epoch) for epoch in found] == [n_batches] * epochs
    one_by_one = [batch for epoch in found for batch in epoch]
    passes: list[list[frozenset[int]]] = [[]]
    for batch in one_by_one:
        if len(frozenset[int]().union(*passes[-1])) == n:
            passes.append([])
        passes[-1].append(batch)
    for whole in passes[:-1]:
        assert Counter(row for batch in whole for row in batch) == Counter(range(n))
    assert max(Counter(row for batch in passes[-1] for row in batch).values()) == 1
    assert all(len(batch) == size for whole in passes for batch in whole[: n // size])


def test_a_stretched_pass_has_the_mini_batches_of_an_epoch(splits: dict[str, EncodedSplit]) -> None:
    found = [batch for epoch in stretched(splits["a"], 10, 3) for batch in epoch]  # six a pass
    for number in range(5):
        epoch = epoch_cuts({"a": splits["a"]}, 4, seed=0, epoch=number + 1)
        assert set(found[6 * number : 6 * number + 6]) == {frozenset(rows.tolist()) for _, rows in epoch}
    assert len({tuple(found[first : first + 6]) for first in range(0, 30, 6)}) == 5


def test_stretched_batches_depend_only_on_seed_and_name(splits: dict[str, EncodedSplit]) -> None:
    once = stretched(splits["a"], 10, 2)
    torch.manual_seed(1)
    assert stretched(splits["a"], 10, 2) == once
    assert stretched(splits["a"], 10, 2, seed=1) != once
    assert stretched(splits["a"], 10, 2, name="b") != once


def test_a_stretched_batch_has_the_task_and_rows_of_its_split(splits: dict[str, EncodedSplit]) -> None:
    for batch in batches_of(stretched_cuts("b", splits["b"], 4, 7, seed=0, epoch=2), splits):
        again = make_batch("b", splits["b"], batch.rows)
        assert batch.task == "b"
        assert batch.tokens.tolist() == again.tokens.tolist()
        assert batch.targets.tolist() == again.targets.tolist()


@pytest.mark.parametrize("kind", ["inference", "similarity", "ner"])
def test_a_batch_has_tokens_words_and_targets_in_order_of_length(kind: str, make_split: MakeSplit) -> None:
    split = make_split(kind, n=9)
    asked = np.array([7, 2, 5, 0])
    batch = make_batch("t", split, asked)
    lengths = [int(split.bounds[row + 1] - split.bounds[row]) for row in asked]
    naive = [row for _, _, row in sorted(zip(lengths, range(4), asked.tolist(), strict=True))]
    assert batch.rows.tolist() == naive
    tokens, positions, types, starts, words, targets = [], [], [], [], [], []  # type: ignore[var-annotated]
    for row in naive:
        starts.append(len(tokens))
        first, last = split.bounds[row], split.bounds[row + 1]
        if kind == "ner":
            own = slice(split.word_bounds[row], split.word_bounds[row + 1])
            words += [len(tokens) + int(position) for position in split.word_positions[own]]
            targets += split.targets[own].tolist()
        else:
            targets.append(split.targets[row].item())
        tokens += split.tokens[first:last].tolist()
        types += split.token_types[first:last].tolist()
        positions += list(range(last - first))
    assert batch.tokens.tolist() == tokens
    assert batch.positions.tolist() == positions
    assert batch.token_types.tolist() == types
    assert batch.lengths.tolist() == sorted(lengths)
    assert batch.layout.read.tolist() == (words if kind == "ner" else starts)
    assert batch.targets.tolist() == targets


def test_seeds_differ_by_purpose_and_fit_every_generator() -> None:
    seeds = {seed_of(seed, "rows", name, epoch) for seed in (0, 1) for name in "ab" for epoch in (1, 2)}
    assert len(seeds) == 8
    assert seed_of(1, "2") != seed_of("1", 2)
    assert all(0 <= seed < 2**63 for seed in seeds)
    digest = hashlib.sha256(b"(0, 'dropout')").hexdigest()
    assert seed_of(0, "dropout") == int(digest[:16], 16) // 2
