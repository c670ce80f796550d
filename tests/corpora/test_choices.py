"""The dev part by a rule or a list, and sentence splitting of notes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskaffinity.corpora.choices import Choices, is_hash_below, lowest_hashes, md5_split, read_ids
from taskaffinity.corpora.notes import note_sentences, replace_marks
from taskaffinity.corpora.prepare import prepare

ExpectInputError = Callable[..., str]


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25])
def test_a_share_of_many_ids(share: float) -> None:
    n = 4000
    deviations = (n * share * (1 - share)) ** 0.5
    assert sum(is_hash_below(f"record-{i}", share) for i in range(n)) == pytest.approx(n * share, abs=3 * deviations)


def test_lowest_hashes_are_below_their_share() -> None:
    names = [f"train.{i}" for i in range(750)]
    lowest = lowest_hashes(reversed(names), 75)
    assert len(lowest) == 75
    inside = {name for name in names if is_hash_below(name, 0.09)}
    assert inside <= lowest or lowest <= inside


def test_ids_of_a_file(tmp_path: Path, expect_input_error: ExpectInputError) -> None:
    path = tmp_path / "dev.txt"
    path.write_text("record-1\r\n\n record-2", encoding="utf-8")
    assert read_ids(path) == ("record-1", "record-2")
    path.write_text("a\nb\na\n", encoding="utf-8")
    expect_input_error(lambda: read_ids(path), "line 3", "a second id 'a'", "line 1")
    path.write_text("\n", encoding="utf-8")
    expect_input_error(lambda: read_ids(path), "no id")


def test_choice_that_a_corpus_does_not_offer_is_an_input_error(
    tmp_path: Path, expect_input_error: ExpectInputError
) -> None:
    expect_input_error(
        lambda: prepare("bc5cdr", tmp_path, tmp_path, Choices(dev_ids=("1",))), "--dev-ids", "bc5cdr", "ddi2013"
    )
    expect_input_error(
        lambda: prepare("mednli", tmp_path, tmp_path, Choices(discontinuous="drop")),
        "--discontinuous",
        "expected one of shareclefe",
    )


def test_replaced_marks_keep_offsets() -> None:
    text = "A [**x**] b [**Hospital1 12**], [****] ____ |||| ~~ c"
    clean = replace_marks(text)
    assert len(clean) == len(text)
    assert clean.split() == ["A", "PATTERN", "b", "PATTERN,", "PATTER", "_", "c"]
    assert all(clean.index(word) == text.index(word) for word in ("A", " b ", ",", " c"))


TEXTS = st.text(alphabet=["a", "B", " ", ".", "\n", "-", "1"], max_size=80)


@settings(deadline=None)
@given(TEXTS)
def test_sentences_are_sorted_disjoint_and_hold_every_character(text: str) -> None:
    spans = note_sentences(text)
    covered = "".join(text[start:end] for start, end in spans)
    assert "".join(covered.split()) == "".join(text.split())
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    assert not any("\n\n" in text[start:end] for start, end in spans)


def test_intended_line_break_ends_a_sentence_and_a_wrapped_one_does_not() -> None:
    text = (
        "MEDICATIONS\n1. snarkol 5 mg\n2. Zorbifex and much more of that than would have fitted in the line\nabove it"
    )
    assert [text[start:end] for start, end in note_sentences(text)] == [
        "MEDICATIONS",
        "1. snarkol 5 mg",
        "2. Zorbifex and much more of that than would have fitted in the line\nabove it",
    ]


@pytest.mark.parametrize(("first", "n_sentences"), [("tree of nine mm", 2), ("tree of nine mmm", 1)])
def test_a_line_is_wrapped_if_the_next_word_would_be_longer_than_the_longest_line(first: str, n_sentences: int) -> None:
    following = "slow and all is well"  # 20 characters: after 15 its first word fits, after 16 it does not
    assert len(note_sentences(f"{first}\n{following}")) == n_sentences


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("NCT03860012", "dev"),
        ("NCT03860025", "train"),
        ("NCT03860038", "test"),
        ("NCT03860064", "train"),
        ("13645005-79955004", "train"),
        ("109894007-47821001", "test"),
        ("57891003-169839008", "dev"),
    ],
)
def test_md5_split_equals_the_proposed_split(name: str, split: str) -> None:
    assert md5_split(name) == split
