"""Hallmarks of Cancer, the open corpus of a multi-label task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora import hoc
from taskaffinity.tasks.task import SPLITS

NAMES = ("103", "105", "109")

ExpectInputError = Callable[..., str]
Edit = Callable[..., None]


def test_a_sentence_has_each_hallmark_once_in_their_order(hoc_raw: Path) -> None:
    (task,) = hoc.convert(hoc_raw)
    found = {split: [(row.example.id, row.example.label) for row in rows] for split, rows in task.splits.items()}
    both = ("Resisting cell death", "Inducing angiogenesis")
    assert found == {split: [(f"{name}.1", both), (f"{name}.2", ())] for split, name in zip(SPLITS, NAMES, strict=True)}
    assert {row.example.document for row in task.splits["train"]} == {NAMES[0]}
    assert task.card.notes == {"abstracts": 3, "sentences_without_a_hallmark": 3}


@pytest.mark.parametrize(
    ("file", "old", "new", "parts"),
    [
        ("labels/103.txt", " < Resisting", "Resisting", ("labels of 1 sentence;", "2, as ")),
        ("labels/103.txt", "ANDInducing", "ANDReducing", ("sentence 1", "a text of 21 characters", "one of Sust")),
        ("labels/103.txt", "ANDInducing angiogenesis", "AND vorpal", ("sentence 1", "a text of 6 characters")),
        ("text/103.txt", "It is mimsy .", " \n.", ("line 2", "an empty line")),
    ],
)
def test_a_fault_is_a_one_line_error(
    hoc_raw: Path,
    expect_input_error: ExpectInputError,
    edit: Edit,
    file: str,
    old: str,
    new: str,
    parts: tuple[str, ...],
) -> None:
    edit(hoc_raw / file, old, new)
    if file.startswith("text"):
        edit(hoc_raw / "labels/103.txt", " < Resisting", " < < Resisting")
    expect_input_error(lambda: hoc.convert(hoc_raw), *parts)


def test_a_missing_file_and_another_file_are_errors(hoc_raw: Path, expect_input_error: ExpectInputError) -> None:
    (hoc_raw / "labels/105.txt").unlink()
    expect_input_error(lambda: hoc.convert(hoc_raw), "labels/105.txt", "no such file")
    (hoc_raw / "text/readme.txt").write_text("mimsy")
    (hoc_raw / "text/105.txt").unlink()
    expect_input_error(lambda: hoc.convert(hoc_raw), "text/readme.txt", "a PubMed id and .txt")
    for path in (hoc_raw / "text").iterdir():
        path.unlink()
    expect_input_error(lambda: hoc.convert(hoc_raw), "no .txt file")
