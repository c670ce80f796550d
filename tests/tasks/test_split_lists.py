"""One JSON file with all splits of a task: the same task as one file per split, or one line."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS

SECRET = "frumious bandersnatch"
BLOCK = "kind: classification, path: all.json"
SIZES = {"train": 12, "dev": 6, "test": 9}
ROWS = {
    split: [{"id": f"{split}{place}", "text": f"{SECRET} {place}", "label": "abc"[place % 3]} for place in range(n)]
    for split, n in SIZES.items()
}
BY_ID = {split: {row["id"]: {k: row[k] for k in ("text", "label")} for row in rows} for split, rows in ROWS.items()}
SHAPES: dict[str, tuple[Any, str]] = {
    "lists": (ROWS, ""),
    "other words": ({"Train": ROWS["train"], "validation": ROWS["dev"], "TEST": ROWS["test"]}, ""),
    "notes beside the lists": ({"version": "1.0", "license": {"of": "x"}, **ROWS}, ""),
    "objects by id": (BY_ID, ""),
    "lists under data": ({split: {"version": 1, "data": rows} for split, rows in ROWS.items()}, ""),
    "own names": (
        {"learn": ROWS["train"], "tune": ROWS["dev"], "final": ROWS["test"]},
        ", splits: {train: learn, dev: tune, test: Final}",
    ),
}


def files(folder: Path, content: object, indent: int | None = None) -> None:
    (folder / "all.json").write_text(json.dumps(content, indent=indent))


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_task_is_that_of_three_files(shape: str, indent: int | None, tmp_path: Path) -> None:
    content, more = SHAPES[shape]
    files(tmp_path, content, indent)
    task = read(tmp_path, BLOCK + more)
    for split in SPLITS:
        found = [{"id": e.id, "text": e.text, "label": e.label} for e in task.examples[split]]
        assert found == ROWS[split]
        assert Counter(row["label"] for row in found) == dict.fromkeys("abc", SIZES[split] // 3)
    assert task.notes == ()
    (tmp_path / "d").mkdir()
    for split in SPLITS:
        (tmp_path / f"d/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[split]))
    assert read(tmp_path, "kind: classification, path: d").fingerprint == task.fingerprint


def test_other_formats_and_kinds(tmp_path: Path) -> None:
    (tmp_path / "all.json.gz").write_bytes(gzip.compress(json.dumps(ROWS).encode()))
    assert len(read(tmp_path, f"{BLOCK}.gz").examples["dev"]) == 6
    (tmp_path / "all.data").write_text(json.dumps(ROWS), encoding="utf-16")
    block = "kind: classification, path: all.data, format: jsonl, encoding: utf-16"
    assert len(read(tmp_path, block).examples["test"]) == 9
    questions = {
        split: [{"title": split, "paragraphs": [{"context": "Rome is old.", "qas": [
            {"id": f"{split}{n}", "question": "What?", "answers": [{"text": "Rome", "answer_start": 0}]} for n in "12"
        ]}]}]
        for split in SPLITS
    }  # fmt: skip
    files(tmp_path, questions)
    task = read(tmp_path, "kind: spans, path: all.json")
    assert [[e.document for e in task.examples[split]] for split in SPLITS] == [[split] * 2 for split in SPLITS]


def test_a_split_may_be_a_share_or_lack(tmp_path: Path) -> None:
    files(tmp_path, {"train": ROWS["train"] * 1, "test": ROWS["test"]})
    with pytest.raises(InputError, match="found no dev split among 'train', 'test'; expected dev: 10% to take a"):
        read(tmp_path, BLOCK)
    task = read(tmp_path, f"{BLOCK}, dev: 30%")
    assert {e.id for part in ("train", "dev") for e in task.examples[part]} == {row["id"] for row in ROWS["train"]}
    files(tmp_path, ROWS)
    with pytest.raises(InputError, match=r"line 2: found dev: and rows of dev in all.json; expected one of them"):
        read(tmp_path, f"{BLOCK}, dev: 30%")


def test_other_lists_are_left_out_with_a_note(tmp_path: Path) -> None:
    files(tmp_path, {**ROWS, "hard": ROWS["test"][:4]})
    assert read(tmp_path, BLOCK).notes == ("4 records under 'hard', which names no split, left out",)


def test_lists_of_splits_do_not_hide_other_files(tmp_path: Path) -> None:
    rows = [row for split in SPLITS for row in ROWS[split]]
    files(tmp_path, rows)
    assert sum(len(part) for part in read(tmp_path, f"{BLOCK}, dev: 30%, test: 30%").examples.values()) == 27
    (tmp_path / "all.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert sum(len(part) for part in read(tmp_path, f"{BLOCK}, dev: 30%, test: 30%").examples.values()) == 27
    files(tmp_path, {"train": 12, "dev": 6, "data": rows})  # numbers of rows beside the list
    assert sum(len(part) for part in read(tmp_path, f"{BLOCK}, dev: 30%, test: 30%").examples.values()) == 27


FAULTS: dict[str, tuple[Any, str, str]] = {
    "two names": ({**ROWS, "validation": []}, "", "all.json: found 'dev' and 'validation', both for dev"),
    "no list": ({**ROWS, "dev": [SECRET]}, "", "all.json: found a list of 1 under 'dev'; expected a list of objects"),
    "no row": ({**ROWS, "dev": []}, "", "all.json: 'dev': found no row; expected at least one example"),
    "a row": ({**ROWS, "dev": [{"text": "x"}]}, "", "all.json: 'dev': record 1: found no label among 1 key (text)"),
    "an id": ({**ROWS, "dev": ROWS["test"]}, "", "all.json: 'test': record 1: found id 'test0' again"),
    "names": ({"a": ROWS["train"]}, ", splits: {train: b}", "no test split among 'a'; expected splits: {train: NAME"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_with_its_place(fault: str, tmp_path: Path) -> None:
    content, more, said = FAULTS[fault]
    files(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read(tmp_path, BLOCK + more)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_broken_file_and_a_folder_of_such_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "all.json").write_text(json.dumps(ROWS, indent=1)[:-9])
    with pytest.raises(InputError, match=r"all.json: line \d+: found JSON that breaks off"):
        read(tmp_path, BLOCK)
    (tmp_path / "d").mkdir()
    for indent in (None, 1):
        for split in SPLITS:
            (tmp_path / f"d/{split}.json").write_text(json.dumps(ROWS, indent=indent))
        with pytest.raises(InputError, match=r"train.json: found one file with all splits; expected path: FILE"):
            read(tmp_path, "kind: classification, path: d")
