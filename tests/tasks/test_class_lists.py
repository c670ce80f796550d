"""Labels of several classes: lists of 0 and 1, and separators, have one reading for a whole column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Task

NAMES = ("fever", "cough", "rash")
FOUR = ([1, 1, 0], [0, 1, 1], [0, 0, 0], [1, 0, 1])


def named(vector: list[int], names: tuple[str, ...] = NAMES) -> set[str]:
    return {name for name, value in zip(names, vector, strict=True) if value == 1}


def in_lines(folder: Path, lists: Any, block: str) -> Task:
    for split in SPLITS:
        rows = [{"text": f"{split} {n}", "labels": one} for n, one in enumerate(lists)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read(folder, f"kind: multilabel, path: .{block}")


def in_cells(folder: Path, lists: Any, block: str) -> Task:
    for split in SPLITS:
        cells = "".join(f'{split} {n},"{json.dumps(one)}"\n' for n, one in enumerate(lists))
        (folder / f"{split}.csv").write_text(f"text,labels\n{cells}")
    return read(folder, f"kind: multilabel, path: .{block}")


def in_memory(folder: Path, lists: Any, block: str) -> Task:
    rows = {split: [{"text": f"{split} {n}", "labels": one} for n, one in enumerate(lists)] for split in SPLITS}
    options = {"labels": list(NAMES[: len(lists[0])])} if block else {}
    other = {split: [{"text": f"{n}", "label": "ab"[n % 2]} for n in range(4)] for split in SPLITS}
    return Suite.from_datasets({"mine": (rows, {}, {"kind": "multilabel", **options}), "other": (other, {})})["mine"]


READERS = [in_lines, in_cells, in_memory]


def classes(task: Task) -> list[set[str]]:
    return [set(example.label) for example in task.examples["train"]]  # type: ignore[arg-type]


@pytest.mark.parametrize("reader", READERS)
def test_a_list_of_0_and_1_names_the_classes_of_its_places(reader: Any, tmp_path: Path) -> None:
    assert classes(reader(tmp_path, FOUR, ", labels: [fever, cough, rash]")) == [named(one) for one in FOUR]


@pytest.mark.parametrize("reader", READERS)
def test_a_list_of_two_numbers_is_read_as_the_others_of_its_column(reader: Any, tmp_path: Path) -> None:
    """[1, 0] alone could be both classes."""
    two = [[1, 0], [0, 1], [1, 0], [1, 1]]
    assert classes(reader(tmp_path, two, ", labels: [fever, cough]")) == [named(one, NAMES[:2]) for one in two]


@pytest.mark.parametrize("values", [(False, True), (0.0, 1.0), ("0", "1")])
def test_other_forms_of_0_and_1(values: tuple[Any, Any], tmp_path: Path) -> None:
    lists = [[values[one] for one in vector] for vector in FOUR]
    assert classes(in_lines(tmp_path, lists, ", labels: [fever, cough, rash]")) == [named(one) for one in FOUR]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("block", [", labels: [fever, cough]", ""])
def test_lists_with_two_readings_are_refused(reader: Any, block: str, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"found 0 and 1 in each list: .*; .*a column of 0 and 1 for each class"
    ) as caught:
        reader(tmp_path, [[1, 0], [0, 1], [1, 0], [0, 1]], block)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("block", "of"), [("", "no labels:"), (", labels: [fever, cough]", "2 names under labels:")])
def test_lists_that_do_not_fit_the_names_are_refused(block: str, of: str, tmp_path: Path) -> None:
    said = f"train.jsonl: line 1: found a list of 3 numbers, each 0 or 1, and {of}; expected labels: "
    with pytest.raises(InputError, match=said):
        in_lines(tmp_path, FOUR, block)


@pytest.mark.parametrize(
    "lists",
    [[[0], [1], [0], [1]], [[0], [0, 1], [1], []], [[2, 1], [1, 0], [2, 0], [0, 1]], [[0, 1], [2], [1], [0, 2]]],
)
def test_other_lists_of_numbers_name_classes(lists: list[list[int]], tmp_path: Path) -> None:
    lists = [*lists, [0, 2], [1, 2]]
    task = in_lines(tmp_path, lists, ", labels: [fever, cough, rash]")
    assert classes(task) == [{NAMES[number] for number in one} for one in lists]


def test_labels_of_fasttext_are_names(tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.txt").write_text(f"__label__1 __label__0 a {split}\n__label__0 __label__1 b {split}\n")
    assert classes(read(tmp_path, "kind: multilabel, format: fasttext, path: .")) == [{"0", "1"}, {"0", "1"}]


CELLS = ["Nausea, vomiting;Fever", "Nausea, vomiting", "Fever", "Fever;Nausea, vomiting"]


def write_cells(folder: Path, cells: list[str], other: list[str]) -> None:
    """Write ``cells`` as the labels of train, and ``other`` as those of dev and test."""
    for split in SPLITS:
        lines = enumerate(cells if split == "train" else other)
        (folder / f"{split}.csv").write_text("text,labels\n" + "".join(f'{split} {n},"{one}"\n' for n, one in lines))


@pytest.mark.parametrize(
    ("cells", "other", "place"),
    [
        (CELLS, CELLS, "train.csv: line 2"),
        (CELLS[1:], CELLS[2:3], "train.csv: line 4"),
        (["a;b", "b;a"], ["a", "a,b"], "dev.csv: line 3"),
        (["a|b", "b|a"], ["a;b"], "dev.csv: line 2"),
    ],
)
def test_two_separators_in_a_column_are_refused(cells: list[str], other: list[str], place: str, tmp_path: Path) -> None:
    write_cells(tmp_path, cells, other)
    with pytest.raises(
        InputError, match=f'{place}: found ".".* in the labels of the column; expected label_separator: "'
    ):
        read(tmp_path, "kind: multilabel, path: .")


def test_the_separator_of_the_suite_file_is_that_of_every_cell(tmp_path: Path) -> None:
    write_cells(tmp_path, CELLS, CELLS)
    task = read(tmp_path, "kind: multilabel, path: ., label_separator: ';'")
    assert classes(task) == [set(cell.split(";")) for cell in CELLS]


@pytest.mark.parametrize("separator", ["|", ";", ","])
def test_one_separator_needs_no_line(separator: str, tmp_path: Path) -> None:
    cells = [separator.join(one) for one in (["a", "b"], ["b"], [], ["a"])]
    write_cells(tmp_path, cells, ["b", "['a', 'b']"])
    task = read(tmp_path, "kind: multilabel, path: .")
    assert classes(task) == [{"a", "b"}, {"b"}, set(), {"a"}]
