"""The texts that two tasks share are counted as a comparison of every two splits counts them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from taskaffinity.cli import app
from taskaffinity.tasks.survey import labels_by_frequency, n_contradictions, n_documents, n_empty, overlaps
from taskaffinity.tasks.task import SPLITS, Example, Task


def drawn(rng: random.Random) -> Example:
    first, second = (rng.choice(["Text {}", "te xt  {}"]).format(rng.randrange(30)) for _ in range(2))
    return Example("1", "a", text=first, text_pair=rng.choice([None, second]))


def sides(example: Example) -> set[str]:
    return {text.lower().replace(" ", "") for text in (example.text, example.text_pair) if text}


@pytest.mark.parametrize("seed", range(3))
def test_tasks_are_compared_as_if_two_by_two(seed: int) -> None:
    rng = random.Random(seed)
    tasks: list[Any] = [
        SimpleNamespace(
            name=name,
            splits=SPLITS,
            examples={split: [drawn(rng) for _ in range(rng.randrange(9))] for split in SPLITS},
        )
        for name in "abcd"
    ]
    expected = set()
    for task in tasks:
        for other in tasks:
            trained = set().union(*map(sides, other.examples["train"]))
            for split in SPLITS:
                n = sum(bool(sides(example) & trained) for example in task.examples[split])
                if n and task is not other and (split != "train" or task.name < other.name):
                    expected.add((task.name, split, n, other.name, "train"))
    found = [overlap for overlap in overlaps(tasks) if overlap.task != overlap.other]
    assert {(one.task, one.split, one.examples, one.other, one.other_split) for one in found} == expected
    assert len(found) == len(expected)


def test_contradictions_and_frequent_labels() -> None:
    def rows(split: str, pairs: list[tuple[str, str]]) -> list[Example]:
        return [Example(f"{split}{n}", label, text) for n, (text, label) in enumerate(pairs)]

    agreeing = [("c", "x"), ("c", "x"), ("d", "z"), ("e", "z"), ("f", "z")]
    splits = {
        "train": rows("train", [("a b", "x"), ("A  B", "y"), *agreeing]),
        "dev": rows("dev", [("c", "x"), ("c", "x"), ("C", "z")]),
        "test": rows("test", agreeing),
    }
    task = Task("toy", "classification", splits.__getitem__, ("y", "x", "z"))
    assert [n_contradictions(task, split) for split in SPLITS] == [2, 3, 0]
    assert labels_by_frequency(task) == ["x", "z", "y"]


KINDS_WITHOUT: dict[str, list[Any]] = {
    "ner": [("O", "B-x"), ("O", "O"), ("O", "O"), ("B-x", "I-x")],
    "multilabel": [("x",), (), ("x", "y"), ("y",)],
    "spans": [("0:1",), (), (), ()],
    "classification": ["x", "y", "x", "y"],
    "regression": [0.0, 1.0, 0.0, 2.0],
    "choice": ["A", "B", "A", "A"],
}


@pytest.mark.parametrize("kind", KINDS_WITHOUT)
def test_documents_and_examples_without_a_label_are_counted(kind: Any) -> None:
    labels, words = KINDS_WITHOUT[kind], ("v", "w") if kind == "ner" else ()
    documents = {"train": ["d1", "d1", "", ""], "dev": ["", "", "", ""], "test": ["d2", "d3", "d3", "d2"]}
    splits = {
        split: [
            Example(f"{split}{n}", label, "" if kind == "ner" else "w", words=words, document=names[n])
            for n, label in enumerate(labels)
        ]
        for split, names in documents.items()
    }
    task = Task("toy", kind, splits.__getitem__, () if kind == "regression" else ("x", "y"))
    assert [n_documents(task, split) for split in SPLITS] == [3, None, 2]
    none = {"ner": 2, "multilabel": 1, "spans": 3}.get(kind)
    assert [n_empty(task, split) for split in SPLITS] == [none] * 3


def test_inspect_prints_the_counts_of_a_plain_count(tmp_path: Path) -> None:
    rng = random.Random(1)
    lines: dict[str, list[dict[str, Any]]] = {}
    for split in SPLITS:
        rows = [{"text": f"{split} {n}", "doc": rng.choice("abcd")} for n in range(20 + rng.randrange(20))]
        lines[split] = [{**row, "labels": rng.sample(["x", "y"], rng.randrange(3))} for row in rows]
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / f"d/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines[split]))
        (tmp_path / f"d/{split}.csv").write_text("text,label\none,a\ntwo,a\nthree,b\nfour,b\n")
    suite = "tasks:\n  m: {kind: multilabel, path: d, format: jsonl, columns: {document: doc}}\n"
    (tmp_path / "suite.yaml").write_text(f"{suite}  c: {{kind: classification, path: d, format: csv}}\n")
    printed = CliRunner().invoke(app, ["data", "inspect", str(tmp_path / "suite.yaml")]).output
    said = [" ".join(line.split()) for line in printed.splitlines()]
    assert "task kind split examples documents empty median longest" in said
    for split, rows in lines.items():
        n_of = len(rows), len({row["doc"] for row in rows}), sum(row["labels"] == [] for row in rows)
        assert f"m multilabel {split} {n_of[0]} {n_of[1]} {n_of[2]} 2 2" in said
        assert f"c classification {split} 4 1 1" in said
    assert "empty: examples without a class (multilabel), a mention (ner) or an answer (spans)" in said
    found = json.loads(CliRunner().invoke(app, ["data", "inspect", str(tmp_path / "suite.yaml"), "--json"]).output)
    for task in found["tasks"]:
        for split, counts in task["splits"].items():
            rows = lines[split]
            n_of = (len({row["doc"] for row in rows}), sum(not row["labels"] for row in rows))
            assert (counts["documents"], counts["empty"]) == (n_of if task["task"] == "m" else (None, None))
