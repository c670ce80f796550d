"""Text files as lines, and the one shape of a complaint.

A complaint is one line: where (file, line or element id), what was found, what would do. It never quotes the text of
a corpus: ``shown`` decides what may be named.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from taskaffinity.tasks.task import BadInput

_LONGEST_NAME = 40


def bad(where: object, found: str, expected: str) -> BadInput:
    """The complaint to raise.

    Examples
    --------
    >>> print(bad("train.jsonl: line 3", "label 'CPR:7'", "one of CPR:3, false"))
    train.jsonl: line 3: found label 'CPR:7'; expected one of CPR:3, false
    """
    return BadInput(f"{where}: found {found}; expected {expected}")


def shown(value: object) -> str:
    """A label or an id as a message may name it; anything that could be text of a corpus, by its size.

    Examples
    --------
    >>> shown("CPR:7"), shown("It rose."), shown(None), shown([1, 2])
    ("'CPR:7'", 'a text of 8 characters', 'null', 'a list of 2')
    """
    if isinstance(value, str):
        if not value:
            return "an empty text"
        if len(value) <= _LONGEST_NAME and not any(c.isspace() for c in value):
            return repr(value)
        return f"a text of {len(value)} characters"
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return type(value).__name__


def read_lines(path: Path) -> tuple[list[str], bool]:
    """Lines of a UTF-8 file without their ends, and whether the last one was ended.

    Raises
    ------
    BadInput
        No such file, or not UTF-8: the line is named.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise bad(path, f"no file that can be read ({error.strerror})", "a UTF-8 text file") from None
    pieces = content.removeprefix(codecs.BOM_UTF8).split(b"\n")
    ended = not pieces[-1]
    lines = []
    for number, piece in enumerate(pieces[:-1] if ended else pieces, start=1):
        try:
            lines.append(piece.decode("utf-8").removesuffix("\r"))
        except UnicodeDecodeError as error:
            found = f"byte 0x{piece[error.start]:02x} at column {error.start + 1}, which is not UTF-8"
            raise bad(f"{path}: line {number}", found, "UTF-8 text") from None
    return lines, ended
