"""Read the rows of the data files of a user's task for ``rows.py``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from taskaffinity.errors import InputError, input_error, named, quoted
from taskaffinity.tasks.kinds import TAG_KINDS
from taskaffinity.tasks.tsv import tsv_table, unquoted
from taskaffinity.tasks.user.columns import MENTION_FIELDS, NEEDED, Columns, Field, Located
from taskaffinity.tasks.user.conll import TagColumns, read_conll
from taskaffinity.tasks.user.csvfile import csv_table
from taskaffinity.tasks.user.fasttext import HINT, PREFIX, fasttext_rows, looks_like_fasttext
from taskaffinity.tasks.user.find import OF_FOLDERS
from taskaffinity.tasks.user.inner_keys import with_inner_keys
from taskaffinity.tasks.user.jsonfile import read_json
from taskaffinity.tasks.user.layout import CONVERTED, FORMATS, Format, Layout, check_fields, ending, formats_of, guessed
from taskaffinity.tasks.user.mentions import MENTION_READERS, bigbio_rows
from taskaffinity.tasks.user.pairs import bigbio_pairs, pair_rows
from taskaffinity.tasks.user.parquet import parquet_rows

REJECTED = "<row|rows> that annotators rejected or ignored (answer:), left out"
DECISION = "answer"
"""Key under which Prodigy says whether the annotation of a row was accepted."""


def read_rows(path: Path, layout: Layout, columns: Columns) -> Located:
    """Read ``(where, row)`` pairs from a data file; the keys of a row are ``Field`` names.

    Raises
    ------
    InputError
        If the file does not exist, its format is unknown or does not fit the kind, or the file has a fault.
    """
    form = layout.form or guessed(path, columns.kind) or ("csv" if layout.separator else None)
    if form is None and path.is_dir():
        raise input_error(path, "a folder", OF_FOLDERS)
    if form is None and looks_like_fasttext(path):
        raise input_error(path, "what looks like fastText", HINT)
    if form is None:
        how = CONVERTED.get(ending(path)) or f"format: one of {', '.join(FORMATS)}"
        raise input_error(path, f"a name that ends in {ending(path) or 'nothing'}", how)
    if form not in formats_of(columns.kind):
        raise input_error(
            path, f"format {form} for kind {columns.kind}", f"one of {', '.join(formats_of(columns.kind))}"
        )
    if form == "blue":
        columns = replace(columns, is_blue=True)
    for key, value, legal in (
        ("header", layout.header, ("csv", "tsv", "conll")),
        ("separator", layout.separator, ("csv",)),
    ):
        if value and form not in legal:
            raise input_error(path, f"{key}: for format {form}", f"{key}: only with format {' or '.join(legal)}")
    if layout.encoding and form == "parquet":
        raise input_error(path, "encoding: for format parquet", "no encoding:, because parquet is no text file")
    check_fields(str(path), form, columns.kind, layout.header, columns.given)
    return _READERS[form](path, replace(layout, form=form), columns)


def _jsonl(path: Path, layout: Layout, columns: Columns) -> Located:
    return object_rows(read_json(path, layout.encoding), replace(columns, of="keys"), "a JSON object", str(path))


def object_rows(located: Iterable[tuple[str, object]], columns: Columns, expected: str, place: str) -> Located:
    """Rename the columns of each row; the keys of the yielded rows are ``Field`` names.

    A row may be a document, which gives several rows. ``place`` is the file or data set of all rows.

    Raises
    ------
    InputError
        If a row is no mapping (``expected`` describes a legal row) or lacks a column.
    """
    before: list[str] = []
    at: dict[Field, str] = {}
    for where, row in located:
        if not isinstance(row, Mapping):
            raise input_error(where, named(row, ()), expected)
        row = with_inner_keys(row, columns.named)
        if is_rejected(row, columns):
            columns.notes[REJECTED] += 1
            continue
        names = list(row)
        if columns.has_documents(names):
            yield from document_rows(where, row, columns, place)
            continue
        if names != before:
            needed = (*NEEDED[columns.kind], *MENTION_FIELDS)
            if gone := [column for name, column in at.items() if name in needed and column not in names]:
                raise input_error(where, f"no {quoted(gone[0])}, which the rows above have", "this key in every row")
            before, at = names, columns.place(where, names)
        _check_plain(where, row, at)
        yield where, columns.row(at, row.__getitem__)


def is_rejected(row: Mapping[str, object], columns: Columns) -> bool:
    """Return whether an annotation tool (Prodigy) says that the labels of a row are no gold labels.

    The tool's key ``answer`` may be another column, which the user names or a class has.
    """
    return row.get(DECISION) in ("reject", "ignore") and DECISION not in (*columns.named, *columns.classes)


def document_rows(where: str, row: Mapping[str, object], columns: Columns, place: str) -> Located:
    """Yield the sentences or the pairs of mentions of a document in BigBIO's schema.

    Raises
    ------
    InputError
        As ``bigbio_rows`` or ``bigbio_pairs``.
    """
    if columns.kind == "relation":
        lost = columns.missed.setdefault(place, Counter())
        return bigbio_pairs(where, row, columns.relations, columns.notes, lost)
    return bigbio_rows(where, row, columns.notes)


def _check_plain(where: str, row: Mapping[str, object], at: Mapping[Field, str]) -> None:
    """Raise ``InputError`` if an object stands where a text is expected."""
    texts: tuple[Field, ...] = ("text", "text_pair")
    for name in texts:
        column = at.get(name)
        if column is not None and isinstance(row[column], Mapping):
            raise input_error(
                where, f"an object under {quoted(column)}", f"a key inside it, as columns: {{{name}: {column}.KEY}}"
            )


def _csv(path: Path, layout: Layout, columns: Columns) -> Located:
    return _table(csv_table(path, layout.header, layout.separator, layout.encoding), layout, columns)


def _tsv(path: Path, layout: Layout, columns: Columns) -> Located:
    return _table(tsv_table(path, layout.header, layout.encoding), layout, columns)


def _table(table: tuple[str, list[str], Iterable[tuple[str, list[str]]]], layout: Layout, columns: Columns) -> Located:
    where, header, rows = table
    is_given, columns = bool(layout.header), replace(columns, of="header")
    twice = next((number for number, name in enumerate(header) if name in header[:number]), None)
    if twice is not None:
        raise input_error(
            where,
            f"the same name on columns {header.index(header[twice]) + 1} and {twice + 1}",
            "each name once; if the file has no header, header: [NAME, ...]",
        )
    if not is_given and header[0].startswith(PREFIX):
        raise input_error(where, "what looks like fastText", HINT)
    if not is_given:
        _check_separator(where, header, layout)
        columns.check_header(where, header, rows)
    at = columns.place(where, header)
    for place, fields in rows:
        if [field.strip() for field in fields] == header:
            if is_given:
                raise input_error(place, "the names of header: as a row", "no header: for a file that has one")
            raise input_error(place, "the header again", "one header; were several files joined?")
        row = dict(zip(header, fields, strict=True))
        if is_rejected(row, columns):
            columns.notes[REJECTED] += 1
            continue
        yield place, columns.row(at, row.__getitem__)


def _check_separator(where: str, header: Sequence[str], layout: Layout) -> None:
    """Raise an error if the header is one column that contains another separator."""
    if len(header) > 1:
        return
    [line] = header
    is_csv = layout.form == "csv"
    formats: dict[str, tuple[str, str]] = {
        "\t": ("tab", "name it .tsv or give format: tsv"),
        ",": ("comma", "leave separator: out" if is_csv else "name it .csv or give format: csv"),
        ";": ("semicolon", 'give separator: ";"'),
        "|": ("bar", 'give separator: "|"'),
    }
    separator = max(formats, key=line.count)
    if n := line.count(separator):
        name, expected = formats[separator]
        if separator in ";|" and not is_csv:
            expected += " and format: csv"
        found = f"one column, and {n} {name}{'s' * (n > 1)} in the first line: is it {name}-separated?"
        raise InputError(f"{where}: found {found} {expected[0].upper()}{expected[1:]}")


def _conll(path: Path, layout: Layout, columns: Columns) -> Located:
    named_columns = None
    if layout.header:
        given = columns.given
        if missing := next((field for field in ("words", "tags") if field not in given), ""):
            raise input_error(path, f"header: and no column of {missing}", "columns: {words: NAME, tags: NAME}")
        named_columns = TagColumns(given["words"], given["tags"], layout.header, _other_fields(columns))
    return _sentences(path, layout, named_columns)


def _conllu(path: Path, layout: Layout, columns: Columns) -> Located:
    if "tags" not in columns.given:
        raise input_error(path, "CoNLL-U, and no column of tags", "columns: {tags: a column, or a key in MISC}")
    word = columns.given.get("words", "FORM")
    return _sentences(path, layout, TagColumns(word, columns.given["tags"], others=_other_fields(columns)))


def _sentences(path: Path, layout: Layout, columns: TagColumns | None) -> Located:
    for where, sentence in read_conll(path, layout.encoding, columns):
        yield where, {**sentence, **sentence["fields"]}


def _other_fields(columns: Columns) -> tuple[tuple[str, str], ...]:
    return tuple((name, column) for name, column in columns.given.items() if name not in ("words", "tags"))


def _mentions(path: Path, layout: Layout, columns: Columns) -> Located:
    assert layout.form is not None
    if columns.kind == "relation":
        lost = columns.missed.setdefault(str(path), Counter())
        return pair_rows(path, columns.relations, columns.notes, lost, layout.encoding)
    return MENTION_READERS[layout.form](path, layout.encoding, columns.notes)


def _parquet(path: Path, layout: Layout, columns: Columns) -> Located:
    return object_rows(parquet_rows(path), columns, "a row with named columns", str(path))


def _fasttext(path: Path, layout: Layout, columns: Columns) -> Located:
    return fasttext_rows(path, layout.encoding, columns.kind)


def _blue(path: Path, layout: Layout, columns: Columns) -> Located:
    if columns.kind not in TAG_KINDS:
        yield from _tsv(path, layout, columns)
        return
    for where, row in read_conll(path, layout.encoding):
        yield where, {**row, "words": [unquoted(word) or word for word in row["words"]]}


_READERS: dict[Format, Callable[[Path, Layout, Columns], Located]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "tsv": _tsv,
    "conll": _conll,
    "conllu": _conllu,
    "pubtator": _mentions,
    "bioc": _mentions,
    "brat": _mentions,
    "parquet": _parquet,
    "fasttext": _fasttext,
    "blue": _blue,
}
