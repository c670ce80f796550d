"""Data files of a user: which they are, what their columns are called, and rows as ``rows.py`` takes them.

Columns are found by the names that this tool's task files, Hugging Face's data sets or (format ``blue``) BLUE's files
have; ``columns:`` of a suite file names others. Columns that no field needs are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from taskaffinity.errors import InputError, input_error, meant, named, quoted
from taskaffinity.tasks.formats import read_objects
from taskaffinity.tasks.task import Kind, Split
from taskaffinity.tasks.tsv import read_table, unquoted
from taskaffinity.tasks.user.conll import read_conll
from taskaffinity.tasks.user.csvfile import read_csv

Format = Literal["jsonl", "csv", "tsv", "conll", "blue"]
Field = Literal["id", "idx", "document", "text", "text_pair", "label", "words", "tags"]
"""``id`` is unique in the task; ``idx`` in its split, where every split is counted anew. ``document`` is the same
for rows that are not independent of one another."""

Located = Iterator[tuple[str, dict[str, object]]]

FORMATS: tuple[Format, ...] = get_args(Format)
NEEDED: dict[Kind, tuple[Field, ...]] = {
    "similarity": ("text", "text_pair", "label"),
    "relation": ("text", "label"),
    "inference": ("text", "text_pair", "label"),
    "ner": ("words", "tags"),
    "classification": ("text", "label"),
}
_NAMES: dict[Field, tuple[str, ...]] = {
    "id": ("id",),
    "idx": ("idx",),
    "document": ("document",),
    "text": ("text", "sentence1", "premise", "sentence"),
    "text_pair": ("text_pair", "sentence2", "hypothesis"),
    "label": ("label",),
    "words": ("words", "tokens"),
    "tags": ("tags", "ner_tags"),
}
_BLUE_NAMES: dict[Field, tuple[str, ...]] = {
    "idx": ("index",),
    "text": ("sentence1", "s1", "sentence"),
    "text_pair": ("sentence2", "s2"),
    "label": ("label", "score"),
}
_LIKE_A_NAME = re.compile(r"[^\W\d][\w.-]{0,29}")
_LISTED = 12
_PEEKED = 200
_KNOWN = frozenset(name for known in (*_NAMES.values(), *_BLUE_NAMES.values()) for name in known)
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


@dataclass(frozen=True)
class Columns:
    """Where each field of a row stands."""

    kind: Kind
    given: Mapping[Field, str] = field(default_factory=dict)
    is_blue: bool = False

    def place(self, where: str, names: Collection[str]) -> dict[Field, str]:
        """The column of each field, of those that a file or row has.

        Raises
        ------
        InputError
            A column that is missing, or two that could be the same field.
        """
        needed = NEEDED[self.kind]
        if self.kind in ("relation", "classification") and "text" not in self.given and "text_pair" not in self.given:
            pair = next((name for name in _NAMES["text_pair"] if name != "text_pair" and name in names), None)
            if pair:
                expected = "kind: inference for pairs, or columns: {text: NAME} for one of them"
                raise input_error(where, f"column {pair!r} for kind {self.kind}, which has one text", expected)
        extra: tuple[Field, ...] = ("text_pair",) if "text" in needed and "text_pair" not in needed else ()
        found = {name: self._column(where, name, names) for name in (*needed, *extra, "id", "idx", "document")}
        return {name: column for name, column in found.items() if column is not None}

    def _column(self, where: str, name: Field, names: Collection[str]) -> str | None:
        is_needed = name in NEEDED[self.kind]
        if name in self.given:
            column = self.given[name]
            if column in names:
                return column
            raise input_error(
                where,
                f"no column {quoted(column)} among {len(names)}{self._in_words(names)}",
                f"one of them as columns: {{{name}: NAME}}{meant(column, names if self.knows(names) else ())}",
            )
        if self.is_blue:
            legal = _BLUE_NAMES.get(name, ())
        elif name == "label" and self.kind == "similarity":
            legal = (*_NAMES[name], "score")
        else:
            legal = _NAMES[name] if is_needed else (name,)
        taken = set(self.given.values())
        there = [column for column in legal if column in names and column not in taken]
        if len(there) > 1:
            both = " and ".join(map(repr, there))
            raise input_error(
                where, f"columns {both}, any of which could be the {name}", f"columns: {{{name}: {there[0]}}}"
            )
        if not there and is_needed:
            other = next((column for column in names if column.lower() in legal), None)
            near = f" ({other!r} is another)" if other else self._in_words(names)
            raise input_error(
                where,
                f"no {name} among {len(names)} column{'s' * (len(names) != 1)}{near}",
                f"a column {' or '.join(map(repr, legal))}, or columns: {{{name}: {other or 'NAME'}}}",
            )
        return there[0] if there else None

    def knows(self, names: Collection[str]) -> bool:
        """Whether one of the names at least is of a field. Else they may be no names: of a file without a header they
        are text of the corpus, and no message has one of them."""
        return any(name.lower() in _KNOWN or name in self.given.values() for name in names)

    def _in_words(self, names: Collection[str]) -> str:
        """The names there are, or a doubt, to end what was found with."""
        if not self.knows(names):
            return ", none of a name that is known here: this seems to be no header"
        listed = [name for name in names if _LIKE_A_NAME.fullmatch(name)]
        more = ", ..." if len(listed) > _LISTED or len(listed) < len(names) else ""
        return f" ({', '.join(listed[:_LISTED])}{more})"

    def refuse_unknown(self, where: str, header: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Say which columns there are where the suite file names none and none has a name that is known here. They are
        told only of what is surely a header: its cells look like names, none stands again below, and some column has
        running text below."""
        if self.given or self.knows(header) or not all(_LIKE_A_NAME.fullmatch(name) for name in header):
            return
        below = [fields for _, fields in islice(_as_far_as_read(rows), _PEEKED)]
        columns = [[fields[number].strip() for fields in below] for number in range(len(header))]
        is_running = any(2 * sum(" " in cell for cell in cells) > len(cells) for cells in columns)
        if is_running and not any(name in cells for name, cells in zip(header, columns, strict=True)):
            example = ", ".join(f"{name}: ..." for name in NEEDED[self.kind])
            found = f"columns {', '.join(header[:_LISTED])}, none of a name that is known here"
            raise input_error(where, found, f"columns: {{{example}}} with those that are meant")


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
    before: list[str] = []
    at: dict[Field, str] = {}
    for where, row in read_objects(path):
        if not isinstance(row, dict):
            raise input_error(where, named(row, ()), "a JSON object")
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
    _refuse_separator(where, path, header)
    columns.refuse_unknown(where, header, rows)
    at = {name: header.index(column) for name, column in columns.place(where, header).items()}
    for here, fields in rows:
        yield here, {name: fields[place] for name, place in at.items()}


def _refuse_separator(where: str, path: Path, header: Sequence[str]) -> None:
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


def _as_far_as_read(rows: Iterable[tuple[str, Sequence[str]]]) -> Iterator[tuple[str, Sequence[str]]]:
    try:
        yield from rows
    except InputError:
        return


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
