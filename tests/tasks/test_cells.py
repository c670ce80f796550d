"""Lists in the cells of a table, and names of options: the right reading, or one line that says what is there."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS

CLASSES = ["anger", "fear", "joy", "two, words"]


def write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


CELLS: dict[str, Callable[[list[str]], str]] = {
    "JSON": json.dumps,
    "Python": str,
    "Python, other quotes": lambda names: "[" + ", ".join(f'"{name}"' for name in names) + "]",
    "over lines": lambda names: json.dumps(names, indent=1),
    "numbers": lambda names: str([CLASSES.index(name) for name in names]),
    "tuple": lambda names: str(tuple(names)),
    "set": lambda names: str(set(names)),
    "0 and 1 of each, Python": lambda names: str({name: int(name in names) for name in CLASSES}),
    "true and false of each, JSON": lambda names: json.dumps({name: name in names for name in CLASSES}),
}


@pytest.mark.parametrize("form", CELLS)
def test_a_list_in_a_cell_is_a_list_of_classes(form: str, tmp_path: Path) -> None:
    draw = random.Random(form)
    written: dict[str, list[list[str]]] = {}
    for split in SPLITS:
        written[split] = [[], *([name for name in CLASSES if draw.random() < 0.5] for _ in range(40))]
        rows: list[list[object]] = [[f"{split} {n}", CELLS[form](names)] for n, names in enumerate(written[split])]
        write(tmp_path / f"d/{split}.csv", ["text", "labels"], rows)
    labels = ", labels: [anger, fear, joy, 'two, words']" * (form == "numbers")
    task = read(tmp_path, f"kind: multilabel, path: d{labels}")
    assert list(task.labels) == CLASSES
    for split in SPLITS:
        found = [list(example.label) for example in task.examples[split]]  # type: ignore[arg-type]
        assert found == written[split]


@pytest.mark.parametrize("cell", ["[anger, joy]", "['anger' 'joy']", '["anger", "joy"', "[anger]", "{anger,joy}"])
def test_brackets_that_are_no_list_are_no_classes(cell: str, tmp_path: Path) -> None:
    for split in SPLITS:
        write(tmp_path / f"d/{split}.csv", ["text", "labels"], [[f"{split} {n}", cell] for n in range(4)])
    if cell.endswith(("]", "}")):
        with pytest.raises(InputError, match=r"train.csv: line 2: found label of \d+ characters in brackets, which is"):
            read(tmp_path, "kind: multilabel, path: d")
    else:  # no list by its end: names between commas, as in a file of classes that begin with a bracket
        assert read(tmp_path, "kind: multilabel, path: d").labels == ('"joy"', '["anger"')


def test_a_given_separator_also_splits_what_looks_like_brackets(tmp_path: Path) -> None:
    for split in SPLITS:
        write(tmp_path / f"d/{split}.csv", ["text", "labels"], [[f"{split} {n}", "[a];[b]"] for n in range(4)])
    assert read(tmp_path, "kind: multilabel, path: d, label_separator: ';'").labels == ("[a]", "[b]")


MARKS = {"0 and 1": "01", "0.0 and 1.0": ("0.0", "1.0"), "true and false": ("False", "True")}


@pytest.mark.parametrize("form", MARKS)
def test_a_column_for_each_class_is_a_list_of_classes(form: str, tmp_path: Path) -> None:
    draw, names = random.Random(form), ["anger", "fear", "joy"]
    marked: dict[str, list[list[int]]] = {}
    for split in SPLITS:
        marked[split] = [[draw.randrange(2) for _ in names] for _ in range(30)]
        rows: list[list[object]] = [
            [f"{split} {n}", *(MARKS[form][one] for one in row)] for n, row in enumerate(marked[split])
        ]
        write(tmp_path / f"d/{split}.csv", ["comment", *names], rows)
    block = "kind: multilabel, path: d, columns: {text: comment}"
    task = read(tmp_path, f"{block}, labels: [joy, anger]")  # fear is not asked for
    for split in SPLITS:
        expected = [[name for name in ("joy", "anger") if row[names.index(name)]] for row in marked[split]]
        assert [list(example.label) for example in task.examples[split]] == expected  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"no label among 4 .*, or a column of 0 and 1 for each class, labels: \["):
        read(tmp_path, block)
    write(tmp_path / "d/train.csv", ["comment", *names], [["frumious", 1, 0, 1], ["bandersnatch", 1, -1, 1]])
    with pytest.raises(InputError, match=r"train.csv: line 3: found '-1' in column 'fear'; expected 0 or 1"):
        read(tmp_path, f"{block}, labels: [joy, anger, fear]")


def test_a_column_of_labels_comes_before_columns_of_classes(tmp_path: Path) -> None:
    for split in SPLITS:
        rows: list[list[object]] = [[f"{split} {n}", ("a", "b", "a|b")[n % 3], 9, 9] for n in range(9)]
        write(tmp_path / f"d/{split}.csv", ["text", "labels", "a", "b"], rows)
    task = read(tmp_path, "kind: multilabel, path: d, labels: [a, b]")
    assert [list(example.label) for example in task.examples["dev"]][:3] == [["a"], ["b"], ["a", "b"]]  # type: ignore[arg-type]


TEXTS = ["red", "green", "blue"]
COLUMNS = "columns: {text: q, label: answer}"
SEVERAL = f"options: [opa, opb, opc], {COLUMNS}"
NAMED: dict[str, tuple[Callable[[int], object], str]] = {
    "letter": (lambda n: "ABC"[n], SEVERAL),
    "small letter": (lambda n: "abc"[n], SEVERAL),
    "letter in brackets": (lambda n: f"({'abc'[n]})", SEVERAL),
    "letter and point": (lambda n: f"{'ABC'[n]}.", SEVERAL),
    "place from 0": (lambda n: n, SEVERAL),
    "place from 1, named": (lambda n: n + 1, f"{SEVERAL}, labels: [1, 2, 3]"),
    "other names": (lambda n: ("first", "second", "third")[n], f"{SEVERAL}, labels: [first, second, third]"),
    "place from 0, named": (lambda n: n, f"{SEVERAL}, labels: [first, second, third]"),
    "column": (lambda n: ("opa", "opb", "opc")[n], SEVERAL),
    "text": (lambda n: TEXTS[n], SEVERAL),
}


@pytest.mark.parametrize("form", NAMED)
def test_every_name_of_the_right_option_gives_the_same_labels(form: str, tmp_path: Path) -> None:
    name, block = NAMED[form]
    right = {split: [random.Random(f"{split}{n}").randrange(3) for n in range(30)] for split in SPLITS}
    for split in SPLITS:
        rows: list[list[object]] = [[f"{split} {n}", *TEXTS, name(place)] for n, place in enumerate(right[split])]
        write(tmp_path / f"d/{split}.csv", ["q", "opa", "opb", "opc", "answer"], rows)
    task = read(tmp_path, f"kind: choice, path: d, {block}")
    assert task.labels == ("A", "B", "C")
    for split in SPLITS:
        assert [example.label for example in task.examples[split]] == ["ABC"[place] for place in right[split]]


@pytest.mark.parametrize("said", [lambda n: "ABCD"[n], lambda n: "abcd"[n], lambda n: [*TEXTS, "grey"][n]])
def test_options_under_their_letters_are_in_their_order(said: Callable[[int], str], tmp_path: Path) -> None:
    for split in SPLITS:
        rows = [
            {"q": f"{split} {n}", "options": dict(zip("ABCD", [*TEXTS, "grey"], strict=True)), "answer": said(n % 4)}
            for n in range(20)
        ]
        (tmp_path / f"{split}.json").write_text(json.dumps(rows))
    task = read(tmp_path, f"kind: choice, path: ., {COLUMNS}")
    assert Counter(example.label for example in task.examples["train"]) == dict.fromkeys("ABCD", 5)
    assert task.examples["test"][0].options == (*TEXTS, "grey")


def test_a_place_from_one_is_not_read_as_one_from_zero(tmp_path: Path) -> None:
    for split in SPLITS:
        write(tmp_path / f"d/{split}.csv", ["q", "opa", "opb", "answer"], [["q", "no", "yes", 2], ["q2", "a", "b", 1]])
    with pytest.raises(InputError, match=r"label '2', which is none of 2 options; .*from 1: labels: \[1, 2, ...\]$"):
        read(tmp_path, f"kind: choice, path: d, options: [opa, opb], {COLUMNS}")
    with pytest.raises(InputError, match=r"found 2 options; expected at most 1, as many as names under labels:"):
        read(tmp_path, f"kind: choice, path: d, options: [opa, opb], labels: [1], {COLUMNS}")


def test_the_column_of_an_option_that_a_row_lacks_is_none_of_its_options(tmp_path: Path) -> None:
    for split in SPLITS:
        rows: list[list[object]] = [["q", *TEXTS, "opc"], ["q2", "red", "green", "", "opc"]]
        write(tmp_path / f"d/{split}.csv", ["q", "opa", "opb", "opc", "answer"], rows)
    with pytest.raises(InputError, match=r"train.csv: line 3: found label .*, which is none of 2 options; expected"):
        read(tmp_path, f"kind: choice, path: d, {SEVERAL}")
