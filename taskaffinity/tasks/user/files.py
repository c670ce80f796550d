"""Data files of a user: which files hold the splits, and their rows as ``rows.py`` takes them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from taskaffinity.errors import InputError, input_error, named, quoted
from taskaffinity.tasks.formats import read_objects
from taskaffinity.tasks.task import Kind, Split
from taskaffinity.tasks.tsv import read_table, unquoted
from taskaffinity.tasks.user.columns import NEEDED, Columns, Field, Located
from taskaffinity.tasks.user.conll import read_conll
from taskaffinity.tasks.user.csvfile import read_csv

Format = Literal["jsonl", "csv", "tsv", "conll", "blue"]
FORMATS: tuple[Format, ...] = get_args(Format)
STEMS: dict[Split, tuple[str, ...]] = {
    "train": ("train",),
    "dev": ("dev", "devel", "validation", "valid", "val"),
    "test": ("test",),
}
"""What a split may be called, as a file and in a data set of the hub."""
_ENDINGS: dict[Format, tuple[str, ...]] = {
    "jsonl": (".jsonl", ".json"),
    "csv": (".csv",),
    "tsv": (".tsv",),
    "conll": (".conll", ".iob", ".iob2", ".bio", ".txt"),
    "blue": (".tsv",),
}
_GUESSED: dict[str, Format] = {
    ending: form for form in ("jsonl", "csv", "tsv", "conll") for ending in _ENDINGS[form] if ending != ".txt"
}
FITTING: dict[bool, tuple[Format, ...]] = {True: ("jsonl", "conll", "blue"), False: ("jsonl", "csv", "tsv", "blue")}
"""Whether the task is tagging -> formats that can hold it."""


def find_files(folder: Path, form: Format | None, kind: Kind, *, may_lack: Collection[Split] = ()) -> dict[Split, Path]:
    """The data files of a folder by split, by their names: ``train.csv``, ``validation.jsonl``, ...

    A dev file may lack, and that of a split in ``may_lack``.

    Raises
    ------
    InputError
        No such folder, or two files for one split.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise input_error(
            folder, found, "a folder of train, dev and test files, or path: {train: FILE, dev: FILE, test: FILE}"
        )
    endings = _ENDINGS[form] if form else tuple(_GUESSED)
    files: dict[Split, Path] = {}
    for split, stems in STEMS.items():
        there = [path for stem in stems for end in endings if (path := folder / f"{stem}{end}").is_file()]
        if len(there) > 1:
            both = ", ".join(path.name for path in there)
            raise input_error(folder, f"{both} for {split}", "one of them, a format:, or path: {train: FILE, ...}")
        if there:
            files[split] = there[0]
        elif split != "dev" and split not in may_lack:
            example = f"{split}{endings[0] if form else _ENDINGS[FITTING[kind == 'ner'][0]][0]}"
            share = ", or test: 20% to take a share of the train file" if split == "test" else ""
            expected = f"{example} ({', '.join(endings)} are read), or path: {{{split}: FILE}}{share}"
            raise input_error(folder, f"no {split} file", expected)
    return files


def read_rows(path: Path, form: Format | None, columns: Columns) -> Located:
    """``(where, row)`` of a data file, keys of a row being ``Field``.

    Raises
    ------
    InputError
        No such file, a format that is not known or does not fit, or a fault in the file.
    """
    form = form or _GUESSED.get(path.suffix.lower())
    is_tagging = columns.kind == "ner"
    if form is None:
        raise input_error(
            path, f"a name that ends in {path.suffix or 'nothing'}", f"format: one of {', '.join(FORMATS)}"
        )
    if form not in FITTING[is_tagging]:
        raise input_error(path, f"format {form} for kind {columns.kind}", f"one of {', '.join(FITTING[is_tagging])}")
    if form == "blue":
        columns = Columns(columns.kind, columns.given, is_blue=True)
    return _READERS[form](path, columns)


def _jsonl(path: Path, columns: Columns) -> Located:
    return object_rows(read_objects(path), columns, "a JSON object")


def object_rows(located: Iterable[tuple[str, object]], columns: Columns, expected: str) -> Located:
    """``(where, row)`` of mappings of column name to value, keys of a row being ``Field``.

    Raises
    ------
    InputError
        A row that is no mapping (``expected`` says what it should be), or that lacks a column.
    """
    before: list[str] = []
    at: dict[Field, str] = {}
    for where, row in located:
        if not isinstance(row, Mapping):
            raise input_error(where, named(row, ()), expected)
        names = list(row)
        if names != before:
            if gone := [column for name, column in at.items() if name in NEEDED[columns.kind] and column not in names]:
                raise input_error(where, f"no {quoted(gone[0])}, which the rows above have", "it in every row")
            before, at = names, columns.place(where, names)
        yield where, {name: row[column] for name, column in at.items()}


def _csv(path: Path, columns: Columns) -> Located:
    return _table(path, *read_csv(path), columns)


def _tsv(path: Path, columns: Columns) -> Located:
    return _table(path, *read_table(path), columns)


def _table(path: Path, header: list[str], rows: Iterable[tuple[str, list[str]]], columns: Columns) -> Located:
    where = f"{path}: line 1"
    twice = next((number for number, name in enumerate(header) if name in header[:number]), None)
    if twice is not None:
        raise input_error(
            where, f"the same name on columns {header.index(header[twice]) + 1} and {twice + 1}", "each name once"
        )
    _check_separator(where, path, header)
    columns.check_header(where, header, rows)
    at = {name: header.index(column) for name, column in columns.place(where, header).items()}
    for here, fields in rows:
        yield here, {name: fields[place] for name, place in at.items()}


def _check_separator(where: str, path: Path, header: Sequence[str]) -> None:
    """Of one column that holds another separator: a table by another name."""
    if len(header) > 1:
        return
    [line] = header
    formats: dict[str, tuple[str, str]] = {
        "\t": ("tab", "name it .tsv or give format: tsv"),
        ",": ("comma", "name it .csv or give format: csv"),
        ";": ("semicolon", "save it with commas (csv) or tabs (tsv): semicolons are not read"),
    }
    separator = max(formats, key=line.count)
    if n := line.count(separator):
        name, expected = formats[separator]
        found = f"one column, and {n} {name}{'s' * (n > 1)} in the first line: is it {name}-separated?"
        raise InputError(f"{where}: found {found} {expected[0].upper()}{expected[1:]}")


def _conll(path: Path, columns: Columns) -> Located:
    return ((where, dict(row)) for where, row in read_conll(path))


def _blue(path: Path, columns: Columns) -> Located:
    if columns.kind != "ner":
        yield from _tsv(path, columns)
        return
    for where, row in read_conll(path):
        yield where, {**row, "words": [unquoted(word) or word for word in row["words"]]}


_READERS: dict[Format, Callable[[Path, Columns], Located]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "tsv": _tsv,
    "conll": _conll,
    "blue": _blue,
}
