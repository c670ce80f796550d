"""Read a CSV file of the results folder through a typed model of its rows."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from taskaffinity.errors import InputError
from taskaffinity.regular_file import read_regular_text
from taskaffinity.runs.stored.json_files import parse_model


def read_csv_rows(path: Path, model: Any, way_out: str) -> list[Any]:
    """Return the rows of a CSV file with a header.

    Columns that the model lacks are ignored, and an empty cell is None.

    Parameters
    ----------
    model : type
        A pydantic dataclass of one row.
    way_out : str
        What the user can do if the file is damaged; the message ends with it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InputError
        If the file is damaged: one line with the file, the row, what was found and the way out.
    """
    fault, row = "", 0
    rows: list[Any] = []
    try:
        for cells in csv.DictReader(io.StringIO(read_regular_text(path), newline=""), strict=True):
            row += 1
            if None in cells:
                raise ValueError("more cells than the header has")
            rows.append(parse_model(json.dumps({name: cell or None for name, cell in cells.items()}), model))
    except InputError:
        raise
    except UnicodeDecodeError:
        fault = "not UTF-8"
    except csv.Error as error:
        fault, row = f"not CSV ({error})", row + 1
    except ValueError as error:
        fault = str(error)
    if fault:
        raise InputError(f"{path}: {f'row {row}: ' if row else ''}{fault}; {way_out}")
    return rows
