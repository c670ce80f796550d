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
        ("a.doc", b"secret", "ner", r"found a file named \.doc"),
        ("a.csv", b'text\n"secret', "ner", "line 2: found a row that is no CSV"),
        ("a.csv", b"text,id\nsecret", "ner", "line 2: found 1 column; expected 2"),
        ("a.csv", b"note\nsecret", "ner", "line 2: found no 'text' among the keys note"),
        ("a.csv", b"text\nsecret", "similarity", "line 2: found nothing as 'text_pair'"),
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
    path.write_text('{"note": "frumious"}\n')
    with pytest.raises(InputError, match="no 'text' among the keys note; expected the text under 'text'") as said:
        list(read_unlabelled(path, "classification"))
    assert "frumious" not in str(said.value)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_rows_of_a_table_are_those_of_objects(name: str, tmp_path: Path) -> None:
    mark = "," if name == "a.csv" else "\t"
    lines = [("sentence1", "n", "label", "sentence2"), ("a b", "7", "x", "c"), ("", "", "", ""), ("d", "8", "y", "e f")]
    content = "\n".join(mark.join(line) for line in lines)
    (tmp_path / name).write_text("\ufeff" + content)
    found = list(read_unlabelled(tmp_path / name, "inference", {"id": "n"}))
    assert [(row.line, row.id, row.text, row.text_pair) for row in found] == [
        (2, "7", "a b", "c"),
        (4, "8", "d", "e f"),
    ]
    assert found[-1].end == (tmp_path / name).stat().st_size


def test_quoted_fields_may_span_lines_and_unquoted_ones_are_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text\n"one, ""two""\nthree"\nfour\n')
    assert [(row.line, row.text) for row in read_unlabelled(tmp_path / "a.csv", "ner")] == [
        (2, 'one, "two"\nthree'),
        (4, "four"),
    ]
    (tmp_path / "a.tsv").write_text('text\n"one\n')
    assert [row.text for row in read_unlabelled(tmp_path / "a.tsv", "ner")] == ['"one']


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("note\nsecret\n")
    with pytest.raises(InputError, match="no column 'finding' among 1; expected one of them as text=NAME"):
        list(read_unlabelled(tmp_path / "a.csv", "ner", {"text": "finding"}))
    assert [row.text for row in read_unlabelled(tmp_path / "a.csv", "ner", {"text": "note"})] == ["secret"]


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_first_row_of_words_is_not_quoted_and_names_are(ending: str, tmp_path: Path) -> None:
    between = {"csv": ",", "tsv": "\t"}[ending]
    path = tmp_path / f"a.{ending}"
    path.write_text(f"Smith{between}frumious\nJones{between}vorpal\n")
    with pytest.raises(InputError, match=r"line 2: found nothing as 'text'; expected some text$"):
        list(read_unlabelled(path, "classification"))
    path.write_text(f"review{between}stars\nJones{between}vorpal\n")
    with pytest.raises(InputError, match="line 2: found no 'text' among the keys review, stars"):
        list(read_unlabelled(path, "classification"))


def test_one_name_on_two_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text,text\n1,a,b\n")
    with pytest.raises(InputError, match=r"a.csv: line 1: found the same name on columns 2 and 3; expected each name"):
        list(read_unlabelled(path, "classification"))
