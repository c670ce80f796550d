"""Text files as lines, and the one shape of a complaint.

A complaint is one line: where (file, line or element id), what was found, what would do. It never quotes the text of
a corpus: ``shown`` decides what may be named.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from taskaffinity.tasks.task import BadInput

_LONGEST_NAME = 40
_LONGEST_VALUE = 80
_MARK = re.compile(r"[BIESLUMO](-|$)")
"""How a tag of any scheme begins."""
_NUMBER = re.compile(r"[-+]?\d{1,2}(\.\d{1,2})?")
"""A score or a class; a longer one may be a date, or the number of a telephone or a record."""


def bad(where: object, found: str, expected: str) -> BadInput:
    """The complaint to raise.

    Examples
    --------
    >>> print(bad("train.jsonl: line 3", "label 'CPR:7'", "one of CPR:3, false"))
    train.jsonl: line 3: found label 'CPR:7'; expected one of CPR:3, false
    """
    return BadInput(f"{where}: found {found}; expected {expected}")


def named(value: object, legal: Iterable[str]) -> str:
    """A value that should be one of a few: quoted where it looks like one of them or a short number, else given by its
    size.

    A shifted column puts a word of the corpus where a label belongs; a misspelt label looks like a legal one, a tag of
    another scheme like a tag with a legal type.

    Examples
    --------
    >>> named("CPR:33", ["CPR:3", "CPR:4"]), named("aspirin", ["CPR:3", "CPR:4"]), named("-1", [])
    ("'CPR:33'", 'a text of 7 characters', "'-1'")
    >>> named("S-Drug", ["O", "B-Drug"]), named("S-phase", ["O", "B-Drug"]), named("555-0123", [])
    ("'S-Drug'", 'a text of 7 characters', 'a text of 8 characters')
    """
    if isinstance(value, str) and value and not _is_near(value, list(legal)):
        return f"a text of {len(value)} characters"
    return shown(value)


def _is_near(value: str, legal: Sequence[str]) -> bool:
    """Whether it may be named: a short number, or near a legal value, of tags by their types."""
    kind, kinds = _MARK.sub("", value), [_MARK.sub("", one) for one in legal]
    return not kind or bool(_NUMBER.fullmatch(value) or get_close_matches(kind, kinds, n=1))


def meant(value: object, legal: Iterable[str]) -> str:
    """What a misspelt word was meant to be, to end a complaint with; nothing where none is near.

    Examples
    --------
    >>> meant("knd", ["kind", "path"]), meant("NER", ["ner", "relation"]), meant("aspirin", ["kind", "path"])
    ('; did you mean kind?', '; did you mean ner?', '')
    """
    by_case = {word.casefold(): word for word in legal}
    close = get_close_matches(str(value).casefold(), list(by_case), n=1)
    return f"; did you mean {by_case[close[0]]}?" if close else ""


def quoted(value: object) -> str:
    """A value of the user's own configuration, which is no text of a corpus.

    Examples
    --------
    >>> quoted("my toys"), quoted(["a", "b"])
    ("'my toys'", 'a list of 2')
    """
    return repr(value) if isinstance(value, str) and 0 < len(value) <= _LONGEST_VALUE else shown(value)


def shown(value: object) -> str:
    """An id as a message may name it; other things by their size.

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


def parse_line(where: str, line: str, *, is_cut: bool = False) -> object:
    """The JSON of a line of a JSON Lines file.

    Parameters
    ----------
    is_cut : bool
        Whether the file ends within the line, so that a fault in it is the missing rest.

    Raises
    ------
    BadInput
        No JSON, nested too deeply to be read, a number of thousands of digits, or half of a character.
    """
    found, expected = "", "one JSON object a line"
    try:
        parsed: object = json.loads(line)
        if "\\ud" in line.lower() and any("\ud800" <= c <= "\udfff" for c in json.dumps(parsed, ensure_ascii=False)):
            found, expected = "half of a character (a surrogate alone)", "UTF-8 text"
    except json.JSONDecodeError as error:
        found = f"no JSON at column {error.colno}"
        if line.lstrip().startswith("[") and not line.rstrip().endswith("]"):
            found, expected = "the beginning of a JSON list", "one JSON object a line, without a list around them"
        elif is_cut:
            found, expected = f"a line that breaks off after {len(line)} characters", "a whole file; this is cut"
    except RecursionError:
        found = "JSON that is nested too deeply to be read"
    except ValueError:  # Python's own limit
        found = "a number of thousands of digits"
    if found:  # outside of the except: an error's context would hold the line
        raise bad(where, found, expected)
    return parsed


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
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise bad(path, 'UTF-16 (a spreadsheet\'s "Unicode text")', "UTF-8 text: save it as that")
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
