"""The readers on small valid files and on inputs that fuzzing found: nothing but one line, quickly."""

from __future__ import annotations

from pathlib import Path

import fuzz_readers
import pytest
from fuzz import NAMES

from taskaffinity.errors import InputError

FOUND: dict[str, list[bytes]] = {
    "yaml": [b"\0tasks: {a: {kind: ner, path: ~nobody}, b: {kind: ner, path: .}}", b"\1batch_size: " + b"1" * 5000],
    "lines": [b"\5n\n", b"\2a\tb\t1_0\n\0a\tb\n\x001\n"],
    "json": [b'\4{"text": "a", "text_pair": "b", "label": 1' + b"0" * 400 + b"}\n", b"\0{}\r{}"],
    "xml": [b'\0<?xml version="1.0" encoding="utf-32"?><a/>', b"\0" + b"<a>" * 1000],
    "brat": [b"\0red\0T1\tA 0 " + b"9" * 5000 + b"\tred"],
}
"""Reader -> inputs that once did more than end with one line."""


def test_every_reader_has_seeds_and_accepts_some(tmp_path: Path) -> None:
    assert tuple(fuzz_readers.READERS) == NAMES
    for reader, variants in fuzz_readers.READERS.items():
        accepted = set()
        for seed in fuzz_readers.seeds(reader):
            fuzz_readers.check(reader, tmp_path, seed)
            try:
                variants[seed[0]](tmp_path, seed[1:])
            except InputError:
                continue
            accepted.add(seed[0])
        assert accepted == set(range(len(variants))), reader


@pytest.mark.parametrize("reader", FOUND)
def test_what_fuzzing_found_ends_with_one_line(reader: str, tmp_path: Path) -> None:
    for data in FOUND[reader]:
        fuzz_readers.check(reader, tmp_path, data)


def test_the_oracle_sees_a_traceback_a_quote_and_a_control_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reader(folder: Path, content: bytes) -> None:
        if content == b"traceback":
            raise KeyError("x")
        if content == b"control":
            raise ControlError("found \x1b[2J")
        raise InputError(f"{folder}: found {content.decode()}")

    class ControlError(InputError):
        def __str__(self) -> str:
            return "found \x1b[2J"

    monkeypatch.setitem(fuzz_readers.READERS, "json", [reader])
    for content, said in (("traceback", "KeyError"), ("red horse and cake", "quotes the file"), ("control", "control")):
        with pytest.raises(fuzz_readers.BrokenError, match=said):
            fuzz_readers.check("json", tmp_path, b"\0" + content.encode())
    fuzz_readers.check("json", tmp_path, b"\0red horse")
