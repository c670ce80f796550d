"""Read unlabelled text for prediction, row by row.

A ``.txt`` file has one text per line. A ``.jsonl`` file has one object per line with ``text`` (and ``text_pair``) or
``words``, and optionally an ``id``; for choice it has ``options`` too, or rows with one candidate each. Other keys are
ignored. A ``.csv`` or ``.tsv`` file has these keys as columns of its header. Fields of ``.csv`` may be quoted; fields
of ``.tsv`` are read literally. A file is read row by row, so it may have any size. A row has at most ``LARGEST_ROW``
bytes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from taskaffinity.errors import input_error, quoted, shown
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.kinds import PAIR_KINDS, TAG_KINDS, TRAITS, Kind
from taskaffinity.tasks.lines import lone_return, lone_return_error, open_file, parse_line
from taskaffinity.tasks.user.candidates import Numbered, joined_beside
from taskaffinity.tasks.user.column_names import USUAL
from taskaffinity.tasks.user.columns import Field, column_of
from taskaffinity.tasks.user.inner_keys import with_inner_keys
from taskaffinity.tasks.user.options import options_of
from taskaffinity.tasks.user.other_names import like_field

_LIKE_A_NAME = re.compile(r"[^\W\d][\w.-]{0,29}")
_LISTED = 12
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
LARGEST_ROW = 1 << 24
"""Bytes of the longest line: 16 MiB."""


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """One unlabelled text."""

    line: int
    """Line number in the file, from 1."""
    end: int
    """Number of bytes of the file up to the end of the line."""
    id: Any = None
    text: str = field(default="", repr=False)
    text_pair: str | None = field(default=None, repr=False)
    words: tuple[str, ...] = field(default=(), repr=False)
    """The words of a tokenized sentence. ``text`` is then empty."""
    options: tuple[str, ...] = field(default=(), repr=False)
    """The texts to choose from."""


def read_unlabelled(path: Path, kind: Kind, columns: Mapping[str, str] | None = None) -> Iterator[Unlabelled]:
    """Yield the rows of a file for a task of this kind; blank lines are skipped.

    Parameters
    ----------
    columns : mapping, optional
        Names of columns: ``text``, ``text_pair``, ``options``, ``group`` or ``id`` -> name in the file. Options may
        have several columns, separated by commas. With ``group``, each row is one option, and the rows of a group are
        beside each other.

    Raises
    ------
    InputError
        At the first row that does not fit the kind. The message names the line and quotes no text.
    """
    if path.suffix not in (".txt", ".jsonl", *_DELIMITERS):
        expected = ".txt (one text per line), .jsonl (rows), or .csv or .tsv (a header and rows)"
        raise input_error(path, f"a file named {path.suffix or 'without suffix'}", expected)
    if columns and path.suffix == ".txt":
        raise input_error(path, "columns of a .txt file, which has none", "a file with columns")
    if path.suffix == ".txt" and (kind in PAIR_KINDS or "options" in TRAITS[kind].fields):
        others = "options, because this task chooses one"
        others = "text_pair, because this task compares two texts" if kind in PAIR_KINDS else others
        raise input_error(path, "one text per line", f"a .jsonl file with text and {others}")
    columns = columns or {}
    rows = _table(path, kind, columns) if path.suffix in _DELIMITERS else _without_header(path, kind, columns)
    if "group" in columns:
        if "options" not in TRAITS[kind].fields:
            raise input_error(path, f"a column of groups for kind {kind}", "a task of kind choice")
        rows = joined_beside(rows, has_ids=columns["group"] != columns.get("text"))
    for row in rows:
        yield _row(*row, kind, has_header=path.suffix in _DELIMITERS)


def _without_header(path: Path, kind: Kind, columns: Mapping[str, str]) -> Iterator[Numbered]:
    """Yield the rows of a file without a header."""
    with open_file(path) as file:
        end = 0
        for number, content in enumerate(iter(partial(file.readline, LARGEST_ROW + 1), b""), start=1):
            end += len(content)
            where = f"{path}: line {number}"
            line = _decoded(where, content, is_first=number == 1)
            if line.strip():
                is_text = path.suffix == ".txt"
                row = {"text": line} if is_text else _renamed(where, parse_line(where, line), columns, kind)
                yield where, row, number, end


def _decoded(where: str, content: bytes, *, is_first: bool) -> str:
    if len(content) > LARGEST_ROW:
        raise input_error(where, f"a line of more than {LARGEST_ROW:,} bytes", "one text per line")
    if lone_return(content) is not None:
        raise lone_return_error(where)
    try:
        return content.decode("utf-8-sig" if is_first else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise input_error(where, f"byte {error.start + 1}, which is not UTF-8", "UTF-8 text") from None


class _Lines:
    """The lines of a file, decoded; ``number`` and ``end`` are those of the last line read."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path, self.file, self.number, self.end = path, file, 0, 0

    def __iter__(self) -> Iterator[str]:
        for content in iter(partial(self.file.readline, LARGEST_ROW + 1), b""):
            self.number, self.end = self.number + 1, self.end + len(content)
            yield _decoded(f"{self.path}: line {self.number}", content, is_first=self.number == 1) + "\n"


def _table(path: Path, kind: Kind, columns: Mapping[str, str]) -> Iterator[Numbered]:
    """Yield the rows of a file with a header."""
    names: list[str] = []
    with open_file(path) as file:
        lines = _Lines(path, file)
        options: dict[str, Any] = {} if path.suffix == ".csv" else {"quoting": csv.QUOTE_NONE}
        fields = csv.reader(iter(lines), delimiter=_DELIMITERS[path.suffix], strict=True, **options)
        while True:
            number = lines.number + 1
            where = f"{path}: line {number}"
            try:
                row = next(fields, None)
            except csv.Error:
                raise input_error(
                    where, "a row that is no CSV", 'quotes that are closed, and "" for one inside'
                ) from None
            if row is None:
                return
            if not any(field.strip() for field in row):
                continue
            if not names:
                names = [name.strip() for name in row]
                if twice := next((name for name in names if names.count(name) > 1), None):
                    places = [place for place, name in enumerate(names, start=1) if name == twice]
                    raise input_error(where, f"the same name on columns {places[0]} and {places[1]}", "each name once")
                continue
            if len(row) != len(names):
                raise input_error(where, how_many(len(row), "column"), f"{len(names)}, as in the header")
            renamed = _renamed(where, dict(zip(names, row, strict=True)), columns, kind)
            yield where, renamed, number, lines.end


def _renamed(where: str, row: object, columns: Mapping[str, str], kind: Kind) -> object:
    """Return a row with its text, pair and id under these keys.

    Their columns are those in ``columns``, else those with a usual name.
    """
    if not isinstance(row, dict):
        return row
    row = dict(with_inner_keys(row, columns.values()))
    given = columns.get("options", "")
    if given not in row and all(one in row for one in given.split(",")):
        row = {**row, given: [row[one] for one in given.split(",")]}
    for name, column in columns.items():
        if column not in row:
            raise input_error(where, f"no column {quoted(column)} among {len(row)}", f"one of them as {name}=NAME")
    fields: tuple[Field, ...] = ("text", "text_pair", "id", "options", "group")
    found = {name: column_of(name, columns, row, kind) for name in fields}
    kept = {name: value for name, value in row.items() if name not in found.values()}
    return kept | {name: row[column] for name, column in found.items() if column is not None}


def _are_names(names: Iterable[str], *, has_header: bool) -> bool:
    """Return whether a message may quote names of columns; those of a table without a header are text of the corpus."""
    listed = list(names)
    known = any(name in USUAL[field] for field in USUAL for name in listed)
    is_header = not has_header or known or any(like_field(field, listed) for field in USUAL)
    return is_header and all(_LIKE_A_NAME.fullmatch(name) for name in listed)


def _row(where: str, row: object, number: int, end: int, kind: Kind, *, has_header: bool) -> Unlabelled:
    if not isinstance(row, dict):
        raise input_error(where, shown(row), "an object with text, or with words")
    name = row.get("id")
    if kind in TAG_KINDS and "words" in row:
        words = row["words"]
        is_whole = isinstance(words, list) and all(isinstance(word, str) and word.strip() for word in words)
        if not is_whole or not words:
            raise input_error(where, f"{shown(words)} as 'words'", "a list of words that are not empty")
        return Unlabelled(number, end, name, words=tuple(words))
    for key in ("text", "text_pair") if kind in PAIR_KINDS else ("text",):
        if not isinstance(row.get(key), str) or not row[key].strip():
            if key == "text" and key not in row and _are_names(row, has_header=has_header):
                keys = ", ".join(list(row)[:_LISTED])
                raise input_error(
                    where,
                    f"no {key!r} among the keys {keys or '(none)'}",
                    f"the text under {key!r}: rename its key, or give --columns text=NAME",
                )
            raise input_error(where, f"{shown(row[key]) if key in row else 'nothing'} as {key!r}", "some text")
    pair = None if kind in TAG_KINDS else row.get("text_pair")
    if pair is not None and not isinstance(pair, str):
        raise input_error(where, f"{shown(pair)} as 'text_pair'", "some text")
    has_options = "options" in TRAITS[kind].fields
    options = options_of(where, row.get("options"))[0] if has_options else ()
    if has_options and len(options) < 2:
        raise input_error(where, how_many(len(options), "option"), "two or more")
    return Unlabelled(number, end, name, row["text"], pair, options=tuple(options))
