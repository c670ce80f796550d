"""Rows of unlabelled text, read as they are used; a fault names its line and quotes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import Kind
from taskaffinity.tasks.unlabelled import Unlabelled, read_unlabelled


def test_a_text_a_line_and_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeff é a \r\n\n \nb".encode())
    assert list(read_unlabelled(path, "ner")) == [
        Unlabelled(1, 11, text=" é a "),
        Unlabelled(4, 15, text="b"),
    ]


def test_rows_of_each_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 7, "text": "a", "text_pair": "b", "label": "x"}\n')
    assert list(read_unlabelled(path, "inference")) == [Unlabelled(1, 55, 7, "a", "b")]
    assert list(read_unlabelled(path, "relation")) == [Unlabelled(1, 55, 7, "a", "b")]
    assert list(read_unlabelled(path, "ner")) == [Unlabelled(1, 55, 7, "a")]
    path.write_text('{"words": ["a", "."]}')
    assert list(read_unlabelled(path, "ner")) == [Unlabelled(1, 21, words=("a", "."))]


def test_rows_before_a_fault_are_given(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n{"text": 1}\n')
    rows = read_unlabelled(path, "classification")
    assert next(rows).text == "a"
    with pytest.raises(InputError, match="line 2: found 1 as 'text'"):
        next(rows)


@pytest.mark.parametrize(
    ("name", "content", "kind", "said"),
    [
        ("a.csv", b"secret", "ner", r"found a file named \.csv"),
        ("a.txt", b"secret", "inference", "this task compares two"),
        ("a.txt", b"secret\n\xff", "ner", "line 2: found byte 1, which is not UTF-8"),
        ("a.jsonl", b'{"text": "secret', "ner", "line 1: found no JSON at column 10"),
        ("a.jsonl", b'["secret"]', "ner", "line 1: found a list of 1"),
        ("a.jsonl", b'{"text": "secret"}', "similarity", "line 1: found nothing as 'text_pair'"),
        ("a.jsonl", b'{"text": "secret", "text_pair": 1}', "relation", "line 1: found 1 as 'text_pair'"),
        ("a.jsonl", b'{"words": ["secret", " "]}', "ner", "line 1: found a list of 2 as 'words'"),
        ("a.jsonl", b'{"words": []}', "ner", "line 1: found a list of 0 as 'words'"),
        ("a.jsonl", b'{"text": "secret \\ud800"}', "ner", "half of a character"),
        ("a.jsonl", b"[" * 100_000, "ner", "line 1: found JSON that is nested too deeply"),
        ("none.txt", None, "ner", "found no file that can be read"),
    ],
)
def test_faults(name: str, content: bytes | None, kind: Kind, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        list(read_unlabelled(tmp_path / name, kind))
    assert "secret" not in str(caught.value).replace(str(tmp_path), "")
    assert caught.value.__cause__ is None


def test_a_key_of_another_name_is_reported_with_the_keys_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"sentence": "frumious"}\n')
    with pytest.raises(InputError, match="no 'text' among the keys sentence; expected the text under 'text'") as said:
        list(read_unlabelled(path, "classification"))
    assert "frumious" not in str(said.value)
