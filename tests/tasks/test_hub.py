"""Data sets of the hub: read like files, refused in a line. With ``datasets`` itself, on local folders, where it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Example, Task
from taskaffinity.tasks.user import hub
from taskaffinity.tasks.user.suitefile import read_suite

SECRET = "frumious"
FILLER = "\n  filler:\n    kind: classification\n    path: filler\n"
Rows = list[dict[str, Any]]


@dataclass
class Numbered:
    """As ``ClassLabel``."""

    names: list[str]


@dataclass
class Listed:
    """As ``List``."""

    feature: Any


@dataclass
class Part:
    """As ``Dataset``, as far as it is used."""

    rows: Rows
    features: Mapping[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.column_names = list(self.rows[0]) if self.rows else ["text", "label"]
        self.features = {name: self.features.get(name) for name in self.column_names}

    def select_columns(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        self.asked += names
        return ({name: row[name] for name in names} for row in self.rows)


REVIEWS: Rows = [{"sentence": f"{SECRET} {n}", "label": n % 2, "picture": "large"} for n in range(6)]
CLASSES = {"label": Numbered(["neg", "pos"])}


def suite_of(folder: Path, block: str) -> Suite:
    (folder / "filler").mkdir(exist_ok=True)
    for split in SPLITS:
        (folder / f"filler/{split}.csv").write_text("text,label\none,a\ntwo,a\nthree,b\nfour,b\n")
    lines = "\n".join(f"    {line}" for line in block.strip().splitlines())
    (folder / "suite.yaml").write_text(f"name: toy\ntasks:\n  mine:\n{lines}{FILLER}")
    return read_suite(folder / "suite.yaml")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Task]:
    """The task of these lines, where the hub's answer is given."""

    def read(block: str, answer: Mapping[str, Part] | Exception, asked: list[Any] | None = None) -> Task:
        def load(*arguments: Any, **options: Any) -> Mapping[str, Part]:
            if asked is not None:
                asked.append((arguments, options))
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(hub, "_loader", lambda where: load)
        return suite_of(tmp_path, block)["mine"]

    return read


def parts(*names: str, rows: Rows = REVIEWS, **of_split: Rows) -> dict[str, Part]:
    return {name: Part(of_split.get(name, rows), CLASSES) for name in names}


def test_classes_are_read_by_their_names_and_other_columns_are_left_alone(mine: Callable[..., Task]) -> None:
    there, asked = parts("train", "validation", "test", "unsupervised"), []
    block = "kind: classification\nhub: owner/reviews\nconfig: plain\nrevision: v1"
    task = mine(block, there, asked)
    assert task.labels == ("neg", "pos")
    assert task.examples["dev"][1] == Example("dev.2", "pos", f"{SECRET} 1")
    assert asked == [(("owner/reviews",), {"name": "plain", "revision": "v1"})]
    assert there["train"].asked == ["sentence", "label"]
    assert there["unsupervised"].asked == []


def test_rows_that_annotators_rejected_are_left_out_and_counted(mine: Callable[..., Task]) -> None:
    rows = [{**row, "answer": "reject" if n > 3 else "accept"} for n, row in enumerate(REVIEWS)]
    task = mine("kind: classification\nhub: owner/reviews", parts("train", "validation", "test", rows=rows))
    assert [example.text for example in task.examples["train"]] == [row["sentence"] for row in REVIEWS[:4]]
    assert task.notes == ("6 rows that annotators rejected or ignored (answer:), left out",)


def test_tags_are_read_by_their_names(mine: Callable[..., Task]) -> None:
    rows = [{"id": "0", "tokens": [SECRET, "Snatch", "x"], "ner_tags": [1, 2, 0]}]
    tags = {"ner_tags": Listed(Numbered(["O", "B-Beast", "I-Beast"]))}
    there = {name: Part(rows, tags) for name in ("train", "validation", "test")}
    task = mine("kind: ner\nhub: owner/beasts\ncolumns: {idx: id}", there)
    assert task.labels == ("Beast",)
    assert task.examples["test"] == (Example("test.0", ("B-Beast", "I-Beast", "O"), words=(SECRET, "Snatch", "x")),)


def test_documents_in_bigbios_schema_are_read_by_sentence(mine: Callable[..., Task]) -> None:
    def document(number: int) -> dict[str, Any]:
        passage = {"type": "title", "text": ["A Snatch ran. It hid."], "offsets": [[10, 31]]}
        entity = {"type": "Beast", "text": ["Snatch"], "offsets": [[12, 18]]}
        return {"id": "0", "document_id": f"d{number}", "passages": [passage], "entities": [entity], "relations": []}

    there = {name: Part([document(n)]) for n, name in enumerate(("train", "validation", "test"))}
    task = mine("kind: ner\nhub: bigbio/beasts\nconfig: beasts_bigbio_kb", there)
    assert [(e.words, e.label, e.document) for e in task.examples["dev"]] == [
        (("A", "Snatch", "ran", "."), ("O", "B-Beast", "O", "O"), "d1"),
        (("It", "hid", "."), ("O", "O", "O"), "d1"),
    ]
    assert there["train"].asked == ["document_id", "passages", "entities"]


def test_relations_of_bigbios_schema_are_read_by_pairs_of_mentions(mine: Callable[..., Task]) -> None:
    def document(number: int) -> dict[str, Any]:
        passage = {"type": "title", "text": ["A Snatch ate cake and figs."], "offsets": [[10, 37]]}
        entities = [
            {"id": name, "type": kind, "text": [text], "offsets": [[start, start + len(text)]]}
            for name, kind, text, start in (
                ("a", "Beast", "Snatch", 12),
                ("b", "Food", "cake", 23),
                ("c", "Food", "figs", 32),
            )
        ]
        relations = [{"id": "r", "type": "eats", "arg1_id": "a", "arg2_id": name} for name in "bc"[: 1 + number % 2]]
        return {"document_id": f"d{number}", "passages": [passage], "entities": entities, "relations": relations}

    there = {
        name: Part([document(2 * n), document(2 * n + 1), document(2 * n + 90)])
        for n, name in enumerate(("train", "validation", "test"))
    }
    task = mine("kind: relation\nhub: bigbio/beasts\nnegative: none\npairs: {types: [[Beast, Food]]}", there)
    assert [(e.text, e.label, e.document) for e in task.examples["dev"]] == [
        ("A @Beast$ ate @Food$ and figs.", "eats", "d2"),
        ("A @Beast$ ate cake and @Food$.", "none", "d2"),
        ("A @Beast$ ate @Food$ and figs.", "eats", "d3"),
        ("A @Beast$ ate cake and @Food$.", "eats", "d3"),
        ("A @Beast$ ate @Food$ and figs.", "eats", "d92"),
        ("A @Beast$ ate cake and @Food$.", "none", "d92"),
    ]
    assert there["train"].asked == ["document_id", "passages", "entities", "relations"]
    assert task.missed == dict.fromkeys(SPLITS, 0)


def test_splits_and_columns_may_have_other_names_and_dev_may_be_a_share(mine: Callable[..., Task]) -> None:
    rows = [{"review": f"{SECRET} {n}", "stars": str(n % 2)} for n in range(40)]
    block = "kind: classification\nhub: reviews\nsplits: {train: all, test: held_out}\ndev: 20%\n"
    task = mine(block + "columns: {text: review, label: stars}", parts("all", "held_out", rows=rows))
    assert task.labels == ("0", "1")
    assert 0 < len(task.examples["dev"]) < 20
    assert len(task.examples["train"]) + len(task.examples["dev"]) == 40


def test_the_fingerprint_is_of_what_is_read(mine: Callable[..., Task]) -> None:
    block = "kind: classification\nhub: owner/{}"
    one, same, other = (
        mine(block.format(name), parts("train", "dev", "test", rows=rows))
        for name, rows in (("a", REVIEWS), ("b", REVIEWS), ("a", [*REVIEWS, {**REVIEWS[0], "sentence": "new"}]))
    )
    assert one.fingerprint == same.fingerprint != other.fingerprint


HUB = "kind: classification\nhub: owner/name\n"
THREE = parts("train", "dev", "test")
TWICE = [{"id": "x", **row} for row in REVIEWS]


class DatasetNotFoundError(FileNotFoundError):
    """Of the name that ``datasets`` gives it."""


@pytest.mark.parametrize(
    ("block", "answer", "says"),
    [
        (
            HUB,
            parts("train", "dev"),
            r"line 5: found no test split in owner/name, which has 'train', 'dev'; expected a data set that has it",
        ),
        (
            HUB,
            parts("train", "test"),
            r"found no dev split in owner/name, which has 'train', 'test'; expected dev: 10% to take a share of train",
        ),
        (
            HUB,
            parts("train", "evaluation", "final"),
            r"found no dev and no test split in owner/name, which has 'train', 'evaluation', 'final'; "
            r"expected splits: \{dev: NAME, test: NAME\}, or dev: 10% to take a share of train$",
        ),
        (HUB + "splits: {test: tets}", THREE, r"line 6: found no split 'tets' in owner/name; .*did you mean test\?"),
        (HUB + "splits: {test: dev}", THREE, r"line 6: found split 'dev' for two parts"),
        (HUB + "splits: {dev: dev}\ndev: 10%", THREE, r"found a dev split, and a share under dev: as well"),
        (HUB + "splits: {tset: dev}", THREE, r"line 6: .*'tset'.*did you mean test\?"),
        (HUB + "path: filler", THREE, r"line 5: found path: and hub:; expected one of them"),
        (HUB + "format: csv", THREE, r"line 6: found format: with hub:"),
        (HUB + "columns: {text: txt}", THREE, r"owner/name: train: found no column 'txt' among 3"),
        ("kind: classification\npath: filler\nrevision: main", THREE, r"line 6: found revision: without hub:"),
        ("kind: classification", THREE, r"line 3: found no key 'path'; expected path: .*; or hub: OWNER/NAME"),
        ("kind: classification\nhub: https://hub/a", THREE, r"line 5: found hub: 'https://hub/a'; expected OWNER/NAME"),
        (
            HUB,
            parts("train", "dev", "test", test=[{**REVIEWS[0], "label": -1}]),
            r"owner/name: test row 1: found label -1, which means no label",
        ),
        *(
            (HUB, parts("train", "dev", "test", test=[{**REVIEWS[0], "label": label}]), rf"test row 1: found {says}")
            for label, says in (
                (7, "label 7; expected a class from 0 to 1"),
                (-2, "label -2; expected a class from 0 to 1"),
                (SECRET, "str as a numbered label; expected a number"),
            )
        ),
        (
            HUB,
            parts("train", "dev", "test", dev=[*REVIEWS, {**REVIEWS[0], "sentence": " "}]),
            r"owner/name: dev row 7: found nothing but white space as 'text'",
        ),
        (HUB, parts("train", "dev", "test", train=TWICE), r"train row 2: found id 'x' again \(first: train row 1\)"),
        (HUB, parts("train", "dev", "test", test=[]), r"owner/name: test: found no row"),
        (HUB, parts("train", "dev", "test", train=REVIEWS[:3]), r"train row 2: found the only training example"),
        (HUB, ConnectionError("Couldn't reach"), r"line 5: found owner/name, which is not in the cache"),
        (HUB, DatasetNotFoundError("gone"), r"line 5: found no data set owner/name"),
        (HUB, RuntimeError("Dataset scripts are no longer supported, but found a.py"), r"needs a loading script"),
        (HUB, ValueError("Config name is missing.\nPick ['one', 'two']"), r"expected config: one of 'one', 'two'"),
        (HUB, ValueError(f"a row: {SECRET}"), r"which `datasets` cannot load \(ValueError\)"),
    ],
)
def test_a_fault_is_one_line_with_its_place_and_no_text(
    block: str, answer: Any, says: str, mine: Callable[..., Task]
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        mine(block, answer)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r'needs the package datasets; expected pip install .* -e "\.\[datasets\]"'):
        suite_of(tmp_path, HUB)


def needs_datasets() -> Any:
    return pytest.importorskip("datasets", reason="datasets is not here: NOT tried for real")


def test_datasets_itself_loads_a_folder_with_numbered_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = needs_datasets()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    tags = datasets.Sequence(datasets.ClassLabel(names=["O", "B-Beast", "I-Beast"]))
    features = datasets.Features({"tokens": datasets.Sequence(datasets.Value("string")), "ner_tags": tags})
    content = {"tokens": [["a", "b"], ["c"]], "ner_tags": [[1, 2], [0]]}
    (tmp_path / "owner/beasts/data").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        part = datasets.Dataset.from_dict(content, features=features)
        part.to_parquet(tmp_path / f"owner/beasts/data/{split}-00000-of-00001.parquet")
    task = suite_of(tmp_path, "kind: ner\nhub: owner/beasts")["mine"]
    assert task.labels == ("Beast",)
    assert [example.label for example in task.examples["dev"]] == [("B-Beast", "I-Beast"), ("O",)]


def test_datasets_itself_loads_documents_in_bigbios_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = needs_datasets()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "owner/beasts/data").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        entity = {"id": "1", "type": "Beast", "text": ["Snatch"], "offsets": [[2, 8]], "normalized": [{"db_id": "x"}]}
        passage = {"id": "0", "type": "title", "text": ["A Snatch ran."], "offsets": [[0, 13]]}
        row = {"id": "0", "document_id": split, "passages": [passage], "entities": [entity], "relations": []}
        part = datasets.Dataset.from_list([row, {**row, "document_id": f"{split}2", "entities": []}])
        part.to_parquet(tmp_path / f"owner/beasts/data/{split}-00000-of-00001.parquet")
    task = suite_of(tmp_path, "kind: ner\nhub: owner/beasts")["mine"]
    assert [e.label for e in task.examples["dev"]] == [("O", "B-Beast", "O", "O"), ("O",) * 4]
    assert [e.document for e in task.examples["dev"]] == ["validation", "validation2"]


def test_datasets_itself_loads_a_configuration_with_numbered_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = needs_datasets()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    card = """---
configs:
- {config_name: one, data_files: [{split: train, path: train.jsonl}, {split: test, path: test.jsonl}]}
- {config_name: two, data_files: [{split: train, path: test.jsonl}]}
dataset_info:
- config_name: one
  features:
  - {name: sentence, dtype: string}
  - {name: label, dtype: {class_label: {names: {'0': neg, '1': pos}}}}
- config_name: two
---
"""
    folder = tmp_path / "owner/reviews"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(card)
    for split in ("train", "test"):
        rows = ({"sentence": f"{SECRET} {split} {n}", "label": n % 2} for n in range(30))
        (folder / f"{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    block = "kind: classification\nhub: owner/reviews\ndev: 20%\n"
    with pytest.raises(InputError, match="expected config: one of 'one', 'two'"):
        suite_of(tmp_path, block)
    task = suite_of(tmp_path, f"{block}config: one")["mine"]
    assert task.labels == ("neg", "pos")
    assert task.examples["test"][3] == Example("test.4", "pos", f"{SECRET} test 3")


def test_datasets_itself_says_when_there_is_no_hub_and_when_there_is_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = needs_datasets()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="owner/nowhere, which is not in the cache, and the hub cannot be reached"):
        suite_of(tmp_path, "kind: ner\nhub: owner/nowhere")
    (tmp_path / "owner/scripted").mkdir(parents=True)
    (tmp_path / "owner/scripted/scripted.py").write_text("")
    with pytest.raises(InputError, match="owner/scripted, which needs a loading script"):
        suite_of(tmp_path, "kind: ner\nhub: owner/scripted")
