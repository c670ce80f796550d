"""Read comma-separated files with a header; a quoted field may span lines.

A first line ``sep=;``, as Excel reads and other programs write it, names the separator and is no row.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from taskaffinity.errors import InputError, input_error
from taskaffinity.tasks.lines import LARGEST_DATA, lone_return_error, text_lines, utf8

csv.field_size_limit(max(csv.field_size_limit(), LARGEST_DATA))  # only the size of the file is limited

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)


def read_csv(
    path: Path, header: Sequence[str] = (), separator: str = "", encoding: str | None = None
) -> tuple[list[str], Iterator[tuple[str, list[str]]]]:
    """Read the column names and ``(where, fields)`` of each row; blank lines are skipped.

    Parameters
    ----------
    header
        Names for the columns of a file without a header. Empty: the first row has the names.
    separator
        The character between two columns. Empty: the one of a first line ``sep=;``, else a comma.

    Raises
    ------
    InputError
        If the file does not exist, is not UTF-8 or is empty, its first line names another separator, or (while rows are
        read) if a quote is never closed or the number of columns of a row differs from the header.
    """
    _, names, rows = csv_table(path, header, separator, encoding)
    return names, rows


def csv_table(
    path: Path, header: Sequence[str], separator: str, encoding: str | None
) -> tuple[str, list[str], Iterator[tuple[str, list[str]]]]:
    """Return the place of the column names, and what ``read_csv`` returns, with its errors."""
    rows = _rows(path, separator, encoding)
    if header:
        return f"{path}: line 1", list(header), _even(rows, len(header))
    where, names = next(rows, ("", []))
    if not names:
        raise input_error(path, "an empty file", "a header and rows")
    return where, [name.strip() for name in names], _even(rows, len(names))


def _rows(path: Path, separator: str, encoding: str | None) -> Iterator[tuple[str, list[str]]]:
    content = utf8(path, encoding=encoding)
    lines = text_lines(path, content, may_be_named=encoding is not None)[0]  # a field may hold carriage returns
    named = _SEPARATOR_LINE.fullmatch(lines[0].strip(" ")) if lines else None
    if named and separator not in ("", named[1]):
        raise input_error(f"{path}: line 1", f"sep={named[1]}, and another separator:", "no separator:")
    n_before, separator = int(named is not None), separator or (named[1] if named else ",")
    reader = csv.reader((f"{line}\n" for line in lines[n_before:]), delimiter=separator, strict=True)
    while True:
        where = f"{path}: line {reader.line_num + n_before + 1}"
        fault: InputError | None = None
        try:
            fields = next(reader, None)
        except csv.Error as error:
            fault = input_error(
                where, f"a row that is no CSV ({error})", 'quotes that are closed, and "" for one inside'
            )
            if line := _stray(lines, reader.line_num + n_before):
                fault = lone_return_error(f"{path}: line {line}")
        if fault:
            raise fault
        if fields is None:
            return
        if fields:
            yield where, fields


def _stray(lines: Sequence[str], read: int) -> int:
    """Return the last line read that contains a carriage return, from 1, or 0."""
    return next((number for number in range(read, 0, -1) if "\r" in lines[number - 1]), 0)


def _even(rows: Iterator[tuple[str, list[str]]], width: int) -> Iterator[tuple[str, list[str]]]:
    for where, fields in rows:
        if len(fields) != width:
            columns = f"{len(fields)} column{'s' * (len(fields) != 1)}"
            raise input_error(where, columns, f"{width}, as in the header")
        yield where, fields
