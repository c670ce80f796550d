"""The paper's eight tasks, and loading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.blue import BIOMEDICAL, BLUE, BLUE_TASKS, CLINICAL
from taskaffinity.tasks.catalog import load_suite
from taskaffinity.tasks.formats import TaskCard, read_card, write_task
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import DEFAULT_METRIC, SPLITS, Example


def write(data: Path, name: str) -> None:
    row = BLUE_TASKS[name]
    card = TaskCard(kind=row.kind, labels=row.labels, negative=row.negative, title=row.title)
    splits = {}
    for split in SPLITS:
        if row.kind == "ner":
            example = Example(split, (f"B-{row.labels[0]}",), words=("vorpal",))
        else:
            pair = "mimsy" if row.kind in ("similarity", "inference") else None
            example = Example(split, row.labels[0] if row.labels else 1.0, "vorpal", pair)
        splits[split] = [Row(example)]
    write_task(data / name, card, splits)


def test_the_two_domains_are_blue() -> None:
    assert CLINICAL == ("clinicalsts", "i2b2-2010-re", "shareclefe", "mednli")
    assert BIOMEDICAL == ("bc5cdr-disease", "bc5cdr-chemical", "ddi2013-type", "chemprot")
    assert BLUE == CLINICAL + BIOMEDICAL == tuple(BLUE_TASKS)


@pytest.mark.parametrize("name", BLUE)
def test_a_row_holds_together(name: str) -> None:
    task = BLUE_TASKS[name]
    assert (task.kind == "similarity") == (not task.labels)
    assert (task.kind == "relation") == (task.negative is not None)
    assert task.negative is None or task.labels[-1] == task.negative
    assert task.kind in DEFAULT_METRIC


def test_a_suite_is_its_folders(tmp_path: Path) -> None:
    for name in BLUE:
        write(tmp_path, name)
    suite = load_suite("blue", tmp_path)
    assert suite.name == "blue"
    assert not suite.synthetic
    for task in suite:
        row = BLUE_TASKS[task.name]
        assert (task.kind, task.labels, task.negative, task.title) == (row.kind, row.labels, row.negative, row.title)
    assert [task.name for task in load_suite("clinical", tmp_path)] == list(CLINICAL)


def test_everything_missing_is_listed_with_the_commands(tmp_path: Path) -> None:
    write(tmp_path, "chemprot")
    write(tmp_path, "ddi2013-type")
    (tmp_path / "ddi2013-type/dev.jsonl").unlink()
    (tmp_path / "ddi2013-type/task.json").unlink()
    with pytest.raises(InputError) as caught:
        load_suite("biomedical", tmp_path)
    message = str(caught.value)
    assert "bc5cdr-disease (no folder)" in message
    assert "bc5cdr-chemical (no folder)" in message
    assert "ddi2013-type (task.json, dev.jsonl)" in message
    assert f"`taskaffinity data prepare ddi2013 --raw DIR --out {tmp_path}`" in message
    assert message.count("data prepare bc5cdr ") == 1
    assert "chemprot" not in message


def test_another_kind_of_task_in_the_folder(tmp_path: Path) -> None:
    for name in CLINICAL:
        write(tmp_path, name)
    card = TaskCard(kind="classification", labels=("a", "b"))
    write_task(tmp_path / "mednli", card, {s: [Row(Example(s, "a", "vorpal"))] for s in SPLITS})
    with pytest.raises(
        InputError, match=r"mednli: found a task of kind classification; expected one of kind inference"
    ):
        load_suite("clinical", tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:7", "CPR:9", "false")}, "found label 'CPR:7'; "),
        ({"labels": ("CPR:3", "CPR:4", "false")}, "found no label CPR:5; expected labels CPR:3, CPR:4"),
        ({"negative": None}, "found negative null; expected false; prepare the task again"),
    ],
)
def test_other_labels_than_the_papers(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    for name in BIOMEDICAL:
        write(tmp_path, name)
    load_suite("biomedical", tmp_path)
    card = read_card(tmp_path / "chemprot").model_copy(update=changes)
    (tmp_path / "chemprot/task.json").write_text(card.model_dump_json())
    with pytest.raises(InputError, match=f"chemprot/task.json: {said}"):
        load_suite("biomedical", tmp_path)


def test_the_converters_that_messages_name_are_those_there_are() -> None:
    from taskaffinity.corpora.prepare import CORPORA

    assert {task.corpus for task in BLUE_TASKS.values()} <= set(CORPORA)
