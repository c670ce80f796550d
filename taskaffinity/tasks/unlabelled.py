"""Text without labels, one row after the other: what a trained model is to be used on.

A ``.txt`` file is a text a line, a ``.jsonl`` file an object a line with ``text`` (and ``text_pair``), or with
``words``, and maybe an ``id``; other keys are left alone. Files are read as they are used, never as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskaffinity.errors import input_error, shown
from taskaffinity.tasks.lines import parse_line
from taskaffinity.tasks.rows import PAIR_KINDS
from taskaffinity.tasks.task import Kind

_LIKE_A_NAME = re.compile(r"[^\W\d][\w.-]{0,29}")
_LISTED = 12


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """One text."""

    line: int
    """Of the file, from 1."""
    end: int
    """Bytes of the file up to the end of that line."""
    id: Any = None
    text: str = field(default="", repr=False)
    text_pair: str | None = field(default=None, repr=False)
    words: tuple[str, ...] = field(default=(), repr=False)
    """Ready words of a sentence; ``text`` is then empty."""


def read_unlabelled(path: Path, kind: Kind) -> Iterator[Unlabelled]:
    """Rows of a file that a task of that kind can take; blank lines are none.

    Raises
    ------
    InputError
        At the first row that is no text for the kind, with its line; no text of it is quoted.
    """
    if path.suffix not in (".txt", ".jsonl"):
        raise input_error(
            path, f"a file named {path.suffix or 'without suffix'}", ".txt (a text a line) or .jsonl (rows)"
        )
    if path.suffix == ".txt" and kind in PAIR_KINDS:
        raise input_error(path, "one text a line", "a .jsonl file with text and text_pair, for this task compares two")
    try:
        with open(path, "rb") as file:
            end = 0
            for number, content in enumerate(file, start=1):
                end += len(content)
                where = f"{path}: line {number}"
                try:
                    line = content.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    raise input_error(where, f"byte {error.start + 1}, which is not UTF-8", "UTF-8 text") from None
                if line.strip():
                    is_text = path.suffix == ".txt"
                    yield Unlabelled(number, end, text=line) if is_text else _row(where, line, number, end, kind)
    except OSError as error:
        raise input_error(path, f"no file that can be read ({error.strerror})", "a UTF-8 text file") from None


def _row(where: str, line: str, number: int, end: int, kind: Kind) -> Unlabelled:
    row = parse_line(where, line)
    if not isinstance(row, dict):
        raise input_error(where, shown(row), "an object with text, or with words")
    name = row.get("id")
    if kind == "ner" and "words" in row:
        words = row["words"]
        is_whole = isinstance(words, list) and all(isinstance(word, str) and word.strip() for word in words)
        if not is_whole or not words:
            raise input_error(where, f"{shown(words)} as 'words'", "a list of words that are not empty")
        return Unlabelled(number, end, name, words=tuple(words))
    for key in ("text", "text_pair") if kind in PAIR_KINDS else ("text",):
        if not isinstance(row.get(key), str) or not row[key].strip():
            if key == "text" and key not in row and all(_LIKE_A_NAME.fullmatch(name) for name in row):
                keys = ", ".join(list(row)[:_LISTED])
                raise input_error(
                    where, f"no {key!r} among the keys {keys or '(none)'}", f"the text under {key!r}: rename its key"
                )
            raise input_error(where, f"{shown(row[key]) if key in row else 'nothing'} as {key!r}", "some text")
    pair = row.get("text_pair") if kind != "ner" else None
    if pair is not None and not isinstance(pair, str):
        raise input_error(where, f"{shown(pair)} as 'text_pair'", "some text")
    return Unlabelled(number, end, name, row["text"], pair)
