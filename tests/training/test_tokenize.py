"""Tokenization: truncation, split sentences, first tokens of words, samples and the cache."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import RobertaTokenizer

from taskaffinity.tasks.task import SPLITS, Example, Kind, Split, Task
from taskaffinity.training.encoders.load import load_tokenizer
from taskaffinity.training.inputs.encoded import EncodedSplit, task_meta
from taskaffinity.training.inputs.encoded_cache import cache_folder, read_encoded
from taskaffinity.training.inputs.sentence_rows import cut_sentence
from taskaffinity.training.inputs.tokenize import encode_examples, encode_task, side_counts, token_counts

MakeTask = Callable[..., Task]
Encode = Callable[..., dict[Split, EncodedSplit]]


@pytest.fixture
def encode(tokenizer: Any, tmp_path: Path) -> Encode:
    """Encode a task and read it back."""

    def call(task: Task, *, max_length: int = 128, max_words: int = 30, tokenizer: Any = tokenizer) -> Any:
        folder = cache_folder(tmp_path, task.fingerprint, "e1", max_length, max_words)
        encode_task(task, tokenizer, folder, max_length=max_length, max_words=max_words)
        return read_encoded(folder)[1]

    return call


def sentence(tags: str, words: Sequence[str] = ()) -> Example:
    """``OBIO`` as a tagged sentence."""
    return Example(
        "s", tuple("O" if t == "O" else f"{t}-x" for t in tags), words=tuple(words) or tuple("abcdefgh"[: len(tags)])
    )


def rows_of(split: EncodedSplit) -> list[list[int]]:
    return [split.tokens[a:b].tolist() for a, b in zip(split.bounds, split.bounds[1:], strict=False)]


def words_of_rows(split: EncodedSplit) -> list[list[int]]:
    bounds = zip(split.word_bounds, split.word_bounds[1:], strict=False)
    return [split.word_numbers[a:b].tolist() for a, b in bounds]


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 10))
def test_a_sentence_is_split_at_the_last_allowed_place(may_cut: list[bool], most: int) -> None:
    ranges = cut_sentence(may_cut, most)
    assert [i for first, last in ranges for i in range(first, last)] == list(range(len(may_cut)))
    for first, last in ranges[:-1]:
        allowed = [i for i in range(first, first + most) if may_cut[i]]
        assert last == (max(allowed) + 1 if allowed else first + most)
    assert 0 < ranges[-1][1] - ranges[-1][0] <= most
    assert len(ranges) == 1 or len(may_cut) > most


@pytest.mark.parametrize(
    ("tags", "rows"),
    [
        ("OOOO", [[0, 1, 2, 3]]),
        ("OOOOOO", [[0, 1, 2, 3], [4, 5]]),
        ("OOBIIO", [[0, 1], [2, 3, 4, 5]]),
        ("OOOBIO", [[0, 1, 2], [3, 4, 5]]),
        ("BIIIIO", [[0, 1, 2, 3], [4, 5]]),
    ],
    ids=["short", "no mention", "across", "at the end", "longer than a row"],
)
def test_training_sentences_are_split_at_o_so_that_no_mention_is_split(
    tags: str, rows: list[list[int]], encode: Encode, make_task: MakeTask
) -> None:
    train = encode(make_task("ner", [sentence(tags)]), max_words=4)["train"]
    assert words_of_rows(train) == rows
    assert train.examples_of_rows.tolist() == [0] * len(rows)
    assert train.targets.tolist() == ["OBI".index(tag) for tag in tags]


@pytest.mark.parametrize("split", ["dev", "test"])
def test_splits_of_dev_and_test_sentences_do_not_depend_on_tags(
    split: Split, encode: Encode, make_task: MakeTask
) -> None:
    words = ["a", "b", ".", "c", "d", "e", ",", "f", "g", "h", "a"]
    cuts = []
    for tags in ("OOOOOOOOOOO", "BIIIIIIIIII", "OBOBOOOBIOO"):
        encoded = encode(make_task("ner", [sentence(tags, words)]), max_words=4)[split]
        cuts.append((rows_of(encoded), words_of_rows(encoded)))
        assert encoded.targets.tolist() == ["OBI".index(tag) for tag in tags]
    assert cuts[0] == cuts[1] == cuts[2]
    assert cuts[0][1] == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10]]


def test_only_the_first_token_of_each_word_has_a_class(tokenizer: Any, encode: Encode, make_task: MakeTask) -> None:
    words = ["fever", "cold", "a", "and", "cold", "rash"]
    encoded = encode(make_task("ner", [sentence("BOOOBI", words)]))["test"]
    tokens, firsts = ["[CLS]"], []
    for word in words:
        firsts.append(len(tokens))
        tokens += ["cold"] if word == "cold" else [word[0], *(f"##{c}" for c in word[1:])]
    tokens.append("[SEP]")
    assert tokenizer.convert_ids_to_tokens(encoded.tokens.tolist()) == tokens
    assert encoded.word_positions.tolist() == firsts
    assert encoded.targets.tolist() == [1, 0, 0, 0, 1, 2]
    assert not any(tokens[i].startswith(("##", "[")) for i in encoded.word_positions)


def test_truncated_words_have_no_class_but_stay_in_the_gold_tags(encode: Encode, make_task: MakeTask) -> None:
    encoded = encode(make_task("ner", [sentence("BBBBB", ["fever", "cold", "rash", "cold", "a"])]), max_length=10)[
        "test"
    ]
    assert len(encoded.tokens) == 10
    assert encoded.word_numbers.tolist() == [
        0,
        1,
        2,
    ]  # [CLS] 5 1 "r ##a" [SEP]: the third is cut, its first token stays
    assert encoded.gold == [["B-x"] * 5]


@pytest.mark.parametrize("nothing", ["\u200b", "\x00", "\u00ad"], ids=["zero width space", "null", "soft hyphen"])
def test_a_word_without_tokens_becomes_the_unknown_token(
    nothing: str, tokenizer: Any, encode: Encode, make_task: MakeTask
) -> None:
    assert tokenizer.tokenize(nothing) == []
    encoded = encode(make_task("ner", [sentence("OBO", ["cold", nothing, "cold"])]))["train"]
    assert tokenizer.convert_ids_to_tokens(encoded.tokens.tolist()) == ["[CLS]", "cold", "[UNK]", "cold", "[SEP]"]
    assert encoded.word_positions.tolist() == [1, 2, 3]
    assert encoded.targets.tolist() == [0, 1, 0]


def test_byte_level_words_have_first_tokens(tmp_path: Path, encode: Encode, make_task: MakeTask) -> None:
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "\u0120", *"abcdefgh", "\u0120a", "\u0120b"]
    merges = [("\u0120", "a"), ("\u0120", "b")]
    made = RobertaTokenizer(vocab={token: i for i, token in enumerate(vocabulary)}, merges=merges)  # type: ignore[arg-type]
    made.save_pretrained(tmp_path / "bytes")
    tokenizer = load_tokenizer(tmp_path / "bytes")
    encoded = encode(make_task("ner", [sentence("OBI", ["acd", "b", "de"])]), tokenizer=tokenizer)["train"]
    tokens = tokenizer.convert_ids_to_tokens(encoded.tokens.tolist())
    assert tokens == ["<s>", "\u0120a", "c", "d", "\u0120b", "\u0120", "d", "e", "</s>"]
    assert encoded.word_positions.tolist() == [1, 4, 5]


@pytest.mark.parametrize(
    ("first", "second", "kept"), [(20, 3, (6, 3)), (3, 20, (3, 6)), (4, 4, (4, 4)), (2, 5, (2, 5))]
)
def test_the_longer_text_of_a_pair_is_truncated_first(
    first: int, second: int, kept: tuple[int, int], tokenizer: Any, encode: Encode, make_task: MakeTask
) -> None:
    example = Example("p", 1.0, " ".join("a" * first), " ".join("b" * second))
    encoded = encode(make_task("similarity", [example]), max_length=12)["train"]
    a, b = kept
    tokens = tokenizer.convert_ids_to_tokens(encoded.tokens.tolist())
    assert tokens == ["[CLS]", *"a" * a, "[SEP]", *"b" * b, "[SEP]"]
    assert encoded.token_types.tolist() == [0] * (a + 2) + [1] * (b + 1)


def test_two_long_texts_of_a_pair_are_truncated_equally(tokenizer: Any, encode: Encode, make_task: MakeTask) -> None:
    example = Example("p", 1.0, " ".join("a" * 30), " ".join("b" * 25))
    encoded = encode(make_task("similarity", [example]), max_length=12)["train"]
    tokens = tokenizer.convert_ids_to_tokens(encoded.tokens.tolist())
    assert sorted((tokens.count("a"), tokens.count("b"))) == [4, 5]


@pytest.mark.parametrize("max_length", [9, 16, 300])
def test_both_sides_of_pairs_are_counted_with_their_cuts(max_length: int, tokenizer: Any) -> None:
    rng = np.random.default_rng(0)
    pairs = [tuple(" ".join(["fever"] * n) for n in rng.integers(1, 12, 2)) for _ in range(40)]
    examples = [Example(str(n), "x", *pair) for n, pair in enumerate(pairs)] + [Example("alone", "x", "fever " * 50)]
    lengths, n_cut = np.array([[len(tokenizer.tokenize(text)) for text in pair] for pair in pairs]), np.zeros(2)
    for pair, whole in zip(pairs, lengths, strict=True):
        types = np.array(tokenizer(*pair, truncation=True, max_length=max_length)["token_type_ids"])
        n_cut += np.array([np.sum(types == 0) - 2, np.sum(types == 1) - 1]) < whole  # [CLS] and two [SEP]
    found = side_counts(examples, tokenizer, max_length)
    assert [of for of, _ in found.values()] == lengths.T.tolist()
    assert [n for _, n in found.values()] == n_cut.tolist()
    assert (n_cut > 0).all() == (max_length < 300)
    assert side_counts(examples[-1:], tokenizer, max_length) == {}


def test_classes_are_numbered_in_the_order_of_the_task(encode: Encode, make_task: MakeTask) -> None:
    examples = [Example(str(i), label, "cold") for i, label in enumerate(["no", "yes", "no", "maybe"])]
    task = make_task("relation", examples, ("yes", "maybe", "no"))
    encoded = encode(task)["dev"]
    assert encoded.targets.tolist() == [2, 0, 2, 1]
    assert encoded.gold == ["no", "yes", "no", "maybe"]
    assert encoded.ids == [f"dev.{i}" for i in range(4)]
    assert task_meta(task).outputs == ("yes", "maybe", "no")


def test_tags_are_o_and_b_and_i_of_each_type(make_task: MakeTask) -> None:
    task = make_task("ner", [sentence("O")], ("x", "y"))
    assert task_meta(task).outputs == ("O", "B-x", "I-x", "B-y", "I-y")


@pytest.mark.parametrize("order", ["pnp", "npn", "pp", "nn"], ids=["between pairs", "around a pair", "pairs", "none"])
def test_a_single_text_among_pairs_is_encoded_without_a_second(order: str, tokenizer: Any, make_task: MakeTask) -> None:
    pair, alone = Example("p", "x", "cold fever", "rash"), Example("n", "x", "cold fever")
    examples = [replace(pair if kind == "p" else alone, id=f"{i}") for i, kind in enumerate(order)]
    task = make_task("classification", examples)
    encoded = encode_examples(task.examples["test"], tokenizer, task_meta(task), 9, 30, is_train=False)
    types = np.split(encoded.token_types, encoded.bounds[1:-1])
    for kind, row, of_row in zip(order, rows_of(encoded), types, strict=True):
        seconds = ["rash"] if kind == "p" else None
        expected = tokenizer(["cold fever"], seconds, truncation="longest_first", max_length=9)
        assert [row] == expected["input_ids"]
        assert [of_row.tolist()] == expected["token_type_ids"]
    assert token_counts(task, "test", tokenizer, 30) == [13 if kind == "p" else 8 for kind in order]


def random_tagged(n: int) -> list[Example]:
    rng = np.random.default_rng(0)
    made = []
    for i in range(n):
        tags = rng.choice(["O", "O", "B-x"], rng.integers(1, 12)).tolist()
        words = tuple(rng.choice(["cold", "fever", "."], len(tags)).tolist())
        made.append(Example(str(i), tuple(tags), words=words, document=str(i // 3)))
    return made


def random_pairs(n: int) -> list[Example]:
    rng = np.random.default_rng(1)
    return [Example(str(i), float(i), "cold " * rng.integers(1, 9), "rash " * rng.integers(1, 4)) for i in range(n)]


def assert_same(one: EncodedSplit, other: EncodedSplit) -> None:
    for field in fields(EncodedSplit):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        assert np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs, field.name


@pytest.mark.parametrize("kind", ["ner", "similarity"])
@pytest.mark.parametrize("split", SPLITS)
def test_a_sample_equals_the_encoding_of_its_examples(
    kind: str, split: Split, encode: Encode, make_task: MakeTask
) -> None:
    examples = random_tagged(20) if kind == "ner" else random_pairs(20)
    sample = encode(make_task(kind, examples), max_words=4)[split].sample(7, seed=3)
    chosen = [example for example in examples if f"{split}.{example.id}" in sample.ids]
    assert len(chosen) == sample.n_examples == 7
    assert_same(sample, encode(make_task(kind, chosen), max_words=4)[split])


def test_a_sample_depends_on_its_seed_and_is_at_most_the_whole_split(encode: Encode, make_task: MakeTask) -> None:
    split = encode(make_task("similarity", random_pairs(20)))["train"]
    drawn = {tuple(split.sample(7, seed).ids) for seed in (0, 0, 1)}
    assert len(drawn) == 2
    assert all(list(ids) == sorted(ids, key=lambda name: int(name.rpartition(".")[2])) for ids in drawn)
    for n in (None, 20, 21):
        assert split.sample(n, 0) is split


@pytest.mark.parametrize(("ratio", "n_negatives"), [(0.1, 1), (1.0, 6), (1.5, 9), (5.0, 14), (99.0, 14)])
def test_downsampling_keeps_every_positive_and_the_given_ratio_of_negatives(
    ratio: float, n_negatives: int, make_split: Callable[..., EncodedSplit]
) -> None:
    split = make_split("inference", n=20)
    split = replace(split, gold=["false"] * 14 + ["yes"] * 6)
    thinned = split.downsample_negatives("false", ratio, seed=0)
    assert thinned.gold.count("yes") == 6
    assert thinned.gold.count("false") == n_negatives == thinned.n_examples - 6
    assert list(thinned.ids) == sorted(thinned.ids, key=lambda name: int(name[1:]))
    assert thinned.ids == split.downsample_negatives("false", ratio, seed=0).ids
    if n_negatives == 6:
        assert thinned.ids != split.downsample_negatives("false", ratio, seed=1).ids


@pytest.mark.parametrize("n", [2, 20, 21])
@pytest.mark.parametrize("kind", ["ner", "similarity"])
def test_halves_equal_the_encodings_of_their_examples(kind: str, n: int, encode: Encode, make_task: MakeTask) -> None:
    examples = random_tagged(n) if kind == "ner" else random_pairs(n)
    whole = encode(make_task(kind, examples), max_words=4)["train"]
    halves = whole.split_half(seed=3)
    assert [half.n_examples for half in halves] == [n - n // 2, n // 2]
    assert sorted(id for half in halves for id in half.ids) == sorted(whole.ids)
    assert sum(half.n_rows for half in halves) == whole.n_rows
    for half in halves:
        chosen = [example for example in examples if f"train.{example.id}" in half.ids]
        assert_same(half, encode(make_task(kind, chosen), max_words=4)["train"])


def test_halves_depend_only_on_their_seed(encode: Encode, make_task: MakeTask) -> None:
    split = encode(make_task("similarity", random_pairs(20)))["train"]
    for ours, theirs in zip(split.split_half(0), split.split_half(0), strict=True):
        assert_same(ours, theirs)
    drawn = {tuple(split.split_half(seed)[0].ids) for seed in (0, 0, 1)}
    assert len(drawn) == 2
    first, second = ({int(id.removeprefix("train.")) for id in half.ids} for half in split.split_half(0))
    assert max(first) > min(second)
    assert max(second) > min(first)


@pytest.mark.parametrize("kind", ["ner", "similarity"])
def test_taking_all_examples_is_the_identity_and_takes_compose(kind: str, encode: Encode, make_task: MakeTask) -> None:
    examples = random_tagged(20) if kind == "ner" else random_pairs(20)
    split = encode(make_task(kind, examples), max_words=4)["train"]
    assert_same(split.take(np.arange(20)), split)
    assert_same(split.take(np.array([1, 4, 7, 19])).take(np.array([0, 2])), split.take(np.array([1, 7])))


def test_the_cache_is_written_once_and_readable_only_by_its_owner(
    tokenizer: Any, tmp_path: Path, make_task: MakeTask
) -> None:
    folder = cache_folder(tmp_path, "f1", "e1", 128, 30)
    task = make_task("similarity", random_pairs(3))
    encode_task(task, tokenizer, folder, max_length=128, max_words=30)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    encode_task(task, None, folder, max_length=128, max_words=30)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not list(tmp_path.rglob("*.pkl"))


def test_an_interrupted_encoding_is_repeated(tokenizer: Any, tmp_path: Path, make_task: MakeTask) -> None:
    folder = tmp_path / "encoded" / "x"
    task = make_task("similarity", random_pairs(3))
    with pytest.raises(TypeError):
        encode_task(task, None, folder, max_length=128, max_words=30)
    assert not folder.exists()
    encode_task(task, tokenizer, folder, max_length=128, max_words=30)
    assert read_encoded(folder)[0] == task_meta(task)
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == ["x"]


def test_the_cache_contains_no_document_name(tokenizer: Any, tmp_path: Path, make_task: MakeTask) -> None:
    examples = [replace(example, document=f"mimsy {n % 2}") for n, example in enumerate(random_pairs(4))]
    folder = tmp_path / "encoded" / "x"
    encode_task(make_task("similarity", examples), tokenizer, folder, max_length=128, max_words=30)
    assert not any(b"mimsy" in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    names = read_encoded(folder)[1]["test"].documents
    assert names[0] == names[2] != names[1] == names[3]


def test_every_setting_that_changes_tokens_changes_the_cache_folder(tmp_path: Path) -> None:
    keys: list[tuple[str, str, int, int]] = [
        ("f1", "e1", 128, 30),
        ("f2", "e1", 128, 30),
        ("f1", "e2", 128, 30),
        ("f1", "e1", 64, 30),
        ("f1", "e1", 128, 20),
    ]
    folders = {
        cache_folder(tmp_path, *key, trains_on_dev=joined, reversed_pairs=reversed_)
        for key in keys
        for joined in (False, True)
        for reversed_ in (False, True)
    }
    assert len(folders) == 4 * len(keys)


@pytest.mark.parametrize("kind", ["similarity", "relation", "ner", "multilabel"])
def test_reversed_pairs_equal_pairs_that_were_written_in_reverse(
    kind: Kind, tokenizer: Any, tmp_path: Path, make_task: MakeTask
) -> None:
    one_text = [Example("1", "x", "cold fever")]
    several = [replace(pair, label=((), ("x",))[n % 2]) for n, pair in enumerate(random_pairs(9))]
    given = {"similarity": random_pairs(9), "relation": one_text, "ner": random_tagged(9), "multilabel": several}[kind]
    swapped = [e if e.text_pair is None else replace(e, text=e.text_pair, text_pair=e.text) for e in given]
    found = []
    for number, (examples, is_reversed) in enumerate([(given, True), (swapped, False)]):
        folder = tmp_path / "encoded" / str(number)
        encode_task(
            make_task(kind, examples), tokenizer, folder, max_length=16, max_words=4, reversed_pairs=is_reversed
        )
        found.append(read_encoded(folder)[1])
    for split in SPLITS:
        assert_same(found[0][split], found[1][split])


@pytest.mark.parametrize("kind", ["similarity", "ner"])
def test_dev_that_is_trained_on_is_split_as_train_and_scored_as_before(
    kind: Kind, tokenizer: Any, tmp_path: Path
) -> None:
    made = random_tagged(30) if kind == "ner" else random_pairs(30)
    parts: dict[Split, Sequence[Example]] = {"train": made[:12], "dev": made[12:20], "test": made[20:]}
    task = Task("toy", kind, parts.__getitem__, ("x",) if kind == "ner" else ())
    splits: dict[bool, dict[Split, EncodedSplit]] = {}
    for trains_on_dev in (False, True):
        folder = tmp_path / "encoded" / str(trains_on_dev)
        encode_task(task, tokenizer, folder, max_length=32, max_words=4, trains_on_dev=trains_on_dev)
        splits[trains_on_dev] = read_encoded(folder)[1]
    one_file = encode_examples(made[:20], tokenizer, task_meta(task), 32, 4, is_train=True)
    assert_same(splits[True]["train"], one_file)
    assert_same(splits[True]["dev"], splits[False]["dev"])
    assert_same(splits[True]["test"], splits[False]["test"])
    if kind == "ner":  # the two rules split these sentences at different words
        trained = splits[True]["train"].take(np.arange(12, 20))
        assert words_of_rows(trained) != words_of_rows(splits[True]["dev"])
