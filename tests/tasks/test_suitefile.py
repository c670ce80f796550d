"""A suite file and its data: every format gives the examples that were written, under every name a column may have."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Example, Task
from taskaffinity.tasks.user.shares import in_share
from taskaffinity.tasks.user.suitefile import read_suite

FILLER = "\n  filler:\n    kind: classification\n    path: filler\n"


def suite_of(folder: Path, block: str, files: dict[str, str]) -> Suite:
    """A suite of the task ``mine``, with these lines and files, and of another that is as it should be."""
    for split in SPLITS:
        files = {**files, f"filler/{split}.csv": "text,label\none,a\ntwo,a\nthree,b\nfour,b\n"}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode())
    lines = "\n".join(f"    {line}" for line in block.strip().splitlines())
    (folder / "suite.yaml").write_text(f"name: toy\ntasks:\n  mine:\n{lines}{FILLER}")
    return read_suite(folder / "suite.yaml")


def mine(folder: Path, block: str, files: dict[str, str]) -> Task:
    return suite_of(folder, block, files)["mine"]


def everywhere(ending: str, content: str) -> dict[str, str]:
    """The same file for every split."""
    return {f"d/{split}.{ending}": content for split in SPLITS}


def test_csv_with_quotes_over_lines_and_an_id(tmp_path: Path) -> None:
    train = 'id,text,label\r\nx1,"a, ""b""\nc",yes\r\n\r\nx2,d,no\r\nx3,e,yes\r\nx4,f,no\r\n'
    files = {f"d/{split}.csv": train if split == "train" else train.replace("\nx", f"\n{split}") for split in SPLITS}
    task = mine(tmp_path, "kind: classification\npath: d\ntitle: Mine", files)
    assert task.examples["train"] == (
        Example("x1", "yes", 'a, "b"\nc'),
        Example("x2", "no", "d"),
        Example("x3", "yes", "e"),
        Example("x4", "no", "f"),
    )
    assert (task.labels, task.metric_name, task.title) == (("no", "yes"), "accuracy", "Mine")


def test_tsv_keeps_quotes_that_csv_would_not(tmp_path: Path) -> None:
    files = everywhere("tsv", 'sentence1\tsentence2\tscore\n5" nail\ta "b" c\t2.5\nd\te\t4\n')
    task = mine(tmp_path, "kind: similarity\npath: d", files)
    assert task.examples["dev"] == (
        Example("dev.1", 2.5, '5" nail', 'a "b" c'),
        Example("dev.2", 4.0, "d", "e"),
    )
    assert (task.labels, task.metric_name) == ((), "pearson")


@pytest.mark.parametrize(
    "names", [("text", "text_pair"), ("sentence1", "sentence2"), ("premise", "hypothesis")], ids=lambda names: names[0]
)
def test_pairs_of_hugging_face_need_no_columns_and_numbers_are_classes(names: tuple[str, str], tmp_path: Path) -> None:
    rows = [{names[0]: f"p{n}", names[1]: f"h{n}", "label": n % 2, "idx": n, "more": [1]} for n in range(4)]
    task = mine(
        tmp_path, "kind: inference\npath: d", everywhere("jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    )
    assert task.labels == ("0", "1")
    assert task.examples["test"][1] == Example("test.1", "1", "p1", "h1")  # idx begins anew in every split


def test_tokens_of_hugging_face(tmp_path: Path) -> None:
    files = {
        f"d/{name}.jsonl": json.dumps({"id": f"{name}0", "tokens": ["a", "b", "c"], "ner_tags": ["I-x", "I-x", "O"]})
        for name in ("train", "validation", "test")
    }
    task = mine(tmp_path, "kind: ner\npath: d", files)
    assert task.examples["dev"] == (Example("validation0", ("B-x", "I-x", "O"), words=("a", "b", "c")),)
    assert (task.labels, task.metric_name) == (("x",), "span_f1")


CONLL = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC
British JJ I-NP B-MISC

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER
"""


@pytest.mark.parametrize("separator", [" ", "\t"])
def test_conll_in_iob1(separator: str, tmp_path: Path) -> None:
    task = mine(
        tmp_path, "kind: ner\npath: d\nformat: conll", everywhere("txt", CONLL.replace(" ", separator) + "\n\n")
    )
    assert task.examples["train"] == (
        Example("train.1", ("B-ORG", "O", "B-MISC", "B-MISC"), words=("EU", "rejects", "German", "British")),
        Example("train.2", ("B-PER", "I-PER"), words=("Peter", "Blackburn")),
    )
    assert task.labels == ("MISC", "ORG", "PER")


def test_conll_of_two_documents_and_more_keeps_them_apart(tmp_path: Path) -> None:
    task = mine(tmp_path, "kind: ner\npath: d\nformat: conll", everywhere("txt", CONLL + "\n" + CONLL))
    documents = [example.document for example in task.examples["test"]]
    assert documents[0] == documents[1] != documents[2] == documents[3]
    shifted = mine(tmp_path / "b", "kind: ner\npath: d\nformat: conll", everywhere("txt", CONLL + "\n" + CONLL))
    assert [example.document for example in shifted.examples["test"]] == documents


def test_a_share_that_finds_no_whole_document_says_so(tmp_path: Path) -> None:
    rows = [f"t{i},l{i % 2},one" for i in range(30)]
    files = {"d.csv": "\n".join(["text,label,document", *rows])}
    with pytest.raises(InputError, match=r"of 30 examples \(in whole documents, of 1\)"):
        mine(tmp_path, "kind: classification\npath: {train: d.csv}\ndev: 10%\ntest: 20%", files)


def test_rows_of_one_document_are_in_one_part(tmp_path: Path) -> None:
    rows = [f"t{i},l{i % 2},k{i},{i // 8}" for i in range(400)]
    files = {"d.csv": "\n".join(["text,label,id,doc", *rows])}
    block = "kind: classification\npath: {train: d.csv}\ncolumns: {document: doc}\ndev: 10%\ntest: 20%"
    task = mine(tmp_path, block, files)
    found = {split: {example.document for example in task.examples[split]} for split in SPLITS}
    assert found["test"] == {str(n) for n in range(50) if in_share(str(n), 0.2, is_last=True)}
    assert sum(map(len, found.values())) == len(set().union(*found.values())) == 50


def test_a_document_is_a_text_or_a_number(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "label": str(i % 2), "document": i // 2} for i in range(4)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    task = mine(tmp_path / "a", "kind: classification\npath: d", everywhere("jsonl", lines))
    assert [example.document for example in task.examples["dev"]] == ["0", "0", "1", "1"]
    gaps = lines.replace('"document": 1', '"document": 1.0').replace('"document": 0', '"document": null')
    task = mine(tmp_path / "gaps", "kind: classification\npath: d", everywhere("jsonl", gaps))
    assert [example.document for example in task.examples["dev"]] == ["", "", "1", "1"]
    for value in (["x"], False, []):
        broken = lines + json.dumps({"text": "t", "label": "1", "document": value}) + "\n"
        with pytest.raises(InputError, match=r"line 5: found document .*whole number"):
            mine(tmp_path / "b", "kind: classification\npath: d", everywhere("jsonl", broken))


def test_blue_of_each_kind(tmp_path: Path) -> None:
    tagged = "A\td1\t0\tB\nb\t-\t2\tI\n.\t-\t3\tO\n\nC\td1\t5\tO\n"
    block = "kind: ner\npath: d\nformat: blue\nlabels: [Disease]"
    assert mine(tmp_path / "1", block, everywhere("tsv", tagged)).examples["train"] == (
        Example("train.1", ("B-Disease", "I-Disease", "O"), words=("A", "b", ".")),
        Example("train.2", ("O",), words=("C",)),
    )
    pairs = "index\tlabel\tsentence1\tsentence2\n" + "".join(f"{n}\tl{n % 2}\ta{n}\tb{n}\n" for n in range(4))
    task = mine(tmp_path / "2", "kind: inference\npath: d\nformat: blue", everywhere("tsv", pairs))
    assert task.examples["train"][1] == Example("train.1", "l1", "a1", "b1")
    relations = "index\tsentence\tlabel\n" + "".join(f"d.T{n}\ts{n}\tCPR:{n % 2}\n" for n in range(4))
    block = 'kind: relation\npath: d\nformat: blue\nnegative: "CPR:0"'
    task = mine(tmp_path / "3", block, everywhere("tsv", relations))
    assert (task.scored, task.metric_name) == (("CPR:1",), "micro_f1")
    assert task.examples["test"][0] == Example("test.d.T0", "CPR:0", "s0")


def test_columns_map_the_rest(tmp_path: Path) -> None:
    rows = [{"q": f"q{n}", "a": f"a{n}", "same": n % 2 == 0, "key": n, "text": "other"} for n in range(4)]
    keyed = {split: [{**row, "key": f"{split}{row['key']}"} for row in rows] for split in SPLITS}
    files = {f"{split}.json": "".join(json.dumps(row) + "\n" for row in of) for split, of in keyed.items()}
    block = """kind: inference
path: {train: train.json, dev: dev.json, test: test.json}
columns: {text: q, text_pair: a, label: same, id: key}
labels: [true, false]
metric: macro_f1
"""
    task = mine(tmp_path, block, files)
    assert task.labels == ("true", "false")  # as they stand in the file: YAML's own words are not read
    assert task.examples["test"][0] == Example("test0", "true", "q0", "a0")
    assert task.metric_name == "macro_f1"


def rows_of(n: int) -> dict[str, str]:
    rows = [f"t{i},l{i % 2},k{i}" for i in range(n)]
    header = "text,label,id\n"
    return {"d/train.csv": header + "\n".join(rows), "d/test.csv": header + "a,l0,z1\nb,l1,z2\n"}


def test_dev_is_the_same_share_whatever_the_order(tmp_path: Path) -> None:
    block = "kind: classification\npath: d\ndev: 10%"
    task = mine(tmp_path / "a", block, rows_of(400))
    dev = {example.id for example in task.examples["dev"]}
    assert dev == {f"k{i}" for i in range(400) if in_share(f"k{i}", 0.1)}
    assert 20 <= len(dev) <= 60
    assert len(task.examples["train"]) == 400 - len(dev)
    files = rows_of(400)
    header, *lines = files["d/train.csv"].split("\n")
    turned = mine(tmp_path / "b", block, {**files, "d/train.csv": "\n".join([header, *reversed(lines)])})
    assert {example.id for example in turned.examples["dev"]} == dev
    fewer = mine(tmp_path / "c", block, rows_of(300))
    assert {example.id for example in fewer.examples["dev"]} == dev - {f"k{i}" for i in range(300, 400)}


def test_dev_and_test_are_shares_of_one_file_and_each_is_the_same_without_the_other(tmp_path: Path) -> None:
    alone = mine(tmp_path / "a", "kind: classification\npath: d\ndev: 10%", rows_of(400))
    one = {"d.csv": rows_of(400)["d/train.csv"]}
    task = mine(tmp_path / "b", "kind: classification\npath: {train: d.csv}\ndev: 10%\ntest: 20%", one)
    ids = {split: {example.id for example in task.examples[split]} for split in SPLITS}
    assert ids["dev"] == {example.id for example in alone.examples["dev"]}
    assert 60 <= len(ids["test"]) <= 100
    assert sum(map(len, ids.values())) == len(set().union(*ids.values())) == 400
    folder = {"d/train.csv": rows_of(400)["d/train.csv"]}
    assert mine(tmp_path / "c", "kind: classification\npath: d\ndev: 10%\ntest: 20%", folder) == task


def test_a_class_that_a_share_took_is_named_with_its_line_of_the_train_file(tmp_path: Path) -> None:
    """The test file has the class too; its lines are no lines of the train file."""
    files = rows_of(40)
    rare = next(f"r{i}" for i in range(100) if in_share(f"r{i}", 0.1))
    files = {"d/train.csv": f"{files['d/train.csv']}\nrare,c,{rare}\n", "d/test.csv": f"{files['d/test.csv']}d,c,z3\n"}
    with pytest.raises(InputError, match=r"d/train.csv: line 42: found class 'c' without a training example after dev"):
        mine(tmp_path, "kind: classification\npath: d\ndev: 10%", files)


def test_a_suite_is_read_from_a_name_too(tmp_path: Path) -> None:
    suite_of(tmp_path, "kind: classification\npath: d\ndev: 10%", rows_of(40))
    assert read_suite(str(tmp_path / "suite.yaml")) == read_suite(tmp_path / "suite.yaml")


def test_a_task_is_a_value_by_its_content(tmp_path: Path) -> None:
    block = "kind: classification\npath: d\ndev: 10%"
    task = mine(tmp_path / "a", block, rows_of(40))
    same = mine(tmp_path / "b", f"{block}\ntitle: Other", rows_of(40))
    other = mine(tmp_path / "c", block, rows_of(41))
    assert task == same
    assert task != other
    again = pickle.loads(pickle.dumps(task))
    assert (again.examples, again.fingerprint) == (task.examples, task.fingerprint)


def test_the_name_is_the_file_s_and_none_of_this_tool_s(tmp_path: Path) -> None:
    suite_of(tmp_path, "kind: classification\npath: d\ndev: 10%", rows_of(40))
    text = (tmp_path / "suite.yaml").read_text().removeprefix("name: toy\n")
    (tmp_path / "my-tasks.yaml").write_text(text)
    suite = find_suite(None, file=tmp_path / "my-tasks.yaml")
    assert (suite.name, len(suite), suite.synthetic) == ("my-tasks", 2, False)
    (tmp_path / "clinical.yaml").write_text(text)
    with pytest.raises(InputError, match=r"clinical.*another name"):
        find_suite(None, file=tmp_path / "clinical.yaml")
