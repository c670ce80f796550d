"""Read text files line by line, with errors that name the line."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

from taskaffinity.errors import input_error


def parse_line(where: str, line: str, *, is_cut: bool = False) -> object:
    """Parse one line of a JSON Lines file.

    Parameters
    ----------
    is_cut : bool
        Whether the file ends within the line. A fault then means that the file is truncated.

    Raises
    ------
    InputError
        If the line is no JSON, is nested too deeply, has a number of thousands of digits or a lone surrogate.
    """
    found, expected = "", "one JSON object a line"
    try:
        parsed: object = json.loads(line)
        if "\\ud" in line.lower() and any("\ud800" <= c <= "\udfff" for c in json.dumps(parsed, ensure_ascii=False)):
            found, expected = "half of a character (a lone surrogate)", "UTF-8 text"
    except json.JSONDecodeError as error:
        found = f"no JSON at column {error.colno}"
        if line.lstrip().startswith("[") and not line.rstrip().endswith("]"):
            found, expected = "the beginning of a JSON list", "one JSON object a line, without a list around them"
        elif is_cut:
            found, expected = (
                f"a line that breaks off after {len(line)} characters",
                "a whole file; this one is truncated",
            )
    except RecursionError:
        found = "JSON that is nested too deeply"
    except ValueError:  # Python limits the digits of a number
        found = "a number of thousands of digits"
    if found:  # outside the except clause, or the error's context would hold the text of the line
        raise input_error(where, found, expected)
    return parsed


def read_lines(path: Path) -> tuple[list[str], bool]:
    """Read the lines of a UTF-8 file without line ends, and whether the last line had one.

    Raises
    ------
    InputError
        If the file does not exist or is not UTF-8; the error names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise input_error(path, f"no file that can be read ({error.strerror})", "a UTF-8 text file") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise input_error(path, 'UTF-16 (a spreadsheet\'s "Unicode text")', "UTF-8 text: save the file as UTF-8")
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
