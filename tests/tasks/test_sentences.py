"""Properties of sentence splitting, and single cases of the rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskaffinity.tasks.standoff.sentences import (
    document_sentences,
    line_sentences,
    line_spans,
    merge_cut_sentences,
    sentence_spans,
)

TEXT = st.text(st.sampled_from(list("abAB12 .?!()\"'[]\n\tβÉ")), max_size=80)


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("It rose. It fell.", 2),
        ("It rose? It fell! 12 rats died.", 3),
        ("It rose (P < 0.05). It fell.", 2),
        ('It is a "clock." As such, it ticks.', 2),
        ("It rose. [It fell.]", 2),
        ("It rose. Βeta fell. École.", 3),
        ("Seen in E. coli and p.o. in rats, 5.3 mg vs. 10 mg, i.e. less, Fig. 2.", 1),
        ("It was given i.v. at noon.", 1),
        ("It was given (5 mg, i.v.). It rose.", 2),
        ("It was given (5 mg i.p.) 5 days later.", 1),
        ("From Syzygium jambo (L.) Alston we took it.", 1),
        ("1. It rose. 2. It fell. 3. 4 rats died.", 3),
        ("The level was 5. It fell.", 2),
        ("It rose.It fell.", 1),
        ("It rose. mRNA fell.", 1),
        ("", 0),
        (" \n ", 0),
    ],
)
def test_the_rule(text: str, n: int) -> None:
    assert len(split(text)) == n


@given(TEXT)
def test_every_character_is_in_one_sentence(text: str) -> None:
    assert "".join("".join(split(text)).split()) == "".join(text.split())
    spans = sentence_spans(text)
    assert spans == sorted(spans)
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)


@given(TEXT, st.lists(st.tuples(st.integers(0, 79), st.integers(1, 20)), max_size=5))
def test_no_mention_is_cut(text: str, places: list[tuple[int, int]]) -> None:
    solid = [i for i, c in enumerate(text) if not c.isspace()]
    mentions = [(solid[i], solid[min(i + n, len(solid)) - 1] + 1) for i, n in places if i < len(solid)]
    sentences = sentence_spans(text)
    whole, n_merged = merge_cut_sentences(sentences, mentions)
    assert len(whole) + n_merged == len(sentences)
    assert all(any(start <= a and b <= end for start, end in whole) for a, b in mentions)
    assert merge_cut_sentences(whole, mentions) == (whole, 0)


def test_no_sentence_spans_title_and_abstract() -> None:
    assert document_sentences("a title without a point", "an abstract. It ends.") == [(0, 23), (24, 36), (37, 45)]


@given(TEXT)
def test_lines_hold_every_character_and_sentences_stay_in_them(text: str) -> None:
    lines = line_spans(text)
    assert [text[start:end] for start, end in lines] == [line.strip() for line in text.split("\n") if line.strip()]
    for start, end in line_sentences(text):
        assert any(first <= start < end <= last for first, last in lines)
    held = "".join(text[start:end] for start, end in line_sentences(text))
    assert "".join(held.split()) == "".join(text.split())
