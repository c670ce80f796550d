"""Read parquet files with pyarrow, which is imported only then."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from taskaffinity.errors import input_error
from taskaffinity.tasks.content import other_content
from taskaffinity.tasks.lines import read_bytes


def parquet_rows(path: Path) -> Iterator[tuple[str, object]]:
    """Yield ``(where, row)`` for each row of a file.

    Raises
    ------
    InputError
        If the file is no parquet, or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    content, found = read_bytes(path), ""
    try:
        rows = pq.read_table(BytesIO(content)).to_pylist()
    except (pa.ArrowException, OSError, ValueError):  # a message may quote the file
        found = "no parquet, or a damaged file"
    if found:
        other = None if content.startswith(b"PAR1") else other_content(content)
        raise input_error(path, *(other or (found, "a whole parquet file")))
    for number, row in enumerate(rows, start=1):
        yield f"{path}: row {number}", row
