"""The format of a task's data files, and details such as header and separator."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from taskaffinity.errors import input_error
from taskaffinity.tasks.kinds import TAG_KINDS, TRAITS, Kind

Format = Literal["jsonl", "csv", "tsv", "conll", "conllu", "pubtator", "bioc", "brat", "parquet", "fasttext", "blue"]
FORMATS: tuple[Format, ...] = get_args(Format)
ENDINGS: dict[Format, tuple[str, ...]] = {
    "jsonl": (".jsonl", ".json"),
    "csv": (".csv",),
    "tsv": (".tsv",),
    "conll": (".conll", ".iob", ".iob2", ".bio", ".txt"),
    "conllu": (".conllu", ".conllup"),
    "pubtator": (".pubtator",),
    "bioc": (".bioc", ".xml"),
    "brat": ("",),
    "parquet": (".parquet",),
    "fasttext": (".ft", ".ft.txt", ".txt"),
    "blue": (".tsv",),
}
"""Format -> endings of its files."""
GUESSED: dict[str, Format] = {
    ending: form
    for form in FORMATS
    if form != "blue"
    for ending in ENDINGS[form]
    if ending not in ("", ".txt", ".ft.txt")
}
"""Ending -> format of a file for which no ``format:`` is given."""
GUESSED_TAGGED: dict[str, Format] = {".txt": "conll", ".tsv": "conll"}
"""The same for ``ner``, whose words and tags are no table with a header."""
_TAGGED: tuple[Format, ...] = ("jsonl", "conll", "conllu", "pubtator", "bioc", "brat", "parquet", "blue")
_TABLES: tuple[Format, ...] = ("jsonl", "csv", "tsv", "parquet")
_OF_ONE_TEXT: tuple[Kind, ...] = ("classification", "multilabel", "relation")
PACKED = ".gz"
CONVERTED = {
    ".xlsx": "save the sheet as CSV (UTF-8)",
    ".xls": "save the sheet as CSV (UTF-8)",
    ".ods": "save the sheet as CSV (UTF-8)",
    ".zip": "unpack it",
    ".tar": "unpack it",
    ".tgz": "unpack it",
    ".bz2": "unpack it",
    ".xz": "unpack it",
    ".pkl": "write it as CSV, JSON Lines or parquet",
    ".arrow": "write it as parquet",
    ".feather": "write it as parquet",
}
"""Ending of a file that is not read -> what to do with it."""
_OF_DOCUMENTS = "its documents have texts, ids and mentions of their own"
_WITHOUT_COLUMNS: dict[Format, str] = {
    "conll": "the first is the word, the last the tag; or header: [NAME, ...] as well",
    "fasttext": "a line has its labels and a text",
    **dict.fromkeys(("pubtator", "bioc", "brat"), _OF_DOCUMENTS),
}
"""Format whose columns have no names -> what it reads."""
COMMON_ENCODINGS = (
    *("utf-8", "utf-16", "cp1250", "cp1251", "cp1252", "latin-1", "mac-roman"),
    *("gb18030", "big5", "cp950", "shift-jis", "cp932", "euc-jp", "cp949", "euc-kr"),
)


@dataclass(frozen=True)
class Layout:
    """What the suite file says about the data files of a task."""

    form: Format | None = None
    """None: from the ending of each file."""
    header: tuple[str, ...] = ()
    """Names of the columns of files without a header. Empty: the first line has the names."""
    separator: str = ""
    """Character between two columns of a ``csv`` file. Empty: a comma."""
    encoding: str = ""
    """Empty: UTF-8."""


def formats_of(kind: Kind) -> tuple[Format, ...]:
    """Formats that can hold the data of a kind of task."""
    if kind in TAG_KINDS:
        return _TAGGED
    if TRAITS[kind].label in ("option", "answers"):  # BLUE has no such task
        return _TABLES
    of_labels: tuple[Format, ...] = ("fasttext",) if kind in _OF_ONE_TEXT else ()
    return (*_TABLES, *of_labels, "blue", "brat") if kind == "relation" else (*_TABLES, *of_labels, "blue")


def ending(path: Path) -> str:
    """Return the ending of a file's name in lower case, without ``.gz``.

    Examples
    --------
    >>> ending(Path("train.CSV.gz")), ending(Path("dev"))
    ('.csv', '')
    """
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix == PACKED else suffix


def check_fields(where: str, form: Format, kind: Kind, header: Collection[str], fields: Collection[str]) -> None:
    """Raise ``InputError`` if ``columns:`` names the column of a field that the format does not read.

    Parameters
    ----------
    header
        Names of the columns of a file without a header.
    """
    legal: tuple[str, ...] = ()
    if form == "conllu" or (form == "conll" and header):
        legal = ("words", "tags", "id", "idx", "document", "split")
    elif form not in _WITHOUT_COLUMNS and not (form == "blue" and kind in TAG_KINDS):
        return
    if unread := next((field for field in fields if field not in legal), None):
        if legal:
            raise input_error(where, f"columns: {unread} for format {form}", f"some of {', '.join(legal)}")
        why = _WITHOUT_COLUMNS.get(form, "the first is the word, the last the tag")
        raise input_error(where, f"columns for format {form}", f"none: {why}")


def guessed(path: Path, kind: Kind) -> Format | None:
    """Return the format that the ending of a file's name suggests.

    Examples
    --------
    >>> guessed(Path("train.tsv"), "classification"), guessed(Path("train.tsv"), "ner"), guessed(Path("train"), "ner")
    ('tsv', 'conll', None)
    """
    end = ending(path)
    return (GUESSED_TAGGED.get(end) if kind == "ner" else None) or GUESSED.get(end)


def is_encoding(name: str) -> bool:
    """Return whether Python has a text encoding of this name."""
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        return False
    return True
