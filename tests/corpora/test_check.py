"""Counts compared with the known ones: equal, explained or unexplained."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskaffinity.cli.data import app
from taskaffinity.corpora.check import check, class_differences
from taskaffinity.corpora.known_counts import TABLE_1, blue_classes, open_counts, table1
from taskaffinity.corpora.prepare import prepare
from taskaffinity.tasks.blue import BLUE
from taskaffinity.tasks.formats import TaskCard, write_task
from taskaffinity.tasks.open_clinical import OPEN_CLINICAL
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import SPLITS, Example

CHEMPROT = TaskCard(kind="relation", labels=("CPR:4", "false"), negative="false")
LCT = TaskCard(kind="relation", labels=("Using", "false"), negative="false")
DDI = TaskCard(kind="relation", labels=("DDI-int", "DDI-false"), negative="DDI-false")


def relation_rows(prefix: str, label: str, n: int, negative: str, n_negative: int) -> list[Row]:
    labels = [label] * n + [negative] * n_negative
    return [Row(Example(f"{prefix}{i}", name, "vorpal")) for i, name in enumerate(labels)]


def write(folder: Path, card: TaskCard, train: int, dev: int, test: int) -> None:
    label, negative = card.labels
    counts = zip(SPLITS, (train, dev, test), strict=True)
    write_task(folder, card, {split: relation_rows(split, label, n, negative, 2) for split, n in counts})


def test_table1_has_every_task_of_blue() -> None:
    assert set(table1()) == set(BLUE)
    assert table1()["bc5cdr-disease"].counts == {"train": 4182, "dev": 4244, "test": 4424}


@pytest.mark.parametrize(
    ("train", "status"), [(4154, "equal"), (4157, "explained"), (4156, "unexplained"), (4151, "unexplained")]
)
def test_only_the_known_difference_is_explained(tmp_path: Path, train: int, status: str) -> None:
    write(tmp_path / "chemprot", CHEMPROT, train, 2416, 3459)
    rows = check(tmp_path)
    assert [row.status for row in rows] == [status, "equal", "unexplained"]
    assert [bool(row.reason) for row in rows] == [status == "explained", False, False]
    assert [row.difference for row in rows] == [train - 4154, 0, 1]
    assert [row.negatives for row in rows] == [2, 2, 2]
    assert [row.blue_negatives for row in rows] == [15306, 9404, 13485]


@pytest.mark.parametrize(("dev", "status"), [(1020, "explained"), (1021, "unexplained")])
def test_ddi_is_explained_where_no_positive_is_lost(tmp_path: Path, dev: int, status: str) -> None:
    write(tmp_path / "ddi2013-type", DDI, 3000, dev, 979)
    assert [row.status for row in check(tmp_path)] == [status, status, "equal"]


def test_the_classes_of_blue_add_up_to_table_1() -> None:
    lacking = {}
    for (task, split), classes in blue_classes().items():
        positives = sum(n for label, n in classes.items() if "false" not in label)
        lacking[task, split] = table1()[task].counts[split] - positives  # type: ignore[index]
    assert {place: n for place, n in lacking.items() if n} == {("i2b2-2010-re", "dev"): 1}
    assert len(lacking) == 4 * 3


@pytest.mark.parametrize(("train", "reasons"), [(2254, 1), (2253, 0)])
def test_classes_are_compared_one_by_one(tmp_path: Path, train: int, reasons: int) -> None:
    write(tmp_path / "chemprot", CHEMPROT, train, 1094, 1661)
    found = {(d.part, d.label): d for d in class_differences(check(tmp_path))}
    assert found["train", "CPR:4"].count - found["train", "CPR:4"].blue == train - 2251
    assert bool(found["train", "CPR:4"].reason) == bool(reasons)
    assert ("dev", "CPR:4") not in found
    assert found["dev", "CPR:3"].count == 0
    assert {part: d.count - d.blue for (part, label), d in found.items() if label == "false"} == {
        "train": 2 - 15306,
        "dev": 2 - 9404,
        "test": 2 - 13485,
    }
    assert not any(d.reason for (_, label), d in found.items() if label == "false")


def test_train_and_dev_are_compared_together_if_our_dev_part_differs(tmp_path: Path) -> None:
    write(tmp_path / "ddi2013-type", DDI, 100, 88, 96)
    found = [d for d in class_differences(check(tmp_path)) if d.label == "DDI-int"]
    assert found == []


@pytest.mark.parametrize(
    ("task", "card", "counts", "statuses"),
    [
        ("i2b2-2010-re", CHEMPROT, (2800, 320, 6293), ["explained", "explained", "equal"]),
        ("i2b2-2010-re", CHEMPROT, (2800, 321, 6293), ["unexplained", "unexplained", "equal"]),
    ],
)
def test_counts_of_our_dev_parts_are_explained(
    tmp_path: Path, task: str, card: TaskCard, counts: tuple[int, int, int], statuses: list[str]
) -> None:
    write(tmp_path / task, card, *counts)
    assert [row.status for row in check(tmp_path)] == statuses


def test_other_tasks_are_counted_and_listed_last(tmp_path: Path) -> None:
    write(tmp_path / "aaa", DDI, 3, 4, 5)
    write(tmp_path / "chemprot", CHEMPROT, 1, 1, 1)
    rows = check(tmp_path)
    assert [row.task for row in rows] == ["chemprot"] * 3 + ["aaa"] * 3
    assert [(row.count, row.rows, row.known, row.status) for row in rows[3:]] == [
        (n, n + 2, None, "not compared") for n in (3, 4, 5)
    ]


def test_open_tasks_are_compared_but_not_with_table_1(tmp_path: Path) -> None:
    assert set(open_counts()) == {*OPEN_CLINICAL, "hoc"}
    assert not set(open_counts()) & set(table1())
    write(tmp_path / "lct-relation", LCT, 3480, 634, 1014)
    write(tmp_path / "chemprot", CHEMPROT, 4154, 2416, 3458)
    rows = check(tmp_path)
    assert [(row.task, row.status) for row in rows] == [("chemprot", "equal")] * 3 + [
        ("lct-relation", status) for status in ("explained", "equal", "unexplained")
    ]
    assert [row.known for row in rows[3:]] == [3484, 634, 1013]
    assert {row.known_by == TABLE_1 for row in rows[:3]} == {True}
    assert not any("Table 1" in row.known_by for row in rows[3:])


def test_paper_and_open_tasks_are_printed_separately(tmp_path: Path) -> None:
    write(tmp_path / "lct-relation", LCT, 3480, 618, 990)
    result = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert result.exit_code == 0
    assert "Table 1" not in result.output
    assert "BLUE" not in result.output
    assert "lct-relation train -4: 4 relations are given twice" in result.output
    write(tmp_path / "chemprot", CHEMPROT, 4154, 2416, 3458)
    headings = [line.split() for line in CliRunner().invoke(app, ["check", str(tmp_path)]).output.splitlines()]
    assert ["task", "split", "rows", "count", "Table", "1", "negatives", "BLUE's", "status"] in headings
    assert ["task", "split", "rows", "count", "known", "negatives", "status"] in headings


def test_changed_file_is_reported(bc5cdr_raw: Path, tmp_path: Path) -> None:
    prepare("bc5cdr", bc5cdr_raw, tmp_path / "out")
    assert all(row.intact for row in check(tmp_path / "out"))
    path = tmp_path / "out/bc5cdr-chemical/dev.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[1:]), encoding="utf-8")
    changed = [row for row in check(tmp_path / "out") if not row.intact]
    assert [(row.task, row.split, row.rows) for row in changed] == [("bc5cdr-chemical", "dev", 2)]
    assert changed[0].status == "unexplained"


def test_folder_without_tasks_is_an_input_error(tmp_path: Path, expect_input_error: Callable[..., str]) -> None:
    expect_input_error(lambda: check(tmp_path), str(tmp_path), "task.json", "data prepare")


def test_missing_split_is_an_input_error(tmp_path: Path, expect_input_error: Callable[..., str]) -> None:
    write(tmp_path / "chemprot", CHEMPROT, 1, 1, 1)
    (tmp_path / "chemprot/dev.jsonl").unlink()
    expect_input_error(lambda: check(tmp_path), "chemprot", "no dev.jsonl")


def test_table1_equals_the_paper(real_raw: Path) -> None:
    path = real_raw.parent / "paper" / "table1.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not there: our copy of Table 1 was NOT compared")
    with path.open(encoding="utf-8") as file:
        paper = {row["task"]: [int(row[split]) for split in SPLITS] for row in csv.DictReader(file)}
    assert {task: list(row.counts.values()) for task, row in table1().items()} == paper
