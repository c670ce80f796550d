"""Words of texts with mentions at offsets, in scripts with combining marks and in scripts without blanks."""

from __future__ import annotations

import json
from pathlib import Path
from unicodedata import category, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.catalog import load_suite
from taskaffinity.tasks.standoff.tokens import word_spans
from taskaffinity.tasks.task import SPLITS, Task

WORDS = {
    "Thai": "ผู้ป่วย กินยา",
    "Hindi": "हिन्दी में",
    "Arabic with vowel signs": "كِتَابٌ جَدِيد",
    "Hebrew with points": "שָׁלוֹם עוֹלָם",
    "decomposed Latin": normalize("NFD", "présent naïve Übel"),
    "decomposed Korean": normalize("NFD", "서울에서 아스피린"),
    "Persian with a joiner": "می\u200cخواهم امروز",
    "English": "folic acid",
}
"""Script -> words that stand between blanks."""


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text, (0, len(text)))[0]]


@pytest.mark.parametrize("script", WORDS)
def test_a_word_between_blanks_is_one_word(script: str) -> None:
    assert words(WORDS[script]) == WORDS[script].split()


@given(st.text(alphabet="aé1_ -.😀中かกู้\u0301\u200d\u200c\n"))
def test_no_character_is_lost_and_no_word_begins_with_a_mark(text: str) -> None:
    found = words(text)
    assert "".join(found) == "".join(text.split())
    for word in found:
        after = text.partition(word)[0][-1:]
        assert category(word[0])[0] != "M" or not after or after.isspace() or text.count(word) > 1


def task(folder: Path, text: str, mention: str) -> Task:
    start = text.index(mention)
    for split in SPLITS:
        row = {"id": split, "text": text, "entities": [{"start": start, "end": start + len(mention), "label": "Drug"}]}
        (folder / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    return read(folder, "kind: ner, path: .")


@pytest.mark.parametrize(
    ("text", "mention"), [("患者服用阿司匹林后发烧。", "阿司匹林"), ("毎日アスピリンを飲む。", "アスピリン")]
)
def test_words_of_chinese_and_japanese_do_not_show_where_a_mention_ends(
    text: str, mention: str, tmp_path: Path
) -> None:
    read_task = task(tmp_path, text, mention)
    [example] = read_task.examples["test"]
    assert list(example.words) == words(text) == list(text)  # as `predict` reads the same text, without its mentions
    assert not read_task.notes


def test_a_mention_that_cuts_a_word_is_counted_with_marks_too(tmp_path: Path) -> None:
    text = WORDS["Thai"]
    [example] = task(tmp_path, text, text[:3]).examples["train"]
    assert example.words == (text[:3], *(text[3:].split()))
    [note] = task(tmp_path, text, text[:3]).notes
    assert note.startswith("3 mentions that begin or end inside a word")


@pytest.mark.parametrize("secret", ["病人今天早上开始发烧咳嗽", "ผู้ป่วยมีไข้ตั้งแต่เช้า", "患者は今朝から発熱しています"])
def test_a_sentence_without_blanks_is_not_quoted_as_a_label_or_an_id(tmp_path: Path, secret: str) -> None:
    """It has no blank, so it is like a name in other languages."""
    good, bad = "他很好", "他不好"  # classes may be quoted
    for of_test in (f"5,x,{secret}\n", f"{secret},x,{good}\n{secret},y,{bad}\n"):
        parts = {"train": f"1,a b,{good}\n2,c d,{bad}\n", "dev": f"3,e f,{good}\n4,g h,{bad}\n", "test": of_test}
        for split, rows in parts.items():
            (tmp_path / f"{split}.csv").write_text(f"id,text,label\n{rows}", encoding="utf-8")
        suite, block = tmp_path / "suite.yaml", "{kind: classification, path: .}"
        suite.write_text(f"name: mine\ntasks:\n  one: {block}\n  two: {block}\n", encoding="utf-8")
        with pytest.raises(InputError) as told:
            load_suite(suite)
        assert "test.csv: line" in str(told.value)
        assert secret not in str(told.value)
