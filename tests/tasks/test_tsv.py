"""Rows of tab-separated files, quoted or not."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskaffinity.errors import InputError
from taskaffinity.tasks.tsv import read_table

FIELDS = st.text(alphabet=["a", '"', " ", "\t", "\n"], max_size=8)


def rows_of(path: Path) -> list[list[str]]:
    return [fields for _, fields in read_table(path)[1]]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(FIELDS, FIELDS), max_size=4))
def test_what_csv_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.mktemp("tsv") / "x.tsv"
    rows = [[f"i{n}", *pair, "label"] for n, pair in enumerate(texts)]
    # a tab and a line break in one row can resemble a whole row and the rest of one: such a row has a bad label
    rows = [row for row in rows if not any("\t" in text for text in row) or not any("\n" in text for text in row)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([["index", "a", "b", "c"], *rows])
    assert rows_of(path) == rows


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ('1\tx\t"He said', ["1", "x", '"He said']),
        ('1\t"He said\tx', ["1", '"He said', "x"]),
        ('1\ta 5" rod\tx', ["1", 'a 5" rod', "x"]),
        ('1\t"a" and "b"\tx', ["1", '"a" and "b"', "x"]),
        ('1\t"a ""b"""\tx', ["1", 'a "b"', "x"]),
        ('1\t"a\nb"\tx', ["1", "a\nb", "x"]),
        ('1\tx\t"a\n\nb"', ["1", "x", "a\n\nb"]),
        ('1\t"a\tb"\tx', ["1", "a\tb", "x"]),
    ],
)
def test_quotes_of_csv_and_bare_ones(tmp_path: Path, line: str, fields: list[str]) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(f"a\tb\tc\n{line}\n\n2\ty\tz", encoding="utf-8")
    assert rows_of(path) == [fields, ["2", "y", "z"]]


def test_a_place_is_the_first_line_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text('a\tb\n"x\ny"\t1\nz\t2\n', encoding="utf-8")
    assert [where.rpartition(": ")[2] for where, _ in read_table(path)[1]] == ["line 2", "line 4"]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ("empty file",)),
        ("a\tb\tc\n1\tvorpal\n", ("line 2", "2 columns", "3, as in the header")),
        ('a\tb\tc\n1\t"vorpal\n2\tx\ty\n', ("line 2", "2 columns")),
        ("a\tb\n1\tx\n1\tx\tvorpal\n", ("line 3", "3 columns")),
    ],
)
def test_another_number_of_columns(tmp_path: Path, content: str, parts: tuple[str, ...]) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        rows_of(path)
    assert [part for part in ("x.tsv", *parts) if part not in str(caught.value)] == []
    assert "vorpal" not in str(caught.value)
