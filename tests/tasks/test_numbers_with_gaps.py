"""Whole numbers in columns with gaps, which pandas writes as 1.0, are classes, tags and ids."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Task
from taskaffinity.tasks.user.options import right_option

FORMS = ("csv", "tsv", "jsonl", "parquet")
CODES = [1, 0, 2, 0, 1, 2]


def frame(split: str) -> pd.DataFrame:
    """A table of pandas whose numbers are floats, because another row, which is dropped, has none."""
    whole = pd.DataFrame(
        {"text": [f"{split} {n}" for n in range(7)], "label": [*CODES, None], "idx": [*range(6), None]}
    )
    return whole.dropna()


def write(folder: Path, form: str) -> None:
    for split in SPLITS:
        path, table = folder / f"{split}.{form}", frame(split)
        if form == "parquet":
            table.to_parquet(path, index=False)
        elif form == "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in table.to_dict("records")))
        else:
            table.to_csv(path, index=False, sep="\t" if form == "tsv" else ",")
    assert "1.0" in str(frame("train").label.tolist())


def labels(task: Task) -> list[object]:
    return [example.label for example in task.examples["train"]]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("names", "expected"), [("[a, b, c]", "abc"), ("[0, 1, 2]", "012")])
def test_numbered_classes_of_a_column_with_gaps_have_their_names(
    form: str, names: str, expected: str, tmp_path: Path
) -> None:
    write(tmp_path, form)
    assert labels(read(tmp_path, f"kind: classification, path: ., labels: {names}")) == [expected[n] for n in CODES]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_floats_are_classes_without_names_and_ids(form: str, tmp_path: Path) -> None:
    write(tmp_path, form)
    task = read(tmp_path, "kind: classification, path: .")
    assert labels(task) == [str(number) for number in CODES]
    assert [example.id for example in task.examples["dev"]] == [f"dev.{number}" for number in range(6)]


def test_floats_in_memory() -> None:
    rows = {split: frame(split).to_dict("records") for split in SPLITS}
    options = {"kind": "classification", "labels": ["a", "b", "c"]}
    other = {split: [{"text": f"{n}", "label": "ab"[n % 2]} for n in range(4)] for split in SPLITS}
    task = Suite.from_datasets({"mine": (rows, {}, options), "other": (other, {})})["mine"]
    assert labels(task) == ["abc"[number] for number in CODES]


def test_classes_that_are_such_texts_keep_their_names(tmp_path: Path) -> None:
    for split in SPLITS:
        cells = "".join(f"{split} {n},{('1.0', '1.5')[n % 2]}\n" for n in range(4))
        (tmp_path / f"{split}.csv").write_text(f"text,label\n{cells}")
    assert read(tmp_path, "kind: classification, path: .").labels == ("1.0", "1.5")
    assert labels(read(tmp_path, "kind: classification, path: ., labels: ['1.0', '1.5']"))[:2] == ["1.0", "1.5"]


@pytest.mark.parametrize("value", ["-1.0", -1.0])
def test_minus_one_still_means_no_label(value: object, tmp_path: Path) -> None:
    for split in SPLITS:
        rows = [{"text": f"{split} {n}", "label": [1, 0, value][n % 3]} for n in range(6)]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for names in ("", ", labels: [a, b]"):
        with pytest.raises(InputError, match=r"train.jsonl: line 3: found label -1, which means no label"):
            read(tmp_path, f"kind: classification, path: .{names}")


def test_a_number_that_counts_from_1_is_named(tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.csv").write_text("text,label\na,1.0\nb,2.0\n")
    with pytest.raises(
        InputError, match="found label 2, and 2 names under labels:; expected 0 to 1; for classes from 1"
    ):
        read(tmp_path, "kind: classification, path: ., labels: [a, b]")


def test_tags_as_floats_have_their_names(tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.jsonl").write_text(json.dumps({"tokens": [split, "b"], "ner_tags": [1.0, 0.0]}))
    task = read(tmp_path, "kind: ner, path: ., labels: [O, B-x]")
    assert task.examples["dev"][0].label == ("B-x", "O")


def test_a_text_of_an_option_is_not_taken_for_its_place() -> None:
    with pytest.raises(InputError, match="which could be 2 of the options; expected a letter, A to B"):
        right_option("line 1", "1.0", ["1.0", "2.0"])
    assert right_option("line 1", "1.0", ["1.0", "2.0"], ["1", "2"]) == "A"


def test_a_start_of_a_table_with_questions_without_an_answer(tmp_path: Path) -> None:
    for split in SPLITS:
        rows = f"{split} a?,a snark a snark,a snark,8.0\n{split} b?,a snark,,\n"
        (tmp_path / f"{split}.csv").write_text(f"question,context,answers,answer_start\n{rows}")
    task = read(tmp_path, "kind: spans, path: .")
    assert [example.label for example in task.examples["test"]] == [("8:15",), ()]
