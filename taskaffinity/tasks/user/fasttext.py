"""Read fastText's files: one text per line, with its labels as words ``__label__NAME``, mostly before it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from taskaffinity.errors import InputError, input_error
from taskaffinity.tasks.kinds import TRAITS, Kind
from taskaffinity.tasks.lines import open_file, read_lines

PREFIX = "__label__"
HINT = "format: fasttext, with kind: classification, or kind: multilabel for several labels per line"
_LABEL = re.compile(rf"(?<!\S){PREFIX}\S*\s*")
_PEEKED = 1024


def fasttext_rows(path: Path, encoding: str, kind: Kind) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the text and the label of each line; for ``multilabel``, all its labels. Blank lines are skipped.

    Raises
    ------
    InputError
        If the file cannot be read as text, or a line of another kind has not exactly one label.
    """
    for number, line in enumerate(read_lines(path, encoding=encoding)[0], start=1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        labels = [found.strip().removeprefix(PREFIX) for found in _LABEL.findall(line)]
        if any(PREFIX in label for label in labels):
            raise input_error(where, f"a label with {PREFIX} inside it", "white space between two labels")
        row: dict[str, object] = {"text": _LABEL.sub("", line).strip(), "label": tuple(labels)}  # names, also 0 and 1
        if TRAITS[kind].label != "classes":
            if len(labels) != 1:
                several = "; for several labels per line, kind: multilabel" * (len(labels) > 1)
                raise input_error(where, f"{len(labels) or 'no'} label{'s' * (len(labels) > 1)}", f"one{several}")
            row["label"] = labels[0]
        yield where, row


def looks_like_fasttext(path: Path) -> bool:
    """Return whether a file begins with a label of fastText."""
    if not os.path.isfile(path):
        return False
    try:
        with open_file(path) as file:
            start = file.read(_PEEKED)
    except (InputError, OSError):
        return False
    return start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(PREFIX.encode())
