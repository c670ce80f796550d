"""``is_impossible`` says that a question has no answer, in every form of a row."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS

CONTEXT = "Snarks run. Snarks sleep."
ANSWER = {"text": ["Snarks sleep"], "answer_start": [12]}
Rows = list[dict[str, Any]]


def rows(split: str, key: str = "is_impossible", values: tuple[Any, Any] = (False, True)) -> Rows:
    """Two questions with the same plausible answer; the second one is marked as impossible."""
    asked = {"context": CONTEXT, "question": "Who?", "answers": ANSWER}
    return [{"id": f"{split}{n}", **asked, key: value} for n, value in enumerate(values)]


def write(folder: Path, form: str, split: str, given: Rows) -> None:
    path = folder / f"{split}.{form}"
    if form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in given))
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(given), path)
    elif form == "json":
        asked = [{"question": row["question"], **row, "answers": [{"text": "Snarks sleep"}]} for row in given]
        path.write_text(json.dumps({"data": [{"title": split, "paragraphs": [{"context": CONTEXT, "qas": asked}]}]}))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(given[0]))
            writer.writeheader()
            writer.writerows({**row, "answers": json.dumps(row["answers"])} for row in given)


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet", "csv"])
def test_an_impossible_question_has_no_answer(form: str, tmp_path: Path) -> None:
    for split in SPLITS:
        write(tmp_path, form, split, rows(split))
    task = read(tmp_path, "kind: spans, path: .")
    assert [example.label for example in task.examples["dev"]] == [("12:24",), ()]


def test_the_same_in_memory() -> None:
    other = {split: [{"text": f"{n}", "label": "ab"[n % 2]} for n in range(4)] for split in SPLITS}
    given = {"mine": ({split: rows(split) for split in SPLITS}, {}), "other": (other, {})}
    task = Suite.from_datasets(given)["mine"]
    assert [example.label for example in task.examples["test"]] == [("12:24",), ()]


@pytest.mark.parametrize("values", [(0, 1), ("false", "true"), ("False", "True"), ("", "1"), (None, 1.0)])
def test_other_forms_and_names(values: tuple[Any, Any], tmp_path: Path) -> None:
    for split in SPLITS:
        write(tmp_path, "jsonl", split, rows(split, "unanswerable", values))
    task = read(tmp_path, "kind: spans, path: ., columns: {is_impossible: unanswerable}")
    assert [example.label for example in task.examples["train"]] == [("12:24",), ()]


def test_another_value_is_one_line(tmp_path: Path) -> None:
    for split in SPLITS:
        write(tmp_path, "jsonl", split, rows(split, values=("frumious", True)))
    with pytest.raises(
        InputError, match="line 1: found a text of 8 characters as is_impossible; expected true or false"
    ):
        read(tmp_path, "kind: spans, path: .")
