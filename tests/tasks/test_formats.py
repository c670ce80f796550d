"""Task files: what is written is read, and every fault is one line that names file and line and quotes no text."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskaffinity.corpora.check import check
from taskaffinity.errors import InputError
from taskaffinity.tasks.formats import TaskCard, read_card, read_split, read_task, write_task
from taskaffinity.tasks.rows import Row, count
from taskaffinity.tasks.survey import tasks_of
from taskaffinity.tasks.task import DEFAULT_METRIC, SPLITS, Example, Kind

SECRET = "frumious bandersnatch"
RELATION = TaskCard(kind="relation", labels=("CPR:4", "false"), negative="false", title="Toy")
TEXT = st.text(min_size=1, max_size=20).filter(str.strip)

CARDS: dict[Kind, TaskCard] = {
    "similarity": TaskCard(kind="similarity"),
    "relation": RELATION,
    "inference": TaskCard(kind="inference", labels=("no", "yes")),
    "ner": TaskCard(kind="ner", labels=("Drug",)),
    "classification": TaskCard(kind="classification", labels=("a", "b")),
}
LABELS: dict[Kind, Any] = {"similarity": 2.5, "relation": "CPR:4", "inference": "yes", "classification": "b"}


def example(kind: Kind, name: str) -> Example:
    if kind == "ner":
        return Example(name, ("B-Drug", "O", "O"), words=("Zorbifex", "-\u2028", "β"), document="d1")
    pair = "vorpal" if kind in ("similarity", "inference") else None
    return Example(name, LABELS[kind], "snarkol\n β", pair, document="d1")


def splits(kind: Kind) -> dict[Any, list[Row]]:
    return {split: [Row(example(kind, f"{split}{i}"), ((0, 3),)) for i in range(3)] for split in SPLITS}


@pytest.mark.parametrize("kind", CARDS)
def test_what_is_written_is_read(kind: Kind, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    card = write_task(folder, CARDS[kind], splits(kind))
    task = pickle.loads(pickle.dumps(read_task(folder)))
    assert task.name == "toy"
    assert (task.kind, task.labels, task.negative) == (kind, CARDS[kind].labels, CARDS[kind].negative)
    assert task.metric_name == DEFAULT_METRIC[kind]
    assert {s: list(e) for s, e in task.examples.items()} == {
        s: [row.example for row in rows] for s, rows in splits(kind).items()
    }
    assert read_card(folder) == card
    assert card.counts["train"].rows == card.counts["train"].counted == 3
    assert sorted(os.listdir(tmp_path)) == ["toy"]


def test_the_file_is_plain_json_lines(tmp_path: Path) -> None:
    write_task(tmp_path / "toy", CARDS["ner"], splits("ner"))
    first = (tmp_path / "toy/train.jsonl").read_bytes().split(b"\n")[0]
    assert json.loads(first) == {
        "id": "train0",
        "words": ["Zorbifex", "-\u2028", "β"],
        "tags": ["B-Drug", "O", "O"],
        "document": "d1",
        "offsets": [[0, 3]],
    }


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any") / "toy"
    rows = {s: [Row(Example(f"{s}{i}", "false", text)) for i, text in enumerate(texts)] for s in SPLITS}
    write_task(folder, RELATION, rows)
    assert [e.text for e in read_task(folder).examples["dev"]] == texts


def test_counts_are_of_positives_mentions_or_rows() -> None:
    rows = [Example(str(i), label, "x") for i, label in enumerate(["CPR:4", "false", "false"])]
    assert (count(rows, "relation", "false").counted, count(rows, "classification", None).counted) == (1, 3)
    assert count(rows, "relation", "false").labels == {"CPR:4": 1, "false": 2}
    tagged = [Example("1", ("B-Drug", "B-Drug", "I-Drug", "O"), words=tuple("abcd"))]
    assert count(tagged, "ner", None).counted == 2


def refused(action: Callable[[], object], *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    for word in SECRET.split():
        assert word not in message


GOOD = {"id": "1", "text": SECRET, "label": "CPR:4"}
PAIR = {"id": "1", "text": SECRET, "text_pair": SECRET, "label": "yes"}
TAGGED = {"id": "1", "words": SECRET.split(), "tags": ["B-Drug", "O"]}


@pytest.mark.parametrize(
    ("kind", "row", "parts"),
    [
        ("relation", GOOD | {"label": "CPR:7"}, ("label 'CPR:7'", "CPR:4, false")),
        ("relation", GOOD | {"label": SECRET}, ("label a text of 21 characters", "CPR:4, false")),
        ("relation", GOOD | {"label": 3}, ("label 3", "CPR:4, false")),
        ("relation", {"id": "1", "text": SECRET}, ("no key 'label'",)),
        ("relation", {"id": "1", "label": "CPR:4"}, ("no key 'text'",)),
        ("relation", {"text": SECRET, "label": "CPR:4"}, ("no key 'id'",)),
        ("relation", GOOD | {"id": 7}, ("7 as 'id'", "some text")),
        ("relation", GOOD | {"text": ""}, ("an empty text as 'text'",)),
        ("relation", GOOD | {"text": " \n"}, ("nothing but white space as 'text'",)),
        ("relation", GOOD | {"text": None}, ("null as 'text'",)),
        ("relation", [SECRET], ("a list of 1", "JSON object")),
        ("relation", SECRET, ("a text of 21 characters", "JSON object")),
        ("inference", {k: v for k, v in PAIR.items() if k != "text_pair"}, ("no key 'text_pair'",)),
        ("inference", PAIR | {"text_pair": ""}, ("an empty text as 'text_pair'",)),
        ("similarity", PAIR, ("label 'yes'", "a finite number")),
        ("similarity", PAIR | {"label": True}, ("label True", "a finite number")),
        ("similarity", PAIR | {"label": float("nan")}, ("label nan", "a finite number")),
        ("ner", {k: v for k, v in TAGGED.items() if k != "tags"}, ("no key 'tags'",)),
        ("ner", GOOD, ("no key 'words'",)),
        ("ner", TAGGED | {"words": []}, ("a list of 0 as 'words'",)),
        ("ner", TAGGED | {"words": SECRET}, ("a text of 21 characters as 'words'",)),
        ("ner", TAGGED | {"words": ["frumious", " "]}, ("word 2 of 2",)),
        ("ner", TAGGED | {"tags": ["O"]}, ("1 tag for 2 words",)),
        ("ner", TAGGED | {"tags": ["O", "S"]}, ("tag 'S' on word 2", "B-Drug, I-Drug")),
        ("ner", TAGGED | {"tags": ["O", "E-Drugs"]}, ("tag 'E-Drugs' on word 2", "B-Drug, I-Drug")),
        ("ner", TAGGED | {"tags": ["O", "B-cell"]}, ("tag a text of 6 characters on word 2", "B-Drug, I-Drug")),
        ("ner", TAGGED | {"tags": ["O", "I-Drug"]}, ("tag 'I-Drug' on word 2 after 'O'", "IOB2")),
        ("ner", TAGGED | {"tags": ["O", 1]}, ("tag 1 on word 2",)),
    ],
)
def test_a_bad_row(kind: Kind, row: object, parts: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    good = {"relation": GOOD, "inference": PAIR, "similarity": PAIR | {"label": 1}, "ner": TAGGED}[kind]
    path.write_text("".join(json.dumps(r) + "\n" for r in (good | {"id": "0"}, row)), encoding="utf-8")
    refused(lambda: read_split(path, kind, CARDS[kind].labels), "train.jsonl: line 2: found", "expected", *parts)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b'{"id": "0", "text": "frumi\xffous", "label": "false"}\n', ("line 1", "0xff", "UTF-8")),
        (json.dumps(GOOD).encode() + b"\nfrumious bandersnatch\n", ("line 2", "no JSON at column 1")),
        (json.dumps(GOOD).encode() + b"\n\n", ("line 2", "no JSON")),
        (json.dumps(GOOD).encode() + b'\n{"id": "2", "text": "frumi', ("line 2", "breaks off after 26", "truncated")),
        (
            json.dumps(GOOD).encode() + b"\n" + json.dumps(GOOD).encode(),
            ("line 2", "id '1' again", "first: line 1"),
        ),
        (b"", ("no row", "at least one example")),
        (b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", ("line 1", "nested too deeply")),
        (b'{"id": ' + b"1" * 5000 + b"}\n", ("line 1", "a number of thousands of digits")),
    ],
)
def test_a_bad_file(content: bytes, parts: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    refused(lambda: read_split(path, "relation", RELATION.labels), "train.jsonl", *parts)


def test_a_whole_last_line_needs_no_end(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert [e.id for e in read_split(tmp_path / "x.jsonl", "relation", RELATION.labels)] == ["1"]


def test_a_missing_file(tmp_path: Path) -> None:
    refused(lambda: read_split(tmp_path / "dev.jsonl", "relation", ("a",)), "dev.jsonl", "no file")
    refused(lambda: read_task(tmp_path), "task.json", "no file")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"kind": "poetry"}, ("'kind'", "relation")),
        ({"kind": None}, ("'kind'",)),
        ({"labels": []}, ("0 labels for kind relation",)),
        ({"labels": ["a", "a"], "negative": "a"}, ("twice",)),
        ({"negative": "none"}, ("negative 'none'",)),
        ({"metric": "bleu"}, ("metric 'bleu'", "micro_f1")),
        ({"metric": "span_f1"}, ("metric 'span_f1' for kind relation", "micro_f1, accuracy, macro_f1")),
        ({"colour": "red"}, ("'colour'",)),
    ],
)
def test_a_bad_card(change: dict[str, object], parts: tuple[str, ...], tmp_path: Path) -> None:
    write_task(tmp_path / "toy", RELATION, splits("relation"))
    path = tmp_path / "toy/task.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    refused(lambda: read_task(tmp_path / "toy"), "task.json: found", *parts)


def test_a_card_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "task.json").write_text('{"kind": ', encoding="utf-8")
    refused(lambda: read_card(tmp_path), "task.json", "JSON")


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        ({"dev": []}, ("toy/dev", "no row")),
        ({"test": [Row(Example("9", "CPR:7", SECRET))]}, ("toy/test: row 1", "'CPR:7'")),
        (
            {"test": [Row(Example("train0", "false", SECRET))]},
            ("toy/test: row 1", "'train0' again", "toy/train: row 1"),
        ),
    ],
)
def test_nothing_is_written_of_a_task_that_could_not_be_read(
    spoil: dict[Any, list[Row]], parts: tuple[str, ...], tmp_path: Path
) -> None:
    refused(lambda: write_task(tmp_path / "toy", RELATION, splits("relation") | spoil), *parts)
    assert list(tmp_path.iterdir()) == []
    before = write_task(tmp_path / "toy", RELATION, splits("relation"))
    refused(lambda: write_task(tmp_path / "toy", RELATION, splits("relation") | spoil), *parts)
    assert read_card(tmp_path / "toy") == before
    assert sorted(os.listdir(tmp_path)) == ["toy"]


def test_a_write_that_is_interrupted_leaves_no_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_task(tmp_path / "toy", RELATION, splits("relation"))
    replace, done = os.replace, []

    def second_fails(source: Path, target: Path) -> None:
        done.append(target)
        if len(done) == 2:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(KeyboardInterrupt):
        write_task(tmp_path / "toy", RELATION, splits("relation"))
    assert not (tmp_path / "toy/task.json").exists()
    assert sorted(os.listdir(tmp_path)) == ["toy"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    refused(lambda: write_task(tmp_path / "file/toy", RELATION, splits("relation")), "can be written")


def test_repr_holds_no_text() -> None:
    assert SECRET not in repr(Row(Example("1", "false", SECRET, SECRET)))


def test_a_folder_that_no_task_can_be_named_after(tmp_path: Path) -> None:
    write_task(tmp_path / "my task", RELATION, splits("relation"))
    refused(lambda: read_task(tmp_path / "my task"), "my task: task 'my task': a name has letters, digits")
    refused(lambda: tasks_of(tmp_path), "my task: task 'my task': a name has letters, digits")


def test_what_a_killed_write_left_is_no_task(tmp_path: Path) -> None:
    write_task(tmp_path / ".toy.4711", RELATION, splits("relation"))
    refused(lambda: tasks_of(tmp_path), "a folder without a suite file")
    refused(lambda: check(tmp_path), "no folder with a task.json")
    write_task(tmp_path / "toy", RELATION, splits("relation"))
    assert [task.name for task in tasks_of(tmp_path)] == ["toy"]
    assert {row.task for row in check(tmp_path)} == {"toy"}
