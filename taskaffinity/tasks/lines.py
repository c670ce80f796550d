"""Text files as lines, and the one shape of a complaint.

A complaint is one line: where (file, line or element id), what was found, what would do. It never quotes the text of
a corpus: ``shown`` decides what may be named.
"""

from __future__ import annotations

import codecs
import json
from pathlib import Path

from taskaffinity.errors import input_error


def parse_line(where: str, line: str, *, is_cut: bool = False) -> object:
    """The JSON of a line of a JSON Lines file.

    Parameters
    ----------
    is_cut : bool
        Whether the file ends within the line, so that a fault in it is the missing rest.

    Raises
    ------
    InputError
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
        raise input_error(where, found, expected)
    return parsed


def read_lines(path: Path) -> tuple[list[str], bool]:
    """Lines of a UTF-8 file without their ends, and whether the last one was ended.

    Raises
    ------
    InputError
        No such file, or not UTF-8: the line is named.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise input_error(path, f"no file that can be read ({error.strerror})", "a UTF-8 text file") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise input_error(path, 'UTF-16 (a spreadsheet\'s "Unicode text")', "UTF-8 text: save it as that")
    pieces = content.removeprefix(codecs.BOM_UTF8).split(b"\n")
    ended = not pieces[-1]
    lines = []
    for number, piece in enumerate(pieces[:-1] if ended else pieces, start=1):
        try:
            lines.append(piece.decode("utf-8").removesuffix("\r"))
        except UnicodeDecodeError as error:
            found = f"byte 0x{piece[error.start]:02x} at column {error.start + 1}, which is not UTF-8"
            raise input_error(f"{path}: line {number}", found, "UTF-8 text") from None
    return lines, ended
