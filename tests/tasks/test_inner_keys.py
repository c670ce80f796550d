"""Keys inside JSON objects: what a dotted column reads, and what is said of an object in the place of a text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.user.suitefile import read_suite


def read(folder: Path, rows: list[dict[str, object]], columns: str) -> list[str | None]:
    (folder / "notes").mkdir()
    for split in ("train", "dev", "test"):
        lines = [json.dumps({**row, "id": f"{split}-{n}"}) for n, row in enumerate(rows)]
        (folder / f"notes/{split}.jsonl").write_text("\n".join(lines) + "\n")
    block = f"    kind: classification\n    path: notes\n    columns: {columns}\n"
    filler = block.replace("mine", "other")
    (folder / "suite.yaml").write_text(f"name: toy\ntasks:\n  mine:\n{block}  other:\n{filler}")
    return [example.text for example in read_suite(folder / "suite.yaml")["mine"].examples["train"]]


def row(note: object, label: str, **others: object) -> dict[str, object]:
    return {"note": note, "label": label, **others}


def test_a_dotted_column_is_a_key_inside_an_object_and_a_key_with_a_dot_comes_first(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    rows = [row({"x": {"body": f"inner {n}"}}, "ab"[n % 2]) for n in range(4)]
    assert read(tmp_path / "one", rows, "{text: note.x.body}") == [f"inner {n}" for n in range(4)]
    (tmp_path / "two").mkdir()
    rows = [row({"body": f"inner {n}"}, "ab"[n % 2], **{"note.body": f"plain {n}"}) for n in range(4)]
    assert read(tmp_path / "two", rows, "{text: note.body}") == [f"plain {n}" for n in range(4)]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            "{text: note}",
            r"line 1: found an object under 'note'; expected a key inside it, as .*text: note.KEY",
        ),
        ("{text: note.date}", "no key 'note.date' among"),
    ],
)
def test_an_object_is_named_and_an_absent_inner_key_is_one_line(columns: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, [row({"body": f"text {n}"}, "ab"[n % 2]) for n in range(4)], columns)


def test_a_row_without_the_inner_key_is_named(tmp_path: Path) -> None:
    rows = [row({"body": f"text {n}"} if n < 3 else {}, "ab"[n % 2]) for n in range(4)]
    with pytest.raises(InputError, match=r"line 4: found no 'note.body', which the rows above have"):
        read(tmp_path, rows, "{text: note.body}")
