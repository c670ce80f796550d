"""Rows of a table of runs that were trained elsewhere: a CSV or parquet file, or a data frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taskaffinity.errors import input_error, meant
from taskaffinity.tasks.lines import read_bytes
from taskaffinity.tasks.user.csvfile import read_csv

Row = tuple[str, list[str]]
"""The place of a row, for messages, and its cells as texts in the order of the columns that were asked for."""
_BATCH = 65_536


def read_rows(table: Any, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a table; an optional column that it lacks is empty, and other columns are ignored.

    Parameters
    ----------
    table : path or DataFrame
        A path is a CSV file, or a parquet file if its name ends in ``.parquet``.

    Raises
    ------
    InputError
        If the table cannot be read or lacks a needed column, or a row has other columns than the header.
    """
    where, names, rows = _opened(table)
    for column in needed:
        if column not in names:
            *most, last = needed
            expected = f"{', '.join(most)} and {last}{meant(column, [])}"
            raise input_error(where, f"no column {column} among {len(names)}", f"columns {expected}")
        if names.count(column) > 1:
            raise input_error(where, f"{names.count(column)} columns {column}", "one")
    places = [names.index(column) if column in names else -1 for column in (*needed, *optional)]
    for place, cells in rows:
        yield place, [cells[at].strip() if at >= 0 else "" for at in places]


def has_column(table: Any, column: str) -> bool:
    """Whether a table has a column.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    return column in _opened(table)[1]


def _opened(table: Any) -> tuple[str, list[str], Iterator[Row]]:
    """Return the name of a table for messages, its columns, and its rows with all cells."""
    if isinstance(table, str | Path):
        path = Path(table)
        if path.suffix.lower() in (".parquet", ".pq"):
            return _parquet(path)
        names, rows = read_csv(path)
        return str(path), names, iter(rows)
    if not hasattr(table, "itertuples") or not hasattr(table, "columns"):
        raise input_error("scores and predictions", type(table).__name__, "a CSV file, a parquet file or a DataFrame")
    rows = (
        (f"row {number}", [_text(cell) for cell in row])
        for number, row in enumerate(table.itertuples(index=False, name=None), start=1)
    )
    return "the data frame", [str(name) for name in table.columns], rows


def _parquet(path: Path) -> tuple[str, list[str], Iterator[Row]]:
    content = read_bytes(path)
    try:
        file = pq.read_table(BytesIO(content))
    except (pa.ArrowException, OSError, ValueError):
        file = None
    if file is None:
        raise input_error(path, "no table of parquet", "a parquet file, or a CSV file with another ending")
    return str(path), list(file.schema.names), _parquet_rows(path, file)


def _parquet_rows(path: Path, file: Any) -> Iterator[Row]:
    number, batches = 0, iter(file.to_batches(max_chunksize=_BATCH))
    while True:
        try:
            batch = next(batches, None)
            columns = None if batch is None else [column.to_pylist() for column in batch.columns]
        except (pa.ArrowException, OSError, ValueError):
            batch, columns = True, None
        if batch is None:
            return
        if columns is None:
            raise input_error(f"{path}: after row {number}", "no table of parquet", "a whole file")
        for cells in zip(*columns, strict=True):
            number += 1
            yield f"{path}: row {number}", [_text(cell) for cell in cells]


def _text(cell: object) -> str:
    """Return a cell as a CSV file would have it: empty without a value, a list of tags joined by spaces."""
    if isinstance(cell, str):
        return cell
    if hasattr(cell, "tolist"):
        cell = cell.tolist()
    if isinstance(cell, float) and cell.is_integer():  # a column of classes with a missing one is of floats in pandas
        return str(int(cell))
    if isinstance(cell, list | tuple):
        return " ".join(map(str, cell))
    if cell is None or type(cell).__name__ in ("NAType", "NaTType") or cell != cell:  # NaN is not itself, NA not a bool
        return ""
    return str(cell)
