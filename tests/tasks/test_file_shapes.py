"""Shapes of tables and JSON files: equal examples in every shape, or one line that says what is there."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS, Split

CLASSES = ("absent", "present", "unknown")
SECRET = "frumious bandersnatch"
Record = dict[str, str]


def records(split: Split) -> list[Record]:
    draw = random.Random(split)
    names = [f"{split}-{n}" for n in range(12)]
    texts = [f'{SECRET} {draw.choice("äöü")}; "{n}", of {split}' for n in range(12)]
    return [{"id": i, "text": t, "label": CLASSES[n % 3]} for n, (i, t) in enumerate(zip(names, texts, strict=True))]


def table(rows: list[Record], separator: str = ",", *, header: bool = True) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerows(([["id", "text", "label"]] if header else []) + [list(row.values()) for row in rows])
    return out.getvalue().encode()


def by_id(rows: list[Record], indent: int | None = None) -> bytes:
    return json.dumps({row["id"]: {"text": row["text"], "label": row["label"]} for row in rows}, indent=indent).encode()


def numbered(rows: list[Record]) -> bytes:
    return "".join(json.dumps({**row, "label": CLASSES.index(row["label"])}) + "\n" for row in rows).encode()


SHAPES: dict[str, tuple[str, str, Callable[[list[Record]], bytes]]] = {
    "csv": ("{}.csv", "", table),
    "semicolons": ("{}.csv", 'separator: ";"', lambda rows: table(rows, ";")),
    "pipes in .txt": ("{}.txt", "separator: '|', format: csv", lambda rows: table(rows, "|")),
    "no header": ("{}.csv", "header: [id, text, label]", lambda rows: table(rows, header=False)),
    "no header, tabs": ("{}.tsv", "header: [id, text, label]", lambda rows: table(rows, "\t", header=False)),
    "latin-1": ("{}.csv", "encoding: latin-1", lambda rows: table(rows).decode().encode("latin-1")),
    "utf-16": ("{}.tsv", "encoding: utf-16", lambda rows: table(rows, "\t").decode().encode("utf-16")),
    "packed": ("{}.csv.gz", "", lambda rows: gzip.compress(table(rows))),
    "csv without an ending": ("{}", "format: csv", table),
    "tsv named txt": ("{}.txt", "format: tsv", lambda rows: table(rows, "\t")),
    "JSON list": ("{}.json", "", lambda rows: json.dumps(rows).encode()),
    "JSON list over lines": ("{}.json", "", lambda rows: json.dumps(rows, indent=1).encode()),
    "JSON list under data": (
        "{}.json",
        "",
        lambda rows: json.dumps({"version": "1.0", "source": {"of": "x"}, "data": rows}).encode(),
    ),
    "JSON list under a key, over lines": ("{}.json", "", lambda rows: json.dumps({"rows": rows}, indent=1).encode()),
    "JSON by columns, as pandas writes it": (
        "{}.json",
        "",
        lambda rows: json.dumps({key: {n: row[key] for n, row in enumerate(rows)} for key in rows[0]}).encode(),
    ),
    "JSON by id": ("{}.json", "", by_id),
    "JSON by id over lines": ("{}.json.gz", "", lambda rows: gzip.compress(by_id(rows, 2))),
    "numbered classes": ("{}.jsonl", "labels: [absent, present, unknown]", numbered),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_examples_that_were_written(shape: str, tmp_path: Path) -> None:
    name, more, written = SHAPES[shape]
    (tmp_path / "d").mkdir()
    for split in SPLITS:
        (tmp_path / "d" / name.format(split)).write_bytes(written(records(split)))
    task = read(tmp_path, f"kind: classification, path: d, {more}")
    for split in SPLITS:
        found = [{"id": e.id, "text": e.text, "label": e.label} for e in task.examples[split]]
        assert found == records(split)
        assert Counter(row["label"] for row in found) == dict.fromkeys(CLASSES, 4)
    of_encoding = f"read as {shape}, as encoding: says; letters beyond ASCII: all Latin"
    assert (task.labels, task.notes) == (CLASSES, (of_encoding,) if "encoding:" in more else ())


def test_all_shapes_are_one_task(tmp_path: Path) -> None:
    prints = set()
    for number, (name, more, written) in enumerate(SHAPES.values()):
        folder = tmp_path / str(number)
        (folder / "d").mkdir(parents=True)
        for split in SPLITS:
            (folder / "d" / name.format(split)).write_bytes(written(records(split)))
        prints.add(read(folder, f"kind: classification, path: d, {more}").fingerprint)
    assert len(prints) == 1


def test_a_column_of_splits_is_used_or_named(tmp_path: Path) -> None:
    names: dict[Split, str] = {"train": "Train", "dev": "validation", "test": "test"}
    rows = [{**row, "split": names[split]} for split in SPLITS for row in records(split)]
    random.Random(1).shuffle(rows)
    (tmp_path / "all.json").write_text(json.dumps(rows))
    task = read(tmp_path, "kind: classification, path: all.json, columns: {split: split}")
    for split in SPLITS:
        assert [e.id for e in task.examples[split]] == [row["id"] for row in rows if row["split"] == names[split]]
    assert task.notes == ()
    shared = read(tmp_path, "kind: classification, path: all.json, dev: 20%, test: 20%")
    assert shared.notes == ("column 'split' is ignored; to use it: columns: {split: split}",)
    (tmp_path / "all.json").write_text(json.dumps([row for row in rows if row["split"] != "validation"]))
    block = "kind: classification, path: all.json, columns: {split: split}"
    with pytest.raises(
        InputError, match=r"column 'split': found no dev split among '[Tt].*'; expected dev: 10% to take a"
    ):
        read(tmp_path, block)
    assert len(read(tmp_path, f"{block}, dev: 40%").examples["test"]) == 12


def test_other_names_in_a_column_of_splits_are_given(tmp_path: Path) -> None:
    names: dict[Split, object] = {"train": "Apprentissage", "dev": 1, "test": "Testing"}
    rows = [{**row, "part": names[split]} for split in SPLITS for row in records(split)]
    random.Random(2).shuffle(rows)
    (tmp_path / "all.json").write_text(json.dumps(rows))
    block = "kind: classification, path: all.json, columns: {split: part}"
    task = read(tmp_path, f"{block}, splits: {{train: apprentissage, dev: 1, test: Testing}}")
    for split in SPLITS:
        assert [e.id for e in task.examples[split]] == [row["id"] for row in rows if row["part"] == names[split]]
    with pytest.raises(
        InputError, match=r"column 'part': found no train, no dev and no test split among '.*, test: Testing}$"
    ):
        read(tmp_path, block)
    with pytest.raises(InputError, match=r"found splits: and no list of them in all.json; expected its keys, or"):
        read(tmp_path, "kind: classification, path: all.json, splits: {train: a}, dev: 10%, test: 10%")


def test_a_format_does_not_change_what_an_ending_chose(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for split in SPLITS:
        (tmp_path / f"d/{split}.csv").write_bytes(table(records(split)))
        (tmp_path / f"d/{split}.txt").write_bytes(b"something else")
        (tmp_path / f"d/{split}.csv.gz").write_bytes(b"something else")
    assert len(read(tmp_path, "kind: classification, path: d, format: csv").examples["dev"]) == 12
    assert len(read(tmp_path, "kind: classification, path: d").examples["dev"]) == 12


def test_integer_tags_are_the_same_task_as_their_names(tmp_path: Path) -> None:
    names = ["O", "B-Beast", "I-Beast", "B-Act"]
    prints = set()
    for folder, tags in (("numbers", lambda t: t), ("names", lambda t: [names[n] for n in t])):
        (tmp_path / folder / "d").mkdir(parents=True)
        for split in SPLITS:
            rows = [{"tokens": [*SECRET.split(), "ran"], "ner_tags": tags(t)} for t in ([1, 2, 3], [0, 1, 0])]
            (tmp_path / folder / f"d/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        labels = f", labels: [{', '.join(names)}]" * (folder == "numbers")
        prints.add(read(tmp_path / folder, f"kind: ner, path: d{labels}").fingerprint)
    assert len(prints) == 1


BAD: dict[str, tuple[str, bytes, str, str]] = {
    "cut gzip": ("csv.gz", gzip.compress(table(records("train")))[:-20], "", "train.csv.gz: found a gzip file that br"),
    "no gzip": ("csv.gz", table(records("train")), "", "train.csv.gz: found no gzip file, or a damaged one"),
    "wrong encoding": (
        "csv",
        "text,label\nä,b\n".encode("latin-1"),
        "encoding: utf-8",
        "line 2: found bytes that are not",
    ),
    "no encoding": ("csv", b"text,label\n", "encoding: latin-9000", "suite.yaml: line 2: found encoding 'latin-9000'"),
    "codec of bytes": ("csv", b"text,label\n", "encoding: zlib", "suite.yaml: line 2: found encoding 'zlib'"),
    "separator of two": ("csv", b"text,label\n", "separator: '||'", "line 2: found separator '||'"),
    "separator of tsv": ("tsv", b"text\tlabel\n", "separator: ';'", "found separator: for format tsv"),
    "header of JSON": ("jsonl", b"{}\n", "header: [text, label]", "found header: for format jsonl"),
    "header twice": ("csv", b"a,b\n", "header: [text, text]", "line 2: found a name that is empty or listed twice"),
    "a header after all": ("csv", table(records("train")), "header: [id, text, label]", "line 1: found the names of"),
    "header of another width": (
        "csv",
        table(records("train"), header=False),
        "header: [text, label]",
        "line 1: found 3 c",
    ),
    "no header": ("csv", b"1,frumious,shun,1\n2,a,b,0\n", "", "each name once; if the file has no header, header: ["),
    "list of lists": (
        "json",
        b'[["frumious bandersnatch"]]',
        "",
        "train.json: record 1: found a list of 1; expected a",
    ),
    "cut list": ("json", b'[{"text": "a",\n "label"', "", "train.json: line 2: found JSON that breaks off"),
    "one object over lines": (
        "json",
        b'{\n"text": "frumious",\n"label": "x"}',
        "",
        "found an object of 2 over several",
    ),
    "cut object": ("json", b'{\n"a1": {"text": "frumious",\n"label": "x"}', "", "line 3: found JSON that breaks off"),
    "several classes": (
        "jsonl",
        b'{"text": "a", "label": ["x", "y"]}\n',
        "",
        "line 1: found label a list of 2; expected",
    ),
    "id twice": ("json", b'{"a": {"text": "x", "label": "y"}, "a": {"text": "x", "label": "y"}}', "", "a key twice"),
    "split of no name": (
        "csv",
        b"text,label,part\na,b,holdout\n",
        "columns: {split: part}",
        "line 2: found split a text of",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_damaged_file_is_one_line_without_its_text(case: str, tmp_path: Path) -> None:
    name, content, more, said = BAD[case]
    (tmp_path / f"train.{name}").write_bytes(content)
    shares = "" if "split" in more else "dev: 20%, test: 20%, "
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"kind: classification, path: {{train: train.{name}}}, {shares}{more}")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not set(SECRET.split()) & set(str(caught.value).split())


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
def test_names_of_classes_that_count_from_1_are_refused_with_the_way_out(kind: str, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for split in SPLITS:
        rows = "".join(f"{SECRET} {n},{n % 3 + 1}\n" for n in range(6))
        (tmp_path / f"d/{split}.csv").write_text(f"text,label\n{rows}")
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"kind: {kind}, path: d, labels: [mild, moderate, severe]")
    assert str(caught.value).endswith(
        "d/train.csv: line 4: found label 3, and 3 names under labels:; "
        "expected 0 to 2; for classes from 1: labels: [1, 2, 3]"
    )
    task = read(tmp_path, f"kind: {kind}, path: d, labels: [1, 2, 3]")
    labels = [label for example in task.examples["dev"] for label in (example.label or ())]
    assert Counter(labels) == {"1": 2, "2": 2, "3": 2}
