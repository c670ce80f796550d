"""User suites on the command line: errors, ``init``, ``data inspect``, and a study of the example."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import LOCAL, command, results_of, rows

from taskaffinity.cli import main
from taskaffinity.tasks.task import SPLITS
from taskaffinity.tasks.user.suitefile import read_suite
from taskaffinity.training.encoders.load import tiny_encoder

SECRET = "frumious"
GOOD = """\
name: toy
tasks:
  reviews:
    kind: classification
    path: reviews
  pairs:
    kind: similarity
    path: pairs
  mentions:
    kind: ner
    path: mentions
"""
REVIEWS = f"""\
id,text,label
SPLIT1,{SECRET} one,good
SPLIT2,{SECRET} two,good
SPLIT3,{SECRET} three,bad
SPLIT4,{SECRET},bad
"""
PAIRS = "".join(
    json.dumps({"id": f"SPLIT{n}", "text": f"{SECRET} {n}", "text_pair": SECRET, "label": n}) + "\n" for n in range(3)
)
MENTIONS = f"{SECRET} B-Beast\nbandersnatch I-Beast\n\nshun O\n"


def lay_out(folder: Path) -> None:
    """A suite of three tasks with nothing wrong."""
    (folder / "suite.yaml").write_text(GOOD)
    for name in ("reviews", "pairs", "mentions"):
        (folder / name).mkdir()
    for split in ("train", "dev", "test"):
        (folder / f"reviews/{split}.csv").write_text(REVIEWS.replace("SPLIT", split))
        (folder / f"pairs/{split}.jsonl").write_text(PAIRS.replace("SPLIT", split))
        (folder / f"mentions/{split}.conll").write_text(MENTIONS)


def yaml(old: str, new: str) -> Callable[[Path], None]:
    return edit("suite.yaml", old, new)


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_bytes(text.replace(old, new, 1).encode("utf-8", "surrogateescape"))

    return change


def both(first: Callable[[Path], None], second: Callable[[Path], None]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        first(folder)
        second(folder)

    return change


def gone(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def also(name: str) -> Callable[[Path], None]:
    return lambda folder: shutil.copy(folder / "reviews/dev.csv", folder / name) and None


def as_json_with_text_for_tags(folder: Path) -> None:
    (folder / "mentions/train.conll").unlink()
    (folder / "mentions/train.jsonl").write_text(json.dumps({"tokens": [SECRET], "ner_tags": SECRET}) + "\n")


CSV, JSONL, CONLL = "reviews/train.csv", "pairs/train.jsonl", "mentions/train.conll"
BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "unknown key": (yaml("    kind: ner", "    knd: ner"), r"suite.yaml: line 10: .*'knd'.*did you mean kind\?"),
    "unknown key at the top": (yaml("name: toy", "nmae: toy"), r"suite.yaml: line 1: .*'nmae'.*did you mean name\?"),
    "unknown kind": (yaml("kind: ner", "kind: nre"), r"suite.yaml: line 10: .*'nre'.*did you mean ner\?"),
    "kind in capitals": (yaml("kind: ner", "kind: NER"), r"suite.yaml: line 10: .*'NER'.*did you mean ner\?"),
    "tab": (yaml("    kind: ner", "\tkind: ner"), r"suite.yaml: line 10: found broken YAML \(a tab\)"),
    "indent": (yaml("    kind: ner", "     kind: ner"), r"suite.yaml: line \d+: .*\(a line whose indentation differs"),
    "UTF-16": (
        lambda folder: (folder / CSV).write_text(REVIEWS, encoding="utf-16") and None,
        r"train.csv: found UTF-16",
    ),
    "list of objects": (
        lambda folder: (folder / JSONL).write_text("[\n {\n") and None,
        r"train.jsonl: line 2: found JSON that breaks off; expected one JSON list or object in the whole file",
    ),
    "a row without its label": (
        edit(JSONL, ', "label": 1', ""),
        r"train.jsonl: line 2: found no 'label', which the rows above have; expected this key in every row",
    ),
    "no kind": (yaml("    kind: ner\n", ""), r"suite.yaml: line 9: found no key 'kind'"),
    "no path": (yaml("    path: mentions\n", ""), r"suite.yaml: line 9: found no key 'path'"),
    "no tasks": (yaml(GOOD, "name: toy\n"), r"suite.yaml: line 1: found no key 'tasks'"),
    "one task": (yaml(GOOD[GOOD.index("  pairs") :], ""), r"suite.yaml: line 2: found 1 task; expected two"),
    "broken YAML": (yaml("path: pairs", "path: [pairs"), r"suite.yaml: line 9: found broken YAML \(expected ',' or"),
    "YAML nested too deeply": (
        yaml("path: pairs", f"path: {'[' * 2000}{']' * 2000}"),
        r"suite.yaml: found more than 6 levels; expected the levels of a suite file",
    ),
    "JSON nested too deeply": (
        edit(JSONL, '"label": 1', f'"label": {"[" * 100_000}'),
        r"train.jsonl: line 2: found JSON that is nested too deeply",
    ),
    "empty YAML": (yaml(GOOD, ""), r"suite.yaml: found an empty file"),
    "YAML that is a list": (yaml(GOOD, "- a\n"), r"suite.yaml: found a list of 1"),
    "a task twice": (yaml("  pairs:", "  reviews:"), r"suite.yaml: line 6: .*'reviews' again \(first: line 3\)"),
    "a task without a good name": (yaml("  pairs:", "  a/b:"), r"suite.yaml: line 6: found task 'a/b'"),
    "a suite without a good name": (yaml("toy", "my toys"), r"suite.yaml: line 1: found name 'my toys'"),
    "a suite of this tool's name": (yaml("toy", "clinical"), r"suite.yaml: found suite 'clinical'"),
    "unknown metric": (yaml("kind: ner", "kind: ner\n    metric: spanf1"), r"line 11: .*did you mean span_f1\?"),
    "metric of another kind": (
        yaml("kind: ner", "kind: ner\n    metric: pearson"),
        r"line 11: .*'pearson' for kind ner",
    ),
    "unknown format": (yaml("path: pairs", "path: pairs\n    format: jsnl"), r"line 9: .*did you mean jsonl\?"),
    "unknown column": (yaml("path: pairs", "path: pairs\n    columns: {txt: a}"), r"line 9: .*did you mean text\?"),
    "column that is not there": (
        yaml("path: reviews", "path: reviews\n    columns: {text: txt}"),
        r"train.csv: line 1: .*'txt'.*did you mean text\?",
    ),
    "column of another kind": (
        yaml("path: reviews", "path: reviews\n    columns: {tags: a}"),
        r"line 6: .*tags for kind",
    ),
    "columns of CoNLL": (
        yaml("path: mentions", "path: mentions\n    format: conll\n    columns: {tags: a}"),
        r"line 13: ",
    ),
    "negative that is no label": (
        yaml("kind: classification", "kind: classification\n    negative: god\n    metric: micro_f1"),
        r"line 5: .*did you mean good\?",
    ),
    "negative under accuracy": (
        yaml("kind: classification", "kind: classification\n    negative: good"),
        r"line 5: .*micro_f1",
    ),
    "negative of tagging": (yaml("kind: ner", "kind: ner\n    negative: O"), r"line 11: .*kind ner"),
    "labels of similarity": (yaml("kind: similarity", "kind: similarity\n    labels: [a, b]"), r"line 8: .*similarity"),
    "labels that are no list": (yaml("kind: ner", "kind: ner\n    labels: Beast"), r"line 11: .*expected a list"),
    "a label twice": (yaml("kind: ner", "kind: ner\n    labels: [Beast, Beast]"), r"line 11: .*twice"),
    "a label without examples": (
        yaml("kind: ner", "kind: ner\n    labels: [Beast, Bird]"),
        r"line 11: .*'Bird' without",
    ),
    "folder missing": (yaml("path: mentions", "path: mention"), r"mention: found no such folder"),
    "folder misspelt": (
        yaml("path: mentions", "path: mentoins"),
        r"mentoins: found no such folder; .*suite.yaml: line 11; did you mean mentions\?",
    ),
    "kind of two words": (
        yaml("kind: ner", "kind: named entities"),
        r"line 10: found kind 'named entities'; expected one of similarity",
    ),
    "test share and file": (
        yaml("path: reviews", "path: reviews\n    test: 20%"),
        r"line 6: found test: 20%, and test.csv",
    ),
    "file for a folder": (yaml("path: reviews", "path: reviews/train.csv"), r"train.csv: found one file"),
    "file missing": (
        yaml("path: reviews", "path: {train: reviews/trian.csv, dev: reviews/dev.csv, test: reviews/test.csv}"),
        r"trian.csv: found no such file; .*line 5; did you mean train.csv\?",
    ),
    "one file twice": (
        yaml("path: reviews", "path: {train: reviews/train.csv, dev: reviews/dev.csv, test: reviews/dev.csv}"),
        r"line 5: found one file for dev and test",
    ),
    "split unknown": (
        yaml("path: reviews", "path: {trian: reviews/train.csv}"),
        r"line 5: .*'trian'.*did you mean train\?",
    ),
    "no test part": (
        gone("reviews/test.csv"),
        r"reviews: found no test file among dev.csv, train.csv; .* or test: 20% to",
    ),
    "no dev part": (
        gone("reviews/dev.csv"),
        r"reviews: found no dev file among test.csv, train.csv; expected dev.csv, .*dev: 10%",
    ),
    "no dev part among files": (
        yaml("path: reviews", "path: {train: reviews/train.csv, test: reviews/test.csv}"),
        r"line 5: found no dev split; expected dev: 10% .*path: \{train: reviews/train.csv, dev: FILE, test: rev",
    ),
    "no test part among files": (
        yaml("path: reviews", "path: {train: reviews/train.csv, dev: reviews/dev.csv}"),
        r"line 5: found no test split; expected test: 20% to take a share .*, test: FILE\}",
    ),
    "tabs in a CSV": (
        edit(CSV, REVIEWS.replace("SPLIT", "train"), f"id\ttext\tlabel\na\t{SECRET}\tgood\n"),
        r"train.csv: line 1: found one column, and 2 tabs in the first line: is it tab-separated\? Name it .tsv",
    ),
    "semicolons in a CSV": (
        edit(CSV, REVIEWS.replace("SPLIT", "train"), f"id;text;label\na;{SECRET};good\n"),
        r"train.csv: line 1: found one column, and 2 semicolons .* Give separator: \";\"",
    ),
    "commas in a TSV": (
        lambda folder: (folder / CSV).rename(folder / "reviews/train.tsv") and None,
        r"train.tsv: line 1: found one column, and 2 commas in the first line: is it comma-separated\? Name it .csv",
    ),
    "columns of other names": (
        edit(CSV, "id,text,label", "key,review_body,stars"),
        r"line 1: found columns key, review_body, stars, none .*; expected columns: \{text: \.\.\., label: \.\.\.\}",
    ),
    "one column of another name": (
        edit(CSV, "id,text,label", "id,text,sentiment"),
        r"line 1: found no label among 3 columns \(id, text, sentiment\); expected a column 'label', or columns: ",
    ),
    "no header above texts of one word": (
        edit(CSV, REVIEWS.replace("SPLIT", "train"), f"{SECRET},good\nmimsy,good\nmome,bad\nraths,bad\n"),
        r"line 1: found no text among 2 columns, none .*: this seems to be no header",
    ),
    "carriage return alone": (edit(CSV, "two,good", "two\r,good"), r"train.csv: line 3: found a lone carriage return"),
    "classes that differ by case": (
        edit(CSV, "two,good", "two,Good\nx,y,good\nz,w,bad"),
        r"train.csv: line 3: found the only training example of 'Good'; .*'Good' and 'good' differ only in case",
    ),
    "two dev parts": (also("reviews/valid.csv"), r"reviews: found dev.csv, valid.csv for dev"),
    "dev share and file": (
        yaml("path: reviews", "path: reviews\n    dev: 10%"),
        r"line 6: found dev: 10%, and dev.csv",
    ),
    "dev share of nothing known": (yaml("path: reviews", "path: reviews\n    dev: tenth"), r"line 6: .*10%"),
    "format that cannot tag": (
        yaml("path: mentions", "path: mentions\n    format: csv"),
        r"line 12: found format csv for kind ner",
    ),
    "label of test alone": (
        edit("reviews/test.csv", "good", "medium"),
        r"test.csv: line 2: found label 'medium', which no training .* the 2 classes .* \('bad', 'good'\)",
    ),
    "tag of dev alone": (
        edit("mentions/dev.conll", "I-Beast", "B-Beasts"),
        r"dev.conll: line 2: found tag 'B-Beasts' on word 2",
    ),
    "id twice in a split": (
        edit(CSV, "train2", "train1"),
        r"train.csv: line 3: found id 'train1' again \(first: line 2\)",
    ),
    "id twice across splits": (
        edit("reviews/test.csv", "test2", "train1"),
        r"test.csv: line 3: found id 'train1' again \(first: .*train.csv: line 2",
    ),
    "class with one example": (
        edit(CSV, f"{SECRET},bad", f"{SECRET},{SECRET}"),
        r"train.csv: line 4: found the only training example",
    ),
    "one class": (
        edit(CSV, REVIEWS.replace("SPLIT", "train"), "text,label\na,x\nb,x\n"),
        r"train.csv: found 1 class in 2 rows",
    ),
    "text for a label": (edit(CSV, "good", "good " * 20), r"train.csv: line 2: found a label of 99 characters"),
    "empty text": (edit(CSV, f"{SECRET} two", " "), r"train.csv: line 3: found nothing but white space as 'text'"),
    "empty label": (edit(CSV, "two,good", "two,"), r"train.csv: line 3: found label an empty text"),
    "ragged row": (edit(CSV, f"{SECRET} two", f"{SECRET}, two"), r"train.csv: line 3: found 4 columns; expected 3"),
    "open quote": (edit(CSV, f"{SECRET} two", f'"{SECRET} two'), r"train.csv: line 3: found a row that is no CSV"),
    "no header": (
        edit(CSV, "id,text,label\n", ""),
        r"line 1: found no text among 3 columns, none .*: this seems to be no header; expected a column 'text' or",
    ),
    "no header, and a column that is like a cell of the data": (
        both(
            yaml("path: reviews", "path: reviews\n    columns: {text: frumius}"),
            edit(CSV, "id,text,label\n", f"a,{SECRET},c\n"),
        ),
        r"line 1: found no column 'frumius' among 3, none .*: this seems to be no header; expected one of them as",
    ),
    "header of another case": (edit(CSV, "id,text,label", "id,Text,label"), r"line 1: .*columns: \{text: Text\}"),
    "column twice": (edit(CSV, "id,text", "text,text"), r"train.csv: line 1: found the same name on columns 1 and 2"),
    "two columns for one field": (
        edit(CSV, "id,text", "text,sentence1"),
        r"train.csv: line 1: found columns 'text' and",
    ),
    "pair for one text": (edit(CSV, "id,text", "sentence1,sentence2"), r"train.csv: line 1: .*kind: inference"),
    "no rows": (edit(CSV, REVIEWS.replace("SPLIT", "train"), "id,text,label\n"), r"train.csv: found no row"),
    "empty file": (edit(CSV, REVIEWS.replace("SPLIT", "train"), ""), r"train.csv: found an empty file"),
    "not UTF-8": (edit(CSV, "two", "tw\udcff"), r"train.csv: line 3: found byte 0xff at column"),
    "bad score": (edit(JSONL, '"label": 1', f'"label": "{SECRET}"'), r"train.jsonl: line 2: found label a text of 8"),
    "score that is no number": (edit(JSONL, '"label": 1', '"label": null'), r"train.jsonl: line 2: found label null"),
    "scores all alike": (
        edit(
            JSONL,
            PAIRS.replace("SPLIT", "train"),
            PAIRS.replace("SPLIT", "train").replace('"label": 1', '"label": 0').replace('"label": 2', '"label": 0'),
        ),
        r"train.jsonl: found train scores that are all equal",
    ),
    "no JSON": (edit(JSONL, '"label": 1}', '"label": 1'), r"train.jsonl: line 2: found no JSON"),
    "JSON that is no object": (
        edit(JSONL, '{"id": "train1"', f'"{SECRET}"\n{{"id": "train1"'),
        r"line 2: found a text of 8",
    ),
    "half a character": (edit(JSONL, f'"{SECRET} 1', '"\\ud83d'), r"train.jsonl: line 2: found half of a character"),
    "tags that are no list": (
        as_json_with_text_for_tags,
        r"train.jsonl: line 1: found a text of 8 characters as tags",
    ),
    "key missing": (edit(JSONL, '"text_pair"', '"txt_pair"'), r"train.jsonl: line 1: found no text_pair among 4"),
    "tags of BIOES that end too early": (
        edit(CONLL, "B-Beast", "S-Beast"),
        r"train.conll: line 2: found tag .I-Beast. on word 2 after the end of a mention",
    ),
    "bad tag": (edit(CONLL, "I-Beast", "iBeast"), r"train.conll: line 2: found tag 'iBeast' on word 2"),
    "zero for O": (edit(CONLL, "shun O", "shun 0"), r"train.conll: line 4: found tag '0' on word 1"),
    "words for tags": (
        edit(CONLL, MENTIONS, f"B-Beast {SECRET}\nI-Beast bandersnatch\n"),
        r"train.conll: line 1: found tag of 8 characters on word 1",
    ),
    "tag without a type": (edit(CONLL, "B-Beast", "B"), r"train.conll: line 1: .*one name under labels"),
    "ragged line": (
        edit(CONLL, "shun O", "shun O O"),
        r"train.conll: line 4: found 3 columns; expected 2, as in line 1",
    ),
    "line without a tag": (edit(CONLL, f"{SECRET} B-Beast", SECRET), r"train.conll: line 1: found 1 column"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_fault_is_one_line_with_its_place_and_no_text(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path)
    break_it, said = BROKEN[case]
    break_it(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["taskaffinity", "pairwise", "--suite", "suite.yaml", "--encoder", "none-such"])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out, len(err.splitlines())) == (2, "", 1), err
    assert re.search(said, err), err
    assert SECRET not in err
    assert "bandersnatch" not in err
    assert sorted(tmp_path.rglob("*")) == before


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of a command in this process."""
    monkeypatch.setattr(sys, "argv", ["taskaffinity", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no suite: expected --suite FILE.yaml, or --domain"),
        (["--suite=suite.yaml", "--domain=clinical"], "expected one of them"),
        (["--suite=suite.yaml", "--data=."], "data .: not with a suite file"),
        (["--suite=suite.yml"], "suite.yml: found no such file; expected a suite file"),
        (["--suite=."], ": found a folder; expected a suite file; did you mean suite.yaml?"),
        (["--suite=suite.yaml"], "bluebert_pubmed_uncased"),  # the default encoder, which is not to be had here
    ],
)
def test_a_suite_is_named_once(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("pairwise", "full"):
        assert run(monkeypatch, name, *arguments) == 2
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        assert said in err


def test_init_writes_a_suite_that_loads_and_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "init", "mine") == 0
    suite = read_suite(tmp_path / "mine/suite.yaml")
    assert (suite.name, [task.kind for task in suite]) == ("example", ["classification", "inference", "ner"])
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(files) == 9
    assert run(monkeypatch, "init", "mine") == 2
    assert "nothing was written" in capsys.readouterr().err
    (tmp_path / "mine/suite.yaml").unlink()  # as after a kill: the suite file is written last
    assert run(monkeypatch, "init", "mine") == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files
    (tmp_path / "mine/suite.yaml").unlink()
    [some, *_] = (tmp_path / "mine").rglob("*.csv")
    some.write_text("of the user\n")
    assert run(monkeypatch, "init", "mine") == 2
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "mine/suite.yaml").exists()
    assert some.read_text() == "of the user\n"
    assert run(monkeypatch, "init") == 0  # here
    assert (tmp_path / "suite.yaml").is_file()


def leaky(folder: Path) -> None:
    """One test text of the reviews trained on in capitals, one of the mentions' sentences a training review."""
    lay_out(folder)
    for name in ("reviews", "pairs", "mentions"):
        for path in (folder / name).iterdir():
            path.write_text(path.read_text().replace(SECRET, f"{SECRET}{path.stem}{name}"))
    (folder / "mentions/test.conll").write_text("shared O\nwords O\n\nfoo B-Beast\n")
    (folder / "mentions/dev.conll").write_text("bar B-Beast\n" * 200)
    (folder / "mentions/train.conll").write_text("baz B-Beast\n")
    test = (folder / "reviews/test.csv").read_text()
    (folder / "reviews/test.csv").write_text(test + "test5,SHARED  words,good\ntest6,longer,bad\n")
    train = (folder / "reviews/train.csv").read_text()
    long = "w " * 200
    (folder / "reviews/train.csv").write_text(train + f"train5,shared words,good\ntrain6,{long},bad\n")


@pytest.mark.parametrize("with_encoder", [False, True])
def test_inspect_counts(
    with_encoder: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leaky(tmp_path)
    monkeypatch.chdir(tmp_path)
    encoder = tiny_encoder(["w", "bar", "one"], tmp_path / "cache", layers=1, width=16)
    options = [f"--encoder={encoder.folder}"] if with_encoder else []
    assert run(monkeypatch, "data", "inspect", "suite.yaml", *options) == 0
    out, err = capsys.readouterr()
    assert err == ""
    said = [" ".join(line.split()) for line in out.splitlines()]
    if with_encoder:  # a word is a piece here; [CLS] and [SEP]; tagged sentences go in rows of 30 words
        assert "reviews classification train 6 4 202 1" in said
        assert "mentions ner dev 1 0 32 32 0" in said
        assert sum("text_pair" in line and line.startswith("pairs: text ") for line in said) == 1
    else:
        assert "task kind split examples empty median longest" in said
        assert "reviews classification train 6 2 200" in said
        assert "mentions ner dev 1 0 200 200" in said
        assert "give --encoder FOLDER to count tokens and cut texts" in said
    assert "reviews bad 3 (50%) 2 (50%) 3 (50%)" in said
    assert "mentions Beast 1 (100%) 200 (100%) 1 (100%)" in said
    assert "pairs mean 1.00 1.00 1.00" in said
    assert [line for line in said if line.startswith("leak")] == [
        "leak: 1 text of reviews test also in reviews train",
        "leak: 1 text of mentions test also in reviews train",
    ]
    assert SECRET not in out
    assert "shared" not in out.lower()
    assert run(monkeypatch, "data", "inspect", "suite.yaml", "--tasks=mentions,pairs", "--json") == 0
    asked = json.loads(capsys.readouterr().out)
    assert [task["task"] for task in asked["tasks"]] == ["pairs", "mentions"]
    assert asked["overlaps"] == []
    assert run(monkeypatch, "data", "inspect", "suite.yaml", "--tasks=revews") == 2
    assert "did you mean reviews?" in capsys.readouterr().err


def test_inspect_names_frequent_labels_pieces_and_contradictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path)
    rows = [f"rare{n % 24:02},text {n}\n" for n in range(48)] + [f"often,text {n}\n" for n in range(40, 100)]
    for split in SPLITS:
        (tmp_path / f"reviews/{split}.csv").write_text("label,text\n" + "".join(rows))
    (tmp_path / "mentions/train.conll").write_text("a B-Beast\n" + "b O\n" * 30 + "\nc O\n")
    monkeypatch.chdir(tmp_path)
    for options, n_rare in (([], 19), (["--all-labels"], 24)):
        assert run(monkeypatch, "data", "inspect", "suite.yaml", *options) == 0
        said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert sum(line.startswith("reviews rare") for line in said) == n_rare
        assert "reviews often 60 (56%) 60 (56%) 60 (56%)" in said
        assert ("reviews and 5 less frequent (--all-labels)" in said) == (not options)
        assert "mentions: 1 sentence of more than 30 words, trained and scored in pieces" in said
        assert "contradiction: 16 rows of reviews dev have a text that also occurs there with another label" in said
    assert run(monkeypatch, "data", "inspect", "suite.yaml", "--json") == 0
    parts = {task["task"]: task["splits"] for task in json.loads(capsys.readouterr().out)["tasks"]}
    assert [parts["reviews"][split]["contradictions"] for split in SPLITS] == [16, 16, 16]
    assert (parts["mentions"]["train"]["in_pieces"], parts["mentions"]["train"]["contradictions"]) == (1, 0)
    assert parts["reviews"]["train"]["in_pieces"] is None
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert run(monkeypatch, "data", "inspect", "suite.yaml", "--json", "--show-text") == 2
    assert "--show-text with --json: the JSON has no text" in capsys.readouterr().err


def test_inspect_says_how_long_texts_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leaky(tmp_path)
    yaml("path: reviews", "path: reviews\n    max_length: 256")(tmp_path)
    yaml("path: mentions", "path: mentions\n    max_words: none\n    long: windows")(tmp_path)
    monkeypatch.chdir(tmp_path)
    encoder = tiny_encoder(["w", "bar", "one"], tmp_path / "cache", layers=1, width=16)
    assert run(monkeypatch, "data", "inspect", "suite.yaml", f"--encoder={encoder.folder}") == 0
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "reviews classification train 6 4 202 0" in said
    assert "mentions ner dev 1 0 202 202 0" in said
    assert "reviews: long texts: cut at the end, after 256 tokens" in said
    how = "half a window after the one before; each word is read where a window gives it most context"
    assert f"mentions: long texts: windows of 128 tokens, each {how}" in said
    assert not any("in pieces" in line for line in said)
    assert any(
        line.startswith("cut: examples of more than 128 tokens (or the task's max_length); the") for line in said
    )


@pytest.mark.slow
def test_leaks_are_reported_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    encoder = tiny_encoder(["w", "bar", "one"], tmp_path / "cache", layers=1, width=16)
    study = [
        "pairwise",
        "--suite=suite.yaml",
        f"--encoder={encoder.folder}",
        "--dry-run",
        "--executor=local",
        "--set=precision=none",
    ]
    leaky(tmp_path)
    assert run(monkeypatch, *study) == 0
    out, err = capsys.readouterr()
    others = ("Fewer than", "Few updates", "Many tokens are not in the vocabulary")
    lines = [line for line in out.splitlines() if not line.startswith(others)]
    assert lines[-4:] == [
        "leak: 1 text of reviews test also in reviews train",
        "leak: 1 text of mentions test also in reviews train, which can look like transfer",
        "all leaks: taskaffinity data inspect suite.yaml",
        "Many rows have 128 tokens or more, and the encoder reads the first 128 (max_length): reviews (17% of train).",
    ]
    assert err == ""
    assert run(monkeypatch, *study, "--set=max_length=4000") == 2
    assert capsys.readouterr().err.splitlines() == [
        "taskaffinity: --set max_length=4000: the encoder has 128 positions"
    ]
    (tmp_path / "mentions/test.conll").write_text("foo B-Beast\n")
    test = tmp_path / "reviews/test.csv"
    test.write_text(test.read_text().replace("SHARED  words", "other ones"))
    assert run(monkeypatch, *study) == 0
    out, err = capsys.readouterr()
    assert "leak" not in out + err


def test_inspect_of_a_data_folder_and_of_one_without_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = {"kind": "classification", "labels": ["bad", "good"]}
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "data", "inspect", ".") == 2
    assert "did you mean suite.yaml?" in capsys.readouterr().err
    (tmp_path / "data/toy").mkdir(parents=True)
    (tmp_path / "data/toy/task.json").write_text(json.dumps(card))
    for split in SPLITS:
        row = {"id": split, "text": f"{SECRET} {split}", "label": "bad"}
        (tmp_path / f"data/toy/{split}.jsonl").write_text(json.dumps(row) + "\n")
    assert run(monkeypatch, "data", "inspect", "data") == 0
    out = capsys.readouterr().out
    assert "toy" in out
    assert "no text occurs in two" in out


def test_text_is_shown_only_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "data", "inspect", "suite.yaml", "--show-text") == 2
    assert "the output is no terminal; expected one" in capsys.readouterr().err
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(monkeypatch, "data", "inspect", "suite.yaml", "--show-text") == 0
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert len(re.findall(r"^(?:reviews|pairs|mentions) train\S+: ", out, re.MULTILINE)) == 3 + 3 + 2
    assert SECRET in out


@pytest.mark.slow
def test_the_example_is_trained_and_drawn(tmp_path: Path) -> None:
    assert command("init", cwd=tmp_path).returncode == 0
    words = sorted({*(tmp_path / "negation/train.csv").read_text().lower().replace(",", " ").replace(".", " ").split()})
    encoder = tiny_encoder(words, tmp_path / "cache", layers=1, width=16)
    few = ["--seeds=1", "--seeds-single=1", "--set=num_train_epochs=1", "--no-predictions"]
    study = ["pairwise", "--suite=suite.yaml", f"--encoder={encoder.folder}", *LOCAL, *few]
    first = command(*study, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "synthetic" not in (first.stdout + first.stderr).lower()
    results = tmp_path / "results/example"
    assert len(results_of(results)) == 3 + 3
    names = {"negation", "entailment", "mentions"}
    assert {(edge["source"], edge["target"]) for edge in rows(results / "edges.csv")} == {
        (source, target) for source in names for target in names - {source}
    }
    assert (results / "suite.yaml").read_bytes() == (tmp_path / "suite.yaml").read_bytes()
    assert (results / "affinity.png").is_file()
