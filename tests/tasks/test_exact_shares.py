"""Exact shares have the asked sizes and the classes of the whole, and keep documents and equal texts together."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskaffinity.cli import app
from taskaffinity.errors import InputError
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Example, Split, Task
from taskaffinity.tasks.user.exact_shares import draw_parts
from taskaffinity.tasks.user.suitefile import read_suite

SHARES: list[dict[Split, int]] = [
    {"train": 80, "dev": 10, "test": 10},
    {"train": 50, "dev": 25, "test": 25},
    {"train": 90, "dev": 10},
]


@pytest.mark.parametrize("seed", range(12))
def test_sizes_are_exact_and_classes_are_those_of_the_whole(seed: int) -> None:
    rng = random.Random(seed)
    n, shares = rng.randint(8, 300), SHARES[seed % 3]
    weights = [rng.random() ** 2 + 0.02 for _ in range(rng.randint(2, 8))]
    labels = [f"c{label}" for label in rng.choices(range(len(weights)), weights, k=n)]
    examples = [Example(f"i{i}", label, f"text {i}") for i, label in enumerate(labels)]
    drawn = draw_parts(examples, shares, "classification")
    assert set(drawn) == {example.id for example in examples}
    sizes, classes = Counter(drawn.values()), Counter(labels)
    by_class = Counter((drawn[example.id], example.label) for example in examples)
    for part, share in shares.items():
        assert abs(sizes[part] - n * share / 100) < 1
        for label, n_class in classes.items():
            assert abs(by_class[part, label] - n_class * share / 100) < 2
    assert draw_parts(rng.sample(examples, n), shares, "classification") == drawn


@pytest.mark.parametrize("seed", range(6))
def test_documents_and_equal_texts_stay_together_at_the_cost_of_a_unit(seed: int) -> None:
    rng = random.Random(seed)
    documents = [f"d{i // 4}" if i < 80 else "" for i in range(200)]
    texts = [f"text {rng.randrange(60)}" if 80 <= i < 140 else f"own {i}" for i in range(200)]
    examples = [
        Example(f"i{i}", f"c{rng.randrange(3)}", text if i % 2 else f" {text.upper()} ", document=document)
        for i, (text, document) in enumerate(zip(texts, documents, strict=True))
    ]
    drawn = draw_parts(examples, SHARES[0], "classification")
    for names in (documents, texts):
        for name in set(names) - {""}:
            assert len({drawn[f"i{i}"] for i, other in enumerate(names) if other == name}) == 1
    sizes = Counter(drawn.values())
    assert (sizes["train"], sizes["dev"], sizes["test"]) == (160, 20, 20)  # single rows make up for the units


def test_a_text_of_many_documents_does_not_chain_them_and_one_of_no_document_stays_together() -> None:
    chained = [
        Example(f"i{i}", f"c{i % 2}", "no change" if i % 5 == 0 else f"own {i}", document=f"d{i // 5}")
        for i in range(200)
    ]
    drawn = draw_parts(chained, SHARES[0], "classification")
    assert Counter(drawn.values()) == {"train": 160, "dev": 20, "test": 20}
    assert all(len({drawn[f"i{5 * d + i}"] for i in range(5)}) == 1 for d in range(40))
    assert draw_parts(chained[::-1], SHARES[0], "classification") == drawn
    alone = [Example(f"i{i}", f"c{i % 2}", "no change" if i < 50 else f"own {i}") for i in range(100)]
    drawn = draw_parts(alone, SHARES[0], "classification")
    assert {drawn[f"i{i}"] for i in range(50)} == {"train"}
    assert Counter(drawn.values()) == {"train": 80, "dev": 10, "test": 10}


def test_tags_and_several_classes_are_spread_too() -> None:
    tagged = [
        Example(f"i{i}", ("B-Rare" if i < 10 else "B-Often" if i < 60 else "O", "O"), words=(f"w{i}", "x"))
        for i in range(100)
    ]
    drawn = draw_parts(tagged, SHARES[0], "ner")
    assert Counter(drawn[f"i{i}"] for i in range(10)) == {"train": 8, "dev": 1, "test": 1}
    assert Counter(drawn[f"i{i}"] for i in range(10, 60)) == {"train": 40, "dev": 5, "test": 5}
    several = [Example(f"i{i}", ("a", "b") if i < 10 else ("b",) if i < 60 else (), f"t{i}") for i in range(100)]
    drawn = draw_parts(several, SHARES[0], "multilabel")
    assert Counter(drawn[f"i{i}"] for i in range(10)) == {"train": 8, "dev": 1, "test": 1}
    assert Counter(drawn.values()) == {"train": 80, "dev": 10, "test": 10}


def suite(folder: Path, shares: str, n: int = 20) -> Path:
    rows = [{"id": f"k{i}", "text": f"text {i}", "label": "ab"[i % 2]} for i in range(n)]
    (folder / "one.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = f"  {{name}}:\n    kind: classification\n    path: one.jsonl\n    {shares}\n"
    (folder / "suite.yaml").write_text("tasks:\n" + task.format(name="one") + task.format(name="two"))
    return folder / "suite.yaml"


def sizes_of(task: Task) -> list[int]:
    return [len(task.examples[split]) for split in SPLITS]


def test_a_suite_file_and_data_in_memory_take_exact_shares(tmp_path: Path) -> None:
    [task, _] = read_suite(suite(tmp_path, "train: 80%\n    dev: 10%\n    test: 10%")).tasks
    assert sizes_of(task) == [16, 2, 2]
    assert {tuple(sorted(str(e.label) for e in task.examples[part])) for part in ("dev", "test")} == {("a", "b")}
    rows = [{"id": e.id, "text": e.text, "label": e.label} for split in SPLITS for e in task.examples[split]]
    options = {"train": "80%", "dev": "10%", "test": "10%"}
    same = Suite.from_datasets({name: ({"train": rows}, {}, options) for name in ("one", "two")}).tasks[0]
    assert [{e.id for e in same.examples[split]} for split in SPLITS] == [
        {e.id for e in task.examples[split]} for split in SPLITS
    ]


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        (
            "train: 80%\n    dev: 10%\n    test: 20%",
            "line 5: found train: 80%, dev: 10%, test: 20%, which is 110%;",
        ),
        ("train: all\n    dev: 10%\n    test: 20%", "line 5: found train: 'all'; expected 1% to 99% of the training"),
        ("train: 80%", "line 5: found train: 80%, which is 80%; expected shares that add up to 100%"),
        ("dev: 1%\n    test: 1%", "with train: 80% or another rest, shares are exact"),
    ],
)
def test_shares_that_do_not_fit_are_refused_in_one_line(shares: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_suite(suite(tmp_path, shares))
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_inspect_writes_the_ids_that_shares_drew(tmp_path: Path) -> None:
    file = suite(tmp_path, "dev: 20%\n    test: 20%", n=60)
    done = CliRunner().invoke(app, ["data", "inspect", str(file), f"--write-splits={tmp_path / 'splits'}"])
    assert done.exit_code == 0, done.output
    assert f"{tmp_path / 'splits/two.csv'}: the split of each example" in done.stdout
    with (tmp_path / "splits/two.csv").open(newline="") as written:
        rows = [(row["id"], row["split"]) for row in csv.DictReader(written)]
    task = read_suite(file).tasks[1]
    assert rows == [(example.id, split) for split in SPLITS for example in task.examples[split]]
    refused = CliRunner().invoke(app, ["data", "inspect", str(file), f"--write-splits={file}"])
    assert "a file; expected a folder" in str(refused.exception)


def test_texts_that_a_hash_draws_apart_are_counted_and_the_way_out_is_named(tmp_path: Path) -> None:
    rows = "".join(f"text {i % 40},{'ab'[i % 2]}\n" for i in range(80))
    (tmp_path / "d.csv").write_text(f"text,label\n{rows}")
    file, block = tmp_path / "suite.yaml", "tasks:\n  a: {kind: classification, path: {train: d.csv}, %s}\n"
    file.write_text(block % "dev: 20%, test: 25%")
    [task] = read_suite(file, least=1)
    split_of: dict[str, set[Split]] = {}
    for split in SPLITS:
        for example in task.examples[split]:
            split_of.setdefault(example.text, set()).add(split)
    n = sum(len(of) > 1 for of in split_of.values())
    assert n > 5
    assert task.notes == (f"{n} texts drawn into several splits; with train: 55%, equal texts stay together",)
    file.write_text(block % "train: 55%, dev: 20%, test: 25%")
    [task] = read_suite(file, least=1)
    assert not task.notes
