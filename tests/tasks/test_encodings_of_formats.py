"""``encoding:`` is the encoding of the files of every text format, and refused for parquet."""

from __future__ import annotations

import codecs
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS, Task

TEXT = "Müdigkeit und Übelkeit."
WORD = "Übelkeit"
START = TEXT.index(WORD)
ENCODINGS = ("latin-1", "cp1252", "utf-16", "cp850")


def bioc(number: int, declared: str) -> dict[str, str]:
    head = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    place = f'<location offset="{START}" length="{len(WORD)}"/>'
    mention = f'<annotation><infon key="type">S</infon>{place}<text>{WORD}</text></annotation>'
    passage = f"<passage><offset>0</offset><text>{TEXT}</text>{mention}</passage>"
    return {"SPLIT.xml": f"{head}<collection><document><id>{number}</id>{passage}</document></collection>"}


def bioc_json(number: int, declared: str) -> dict[str, str]:
    place = f'[{{"offset": {START}, "length": {len(WORD)}}}]'
    mention = f'{{"infons": {{"type": "S"}}, "text": "{WORD}", "locations": {place}}}'
    passage = f'{{"offset": 0, "text": "{TEXT}", "annotations": [{mention}]}}'
    return {"SPLIT.bioc": f'{{"documents": [{{"id": {number}, "passages": [{passage}]}}]}}'}


def brat(number: int, declared: str) -> dict[str, str]:
    line = f"T1\tS {START} {START + len(WORD)}\t{WORD}\n"
    return {f"SPLIT/{number}.txt": TEXT, f"SPLIT/{number}.ann": line}


def pubtator(number: int, declared: str) -> dict[str, str]:
    line = f"{number}\t{START}\t{START + len(WORD)}\t{WORD}\tS\n"
    return {"SPLIT.pubtator": f"{number}|t|{TEXT}\n{number}|a|\n{line}"}


FORMS = {"bioc": bioc, "bioc JSON": bioc_json, "brat": brat, "pubtator": pubtator}


def write(folder: Path, form: str, encoding: str, declared: str = "") -> str:
    for number, split in enumerate(SPLITS, start=1):
        for name, content in FORMS[form](number, declared).items():
            path = folder / name.replace("SPLIT", split)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content.encode(encoding))
    return f"kind: ner, path: ., format: {form.split()[0]}"


def words(task: Task) -> list[list[str]]:
    return [
        [word for word, tag in zip(one.words, one.label, strict=True) if tag != "O"] for one in task.examples["dev"]
    ]  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_given_encoding_reads_the_mentions(form: str, encoding: str, tmp_path: Path) -> None:
    task = read(tmp_path, f"{write(tmp_path, form, encoding)}, encoding: {encoding}")
    assert words(task) == [[WORD]]
    assert task.notes[0].startswith(f"read as {encoding}, as encoding: says; letters beyond ASCII: all Latin")


@pytest.mark.parametrize("form", FORMS)
def test_without_it_the_likely_encoding_is_named_with_the_line(form: str, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"train.*: line \d: .*not UTF-8; expected UTF-8 text, or encoding: cp1252"
    ) as caught:
        read(tmp_path, write(tmp_path, form, "cp1252"))
    assert WORD[1:] not in str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_a_utf_8_file_is_not_read_in_another_encoding(form: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found UTF-8 text, and encoding: latin-1; expected no encoding:"):
        read(tmp_path, f"{write(tmp_path, form, 'utf-8')}, encoding: latin-1")


def test_the_given_encoding_comes_before_the_declared_one(tmp_path: Path) -> None:
    block = write(tmp_path, "bioc", "iso-8859-1", declared="ISO-8859-1")
    assert words(read(tmp_path, f"{block}, encoding: latin-1")) == [[WORD]]


def test_relations_of_brat_are_read_in_the_given_encoding(tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / split).mkdir()
        pair = "Müdigkeit folgt Übelkeit."
        start = pair.index(WORD)
        marks = f"T1\tS 0 9\tMüdigkeit\nT2\tS {start} {start + 8}\t{WORD}\nR1\tCause Arg1:T1 Arg2:T2\n"
        for number in range(2):
            kind = marks.replace("Cause", "After") if number else marks
            for n in range(2):
                (tmp_path / f"{split}/{split}{number}{n}.txt").write_bytes(pair.encode("latin-1"))
                (tmp_path / f"{split}/{split}{number}{n}.ann").write_bytes(kind.encode("latin-1"))
    task = read(tmp_path, "kind: relation, path: ., format: brat, pairs: {masks: markers}, encoding: latin-1")
    assert {example.text for example in task.examples["train"]} == {"@S$ Müdigkeit $S@ folgt @S$ Übelkeit $S@."}


@pytest.mark.parametrize("form", ["", ", format: parquet"])
def test_parquet_has_no_encoding(form: str, tmp_path: Path) -> None:
    for split in SPLITS:
        pq.write_table(pa.Table.from_pylist([{"text": "a", "label": "b"}]), tmp_path / f"{split}.parquet")
    with pytest.raises(InputError, match=r"train.parquet: found encoding: for format parquet; expected no encoding:"):
        read(tmp_path, f"kind: classification, path: .{form}, encoding: latin-1")


def test_encodings_of_the_test_are_distinct() -> None:
    assert len({codecs.lookup(encoding).name for encoding in ENCODINGS}) == len(ENCODINGS)
