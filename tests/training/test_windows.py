"""Windows over long texts: which tokens each has, where a word is read, and the gradients of pooled outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import AutoModel

from taskaffinity.runs.recipe import Recipe
from taskaffinity.tasks.reading import WHOLE, Pool, Reading
from taskaffinity.tasks.task import Example, Kind, Task
from taskaffinity.training.inputs.batches import batches_in_an_epoch, epoch_cuts, make_batch, stretched_cuts
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta, task_meta
from taskaffinity.training.inputs.feed import Feed, row_of
from taskaffinity.training.inputs.tokenize import encode_examples
from taskaffinity.training.inputs.windows import sentence_windows, tagging_windows, window_starts
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.prediction import predict

MakeMeta = Callable[..., TaskMeta]
MakeSplit = Callable[..., EncodedSplit]
MakeEncoder = Callable[..., Path]
MakeTask = Callable[..., Task]
Kinds = ("inference", "similarity", "multilabel")


@given(st.integers(1, 60), st.integers(1, 20), st.one_of(st.none(), st.integers(1, 30)))
def test_windows_cover_every_token_and_are_equally_long(n: int, window: int, stride: int | None) -> None:
    starts = window_starts(n, window, stride)
    assert {token for start in starts for token in range(start, min(start + window, n))} == set(range(n))
    if n <= window:
        assert starts == [0]
    else:
        steps = np.diff(starts)
        step = min(window, stride or max(1, window // 2))
        assert starts[-1] == n - window
        assert (steps[:-1] == step).all()
        assert 0 < steps[-1] <= step


@pytest.mark.parametrize("overlap", [1, 3, 5])
@pytest.mark.parametrize("side", ["alone", "text", "text_pair"])
def test_windows_are_those_of_the_tokenizer_but_the_last_is_full(side: Any, overlap: int, tokenizer: Any) -> None:
    long, short = " ".join("abcdefghijklmnopqrstuvwxyz"), "cold a b"
    texts = {"alone": (long,), "text": (long, short), "text_pair": (short, long)}[side]
    max_length = 12 if side == "alone" else 15
    room = max_length - (2 if side == "alone" else 3 + 3)
    reading = Reading(long="windows", stride=room - overlap, windowed="text" if side == "alone" else side)
    whole = tokenizer([texts[0]], [texts[1]] if len(texts) > 1 else None)
    found = [
        np.array(whole["input_ids"][0])[places].tolist()
        for places in sentence_windows(whole.sequence_ids(0), max_length, reading)
    ]
    expected = tokenizer(
        *texts,
        truncation="only_second" if side == "text_pair" else "only_first",
        max_length=max_length,
        stride=overlap,
        return_overflowing_tokens=True,
    )["input_ids"]
    assert len(found) == len(expected) > 1
    assert found[:-1] == expected[:-1]
    assert {len(row) for row in found} == {max_length}
    assert tokenizer.convert_ids_to_tokens(found[-1]).count("z") == 1


@pytest.mark.parametrize(
    ("first", "second", "other"),
    [(30, 2, 2), (30, 20, 4), (3, 30, 6), (5, 5, 4)],
    ids=["short other", "two long", "long other", "both fill it"],
)
def test_the_other_text_has_half_of_the_room_or_what_is_left(
    first: int, second: int, other: int, tokenizer: Any
) -> None:
    whole = tokenizer([" ".join("a" * first)], [" ".join("b" * second)])
    windows = sentence_windows(whole.sequence_ids(0), 12, Reading(long="windows"))  # room for 9 tokens
    rows = [tokenizer.convert_ids_to_tokens(np.array(whole["input_ids"][0])[places].tolist()) for places in windows]
    assert {row.count("b") for row in rows} == {other}
    assert {row.count("a") for row in rows} == {min(first, 9 - other)}


def encoded(examples: Sequence[Example], tokenizer: Any, meta: TaskMeta, reading: Reading, **lengths: int) -> Any:
    lengths = {"max_length": 16, "max_words": 30, **lengths}
    return encode_examples(examples, tokenizer, replace(meta, reading=reading), **lengths, is_train=False)


@pytest.mark.parametrize("kind", ["inference", "ner"])
def test_shorter_texts_have_the_same_arrays(kind: Kind, tokenizer: Any, make_task: MakeTask) -> None:
    words = ("fever", "cold", "a")
    examples = [
        Example("a", ("O", "B-x", "O"), words=words) if kind == "ner" else Example("a", "x", "fever", "cold rash"),
        Example("b", ("O",), words=("cold",)) if kind == "ner" else Example("b", "x", "cold"),
    ]
    meta = task_meta(make_task(kind, examples))
    one, other = (
        encoded(examples, tokenizer, meta, Reading(long=long, max_words=30)) for long in ("truncate", "windows")
    )
    for field in fields(EncodedSplit):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        assert np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs, field.name


@given(st.lists(st.integers(1, 6), min_size=1, max_size=25), st.integers(4, 12), st.sampled_from([None, 1, 3, 20]))
def test_a_word_is_read_once_where_it_has_most_context(sizes: list[int], room: int, stride: int | None) -> None:
    words = [None, *(word for word, size in enumerate(sizes) for _ in range(size)), None]
    windows = tagging_windows(words, room + 2, Reading(long="windows", stride=stride))
    assert sorted(word for window in windows for word in window.words) == list(range(len(sizes)))
    n, starts = sum(sizes), window_starts(sum(sizes), room, stride)
    for window in windows:
        assert len(window.tokens) == min(room, n) + 2
        start = int(window.tokens[1]) - 1
        assert start in starts
        for word, position in zip(window.words, window.positions, strict=True):
            place = int(window.tokens[position])
            assert words[place] == word != words[place - 1]  # its first token
            first, end = place - 1, place - 1 + sizes[word]

            def context(begin: int, first: int = first, end: int = end) -> float:
                if not begin <= first < begin + room:
                    return -np.inf
                left = np.inf if begin == 0 else first - begin
                return min(left, np.inf if begin + room >= n else begin + room - end)

            assert context(start) == max(map(context, starts))


def test_tags_of_a_long_sentence_are_those_of_its_words(tokenizer: Any, make_task: MakeTask) -> None:
    rng = np.random.default_rng(0)
    tags = tuple(rng.choice(["O", "B-x"], 40).tolist())
    words = tuple("cold" if tag == "O" else "fever" for tag in tags)
    meta = task_meta(make_task("ner", [Example("s", tags, words=words)]))
    split = encoded([Example("s", tags, words=words)], tokenizer, meta, Reading(max_words=WHOLE, long="windows"))
    assert split.n_rows > 3
    assert sorted(split.word_numbers.tolist()) == list(range(40))
    starts = np.repeat(split.bounds[:-1], np.diff(split.word_bounds))
    seen = tokenizer.convert_ids_to_tokens(split.tokens[starts + split.word_positions].tolist())
    assert [("O", "B-x")[t] for t in split.targets] == [tags[n] for n in split.word_numbers]
    assert seen == [words[n] if words[n] == "cold" else "f" for n in split.word_numbers]
    cut = encoded([Example("s", tags, words=words)], tokenizer, meta, Reading(max_words=WHOLE))
    assert (cut.n_rows, len(cut.tokens)) == (1, 16)


def test_lengths_of_a_task_come_before_those_of_the_recipe(tokenizer: Any, make_task: MakeTask) -> None:
    examples = [Example("a", "x", " ".join("a" * 40))]
    meta = task_meta(make_task("classification", examples))
    assert np.diff(encoded(examples, tokenizer, meta, Reading()).bounds).tolist() == [16]
    assert np.diff(encoded(examples, tokenizer, meta, Reading(max_length=30)).bounds).tolist() == [30]
    windows = encoded(examples, tokenizer, meta, Reading(max_length=30, long="windows"))
    assert np.diff(windows.bounds).tolist() == [30, 30]


@pytest.fixture
def windowed(make_split: MakeSplit) -> Callable[..., EncodedSplit]:
    """A split whose rows are the windows of fewer examples: one to four of each."""

    def make(kind: Kind, seed: int = 0) -> EncodedSplit:
        split = make_split(kind, n=24, seed=seed)
        n_windows = [1, 3, 2, 1, 4, 2, 1, 1, 3, 2, 4]
        first = np.cumsum([0, *n_windows[:-1]])
        return replace(
            split,
            ids=[split.ids[i] for i in first],
            gold=[split.gold[i] for i in first],
            documents=[split.documents[i] for i in first],
            targets=split.targets[first],
            examples_of_rows=np.repeat(np.arange(len(first)), n_windows),
        )

    return make


def test_windows_of_an_example_stay_in_one_mini_batch(windowed: Callable[..., EncodedSplit]) -> None:
    split = windowed("inference")
    cuts = [rows for _, rows in epoch_cuts({"a": split}, 4, seed=0, epoch=1)]
    assert batches_in_an_epoch({"a": split}, 4) == len(cuts) == 3
    numbers = [np.unique(split.examples_of_rows[rows]) for rows in cuts]
    assert sorted(np.concatenate(numbers).tolist()) == list(range(split.n_examples))
    assert sorted(len(of_cut) for of_cut in numbers) == [3, 4, 4]
    assert sorted(np.concatenate(cuts).tolist()) == list(range(split.n_rows))
    stretched = [rows for _, rows in stretched_cuts("a", split, 4, 3, seed=0, epoch=1)]
    assert sorted(np.concatenate(stretched).tolist()) == list(range(split.n_rows))


def plain_outputs(model: MultiTaskModel, encoder: Any, split: EncodedSplit, example: int, pool: Pool) -> torch.Tensor:
    """One window after the other through transformers' own encoder; then the mean or the maximum."""
    outputs = []
    for row in np.flatnonzero(split.examples_of_rows == example):
        part = slice(split.bounds[row], split.bounds[row + 1])
        tokens, types = (
            torch.tensor(values[part].astype(np.int64))[None] for values in (split.tokens, split.token_types)
        )
        outputs.append(model.heads["a"].output(encoder(input_ids=tokens, token_type_ids=types).pooler_output))
    stacked = torch.cat(outputs)
    return stacked.mean(dim=0) if pool == "mean" else stacked.max(dim=0).values


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])
@pytest.mark.parametrize("pool", ["mean", "max"])
@pytest.mark.parametrize("kind", Kinds)
def test_loss_and_gradients_equal_a_plain_loop_over_windows(
    kind: Kind, pool: Pool, packed: bool, make_encoder: MakeEncoder, make_meta: MakeMeta, windowed: Any
) -> None:
    folder, split = make_encoder("bert"), windowed(kind)
    meta = replace(make_meta("a", kind), reading=Reading(long="windows", pool=pool))
    model = MultiTaskModel(folder, {"a": meta}, seed=0, head_dropout=0.0, encoder_dropout=0.0, packed=packed)
    assert model.is_packed == packed
    examples = np.array([4, 1, 7, 2])
    loss = model.loss(make_batch("a", split, split.rows_of(examples)))
    loss.backward()
    plain = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    outputs = torch.stack([plain_outputs(model, plain, split, example, pool) for example in examples])
    targets = torch.tensor(split.targets[examples])
    losses: dict[str, Callable[[], torch.Tensor]] = {
        "inference": lambda: nn.functional.cross_entropy(outputs, targets),
        "similarity": lambda: nn.functional.mse_loss(outputs[:, 0], targets),
        "multilabel": lambda: nn.functional.binary_cross_entropy_with_logits(outputs, targets),
    }
    expected = losses[kind]()
    expected.backward()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    ours = {name: weight.grad for name, weight in model.encoder.named_parameters() if weight.grad is not None}
    assert len(ours) > 20
    theirs = dict(plain.named_parameters())
    for name, gradient in ours.items():
        expected_gradient = theirs[name].grad
        assert expected_gradient is not None
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_the_order_of_windows_does_not_matter(
    pool: Pool, make_encoder: MakeEncoder, make_meta: MakeMeta, windowed: Any
) -> None:
    split = windowed("similarity")
    order = np.concatenate([np.flatnonzero(split.examples_of_rows == e)[::-1] for e in range(split.n_examples)])
    parts = [slice(split.bounds[row], split.bounds[row + 1]) for row in order]
    other = replace(
        split,
        tokens=np.concatenate([split.tokens[part] for part in parts]),
        token_types=np.concatenate([split.token_types[part] for part in parts]),
        bounds=np.concatenate([[0], np.cumsum(np.diff(split.bounds)[order])]),
    )
    meta = replace(make_meta("a", "similarity"), reading=Reading(long="windows", pool=pool))
    folder = make_encoder("bert")
    model = MultiTaskModel(folder, {"a": meta}, seed=0)
    one, two = predict(model, meta, split), predict(model, meta, other)
    assert np.ptp(one) > 0.1
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    plain = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        alone = [float(plain_outputs(model, plain, split, example, pool)[0]) for example in range(split.n_examples)]
    np.testing.assert_allclose(one, alone, rtol=1e-4, atol=1e-5)


def test_a_gpu_gathers_the_same_windows(windowed: Callable[..., EncodedSplit]) -> None:
    split = windowed("multilabel")
    feed = Feed({"a": split}, torch.device("cpu"))
    for examples in (np.array([4, 1, 7]), np.array([0, 3])):
        rows = split.rows_of(examples)
        row = row_of("a", split, rows)
        assert row.shape.n_pooled == (3 if len(examples) == 3 else 0)
        found, expected = feed.batch(row.shape, row.rows, feed.upload([row])[0]), make_batch("a", split, rows)
        assert found.rows.tolist() == expected.rows.tolist()
        assert torch.equal(found.targets, expected.targets)
        assert (found.owners is None) == (expected.owners is None)
        if found.owners is not None and expected.owners is not None:
            assert torch.equal(found.owners, expected.owners)


def test_training_without_a_long_text_has_the_same_bits(
    make_encoder: MakeEncoder, make_meta: MakeMeta, make_split: MakeSplit
) -> None:
    split, folder = make_split("inference", n=24), make_encoder("bert")
    recipe = Recipe(learning_rate=1e-3, num_train_epochs=2, batch_size=5)
    found = []
    for reading in (Reading(), Reading(long="windows")):
        meta = replace(make_meta("a", "inference"), reading=reading)
        model = MultiTaskModel(folder, {"a": meta}, seed=0)
        losses = [epoch.losses["a"] for epoch in TrainingLoop(model, {"a": split}, recipe, seed=0).epochs()]
        found.append((losses, model.encoder.state_dict(), predict(model, meta, split)))
    assert found[0][0] == found[1][0]
    assert all(torch.equal(weight, found[1][1][name]) for name, weight in found[0][1].items())
    assert found[0][2] == found[1][2]


def test_a_mini_batch_of_long_texts_is_counted_in_examples(
    make_encoder: MakeEncoder, make_meta: MakeMeta, windowed: Any
) -> None:
    split, meta = windowed("inference"), replace(make_meta("a", "inference"), reading=Reading(long="windows"))
    model = MultiTaskModel(make_encoder("bert"), {"a": meta}, seed=0)
    loop = TrainingLoop(model, {"a": split}, Recipe(batch_size=4, num_train_epochs=1), seed=0)
    done = list(loop.steps.run(epoch_cuts({"a": split}, 4, seed=0, epoch=1)))
    assert sorted(one.n_rows for one in done) == [3, 4, 4]
    assert sum(one.n_tokens for one in done) == len(split.tokens)
