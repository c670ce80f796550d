"""Read tab-separated files with a header, with or without the quoting of Python's ``csv``.

``csv`` quotes a field that holds a quote, a tab or a line break, and doubles the quotes inside. Other programs write
quotes unchanged. A line with as many columns as the header is therefore a row, unless its last field opens a quote that
a later line closes and no line between them is a row. Any other line must start a quoted row, which may span several
lines.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from taskaffinity.errors import input_error
from taskaffinity.tasks.lines import read_lines

_LONGEST_ROW = 100
"""The largest number of lines of a row. Without it, a quote that is never closed would take the whole file."""


def read_table(
    path: Path, header: Sequence[str] = (), encoding: str | None = None
) -> tuple[list[str], Iterator[tuple[str, list[str]]]]:
    """Read the column names and ``(where, fields)`` of each row; blank lines are skipped.

    Parameters
    ----------
    header
        Names for the columns of a file without a header. Empty: the first line has the names.

    Raises
    ------
    InputError
        If the file does not exist, is not UTF-8 or is empty, or (while rows are read) if the number of columns of a row
        differs from the header.
    """
    _, names, rows = tsv_table(path, header, encoding)
    return names, rows


def tsv_table(
    path: Path, header: Sequence[str], encoding: str | None
) -> tuple[str, list[str], Iterator[tuple[str, list[str]]]]:
    """Return the place of the column names, and what ``read_table`` returns, with its errors."""
    lines, _ = read_lines(path, encoding=encoding)
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise input_error(path, "an empty file", "a header and rows")
    if header:
        return f"{path}: line 1", list(header), _rows(path, lines, len(header), 0)
    names = [unquoted(name).strip() for name in lines[first].split("\t")]
    return f"{path}: line {first + 1}", names, _rows(path, lines, len(names), first + 1)


def unquoted(field: str) -> str:
    """Remove the quotes that ``csv`` puts around a field; other fields are unchanged.

    Examples
    --------
    >>> unquoted('"a ""b"" c"'), unquoted('"'), unquoted('"a" and "b"')
    ('a "b" c', '"', '"a" and "b"')
    """
    inner = field[1:-1]
    if len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return field


def _rows(path: Path, lines: Sequence[str], width: int, at: int) -> Iterator[tuple[str, list[str]]]:
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        where = f"{path}: line {at + 1}"
        plain = lines[at].split("\t")
        opens = plain[-1].startswith('"') and unquoted(plain[-1]) == plain[-1]
        quoted = _quoted_row(lines[at : at + _LONGEST_ROW], width) if opens or len(plain) != width else None
        if quoted:
            fields, n_lines = quoted
            yield where, fields
            at += n_lines
        elif len(plain) == width:
            yield where, [unquoted(field) for field in plain]
            at += 1
        else:
            columns = f"{len(plain)} column{'s' * (len(plain) != 1)}"
            raise input_error(where, columns, f"{width}, as in the header")


def _quoted_row(lines: Sequence[str], width: int) -> tuple[list[str], int] | None:
    """Return the fields and the number of lines of the quoted row that starts here, or None."""
    n_quotes, is_row = 0, [line.count("\t") == width - 1 for line in lines]
    for n_lines, line in enumerate(lines, start=1):
        n_quotes += line.count('"')
        if n_quotes % 2 == 0:  # no quote is open
            if sum(is_row[:n_lines]) > 1 or any(is_row[1 : n_lines - 1]):  # rows of other programs, with bare quotes
                return None
            try:
                rows = list(csv.reader((f"{line}\n" for line in lines[:n_lines]), delimiter="\t", strict=True))
            except csv.Error:
                return None
            return (rows[0], n_lines) if len(rows) == 1 and len(rows[0]) == width else None
    return None
