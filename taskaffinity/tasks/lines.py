"""Open a user's files and read them line by line; errors name the line.

``open_file`` opens a file as ``regular_file`` does, but its errors are ``InputError``.
``LARGEST_DATA`` and ``LARGEST_SETTINGS`` are the largest files that are read as a whole.
"""

from __future__ import annotations

import codecs
import gzip
import json
import os
import re
import zlib
from collections.abc import Sequence
from io import BufferedReader, BytesIO
from pathlib import Path

from taskaffinity.errors import InputError, input_error
from taskaffinity.regular_file import LARGEST, IrregularFile, check_regular, open_regular
from taskaffinity.tasks.content import other_content
from taskaffinity.tasks.east_asian import EAST_ASIAN
from taskaffinity.tasks.encodings import is_misread, is_wide, marked_encoding, probable_encoding

LARGEST_DATA = LARGEST
"""Bytes of the largest data file: 1 GiB."""
LARGEST_SETTINGS = 1 << 20
"""Bytes of the largest suite file, recipe or ``task.json``: 1 MiB."""
_LONE_RETURN = re.compile(rb"\r(?!\n)")


def open_file(path: Path) -> BufferedReader:
    """Open a regular file to read its bytes; a pipe does not block.

    Raises
    ------
    InputError
        If the file does not exist, cannot be read, or is a folder, a pipe, a socket or a device.
    """
    try:
        check_regular(path)  # before opening, because opening a device can have an effect
        return open_regular(path)
    except IrregularFile as error:
        copied = "" if error.found == "a folder" else "; save its content in a file"
        raise input_error(path, error.found, f"a UTF-8 text file{copied}") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        why = error.strerror if isinstance(error, OSError) else "no legal name"
        raise input_error(path, f"no file that can be read ({why})", "a UTF-8 text file") from None


def read_bytes(path: Path, largest: int = LARGEST_DATA) -> bytes:
    """Return the content of a regular file of at most ``largest`` bytes.

    A file whose name ends in ``.gz`` is unpacked.

    Raises
    ------
    InputError
        As ``open_file``, or if the file or its unpacked content is larger, or if it is no whole gzip file.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise input_error(path, f"{size:,} bytes", f"at most {largest:,}; split the file, or leave rows out")
        try:
            content = file.read() or b""
        except OSError as error:
            raise input_error(path, f"no file that can be read ({error.strerror})", "a UTF-8 text file") from None
    return _unpacked(path, content, largest) if path.suffix.lower() == ".gz" else content


def _unpacked(path: Path, packed: bytes, largest: int) -> bytes:
    found = ""
    try:
        with gzip.GzipFile(fileobj=BytesIO(packed)) as file:
            content = file.read(largest + 1)  # a small file may hold a very large one
    except EOFError:
        found = "a gzip file that breaks off"
    except (OSError, zlib.error):
        found = "no gzip file, or a damaged one"
    if found:
        raise input_error(path, found, "a whole file; copy it again")
    if len(content) > largest:
        raise input_error(path, f"more than {largest:,} bytes in it", f"at most {largest:,}; split the file")
    return content


def _unique_keys(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _KeyTwiceError
    return found


class _KeyTwiceError(Exception):
    """Raised if a JSON object has a key twice; ``json`` would drop the first value."""


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys)


def parse_line(where: str, line: str, *, is_cut: bool = False, is_document: bool = False) -> object:
    """Parse one line of a JSON Lines file, or a whole JSON file.

    Parameters
    ----------
    is_cut : bool
        Whether the file ends within the line. A fault then means that the file is truncated.
    is_document : bool
        Whether ``line`` is a whole file of several lines. The error then names the line.

    Raises
    ------
    InputError
        If the line is no JSON, is nested too deeply, or has a repeated key, a number of thousands of digits or a lone
        surrogate.
    """
    found, expected = "", "one JSON object per line"
    try:
        parsed: object = _DECODER.decode(line)
        if "\\ud" in line.lower() and any("\ud800" <= c <= "\udfff" for c in json.dumps(parsed, ensure_ascii=False)):
            found, expected = "half of a character (a lone surrogate)", "UTF-8 text"
    except json.JSONDecodeError as error:
        found = f"no JSON at column {error.colno}"
        if is_document:
            where, expected = f"{where}: line {error.lineno}", "one JSON list or object in the whole file"
            found = "JSON that breaks off" if error.pos >= len(line.rstrip()) else found
        elif line.lstrip().startswith("[") and not line.rstrip().endswith("]"):
            found, expected = "the beginning of a JSON list", "one JSON object per line, without a list around them"
        elif is_cut:
            found, expected = (
                f"a line that breaks off after {len(line)} characters",
                "a whole file; this one is truncated",
            )
    except _KeyTwiceError:
        found, expected = "a key twice in one object", "each key once, because only one of its values would be read"
    except RecursionError:
        found = "JSON that is nested too deeply"
    except ValueError:  # Python limits the digits of a number
        found = "a number of thousands of digits"
    if found:  # raised outside the except clause: otherwise the error's context holds the text of the line
        raise input_error(where, found, expected)
    return parsed


def read_lines(path: Path, largest: int = LARGEST_DATA, encoding: str | None = None) -> tuple[list[str], bool]:
    """Read the lines of a text file, and whether the last line has a line end.

    The lines have no line ends.

    Lines end in LF or CR LF. The encoding is UTF-8 unless another one is given (``utf8``).

    Raises
    ------
    InputError
        If the file cannot be read as ``read_bytes`` does, is not UTF-8 or has a lone carriage return; the error names
        the line.
    """
    content = utf8(path, largest, encoding)
    if (line := lone_return(content)) is not None:
        raise lone_return_error(f"{path}: line {line}")
    return text_lines(path, content, may_be_named=encoding is not None)


def lone_return(content: bytes) -> int | None:
    """Return the line, from 1, of the first carriage return without a line feed, or None."""
    if content.count(b"\r") == content.count(b"\r\n"):
        return None
    found = _LONE_RETURN.search(content)
    return None if found is None else content.count(b"\n", 0, found.start()) + 1


def lone_return_error(where: str) -> InputError:
    """Return the error for a carriage return without a line feed, as old programs write."""
    return input_error(where, "a lone carriage return", "lines that end in LF or in CR LF")


def utf8(path: Path, largest: int = LARGEST_DATA, encoding: str | None = None) -> bytes:
    """Return the content of a file in UTF-8, without a byte order mark.

    Parameters
    ----------
    encoding
        The encoding of the file, which is converted. Empty or None: UTF-8, which ``text_lines`` checks. None: the user
        cannot name another one.

    Raises
    ------
    InputError
        As ``read_bytes``, or if the file is no text, UTF-16 or not in the given encoding.
    """
    content = read_bytes(path, largest)
    if other := other_content(content):
        raise input_error(path, *other)
    if encoding:
        return _converted(path, content, encoding)
    if marked := marked_encoding(content):
        found = f'{marked.upper()} (a spreadsheet\'s "Unicode text")' if marked == "utf-16" else marked.upper()
        raise input_error(path, found, f"UTF-8 text: save the file as UTF-8{_or_named(marked, encoding is not None)}")
    return content.removeprefix(codecs.BOM_UTF8)


def _or_named(encoding: str, may_be_named: bool) -> str:
    """Return what else a message expects: the encoding's name in the suite file."""
    if not may_be_named:
        return ""
    language = {"cp1252": "in a Western European language", **EAST_ASIAN}.get(encoding, "")
    by_script = "NAME, such as cp949 (Korean), gb18030 (Chinese), cp932 (Japanese) or cp1251 (Cyrillic)"
    return f", or encoding: {encoding or by_script}{language and f' if the text is {language}'}"


def _converted(path: Path, content: bytes, encoding: str) -> bytes:
    if is_misread(content, encoding):
        raise input_error(path, f"UTF-8 text, and encoding: {encoding}", "no encoding:, or encoding: utf-8")
    line, is_marked = 1, bool(marked_encoding(content))
    try:
        if is_marked == is_wide(encoding) or (is_wide(encoding) and b"\0" in content):
            return content.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    except UnicodeError:  # a codec that names no place
        pass
    guess = probable_encoding(content)
    expected = f"encoding: {guess}" if guess else "another encoding:"
    raise input_error(f"{path}: line {line}", f"bytes that are not {encoding}", expected)


def text_lines(path: Path, content: bytes, *, may_be_named: bool = False) -> tuple[list[str], bool]:
    """Return the lines of a file's content, and whether the last line has a line end.

    Parameters
    ----------
    may_be_named
        Whether the user can name the encoding of the file, so that the error says which one probably reads it.

    Raises
    ------
    InputError
        If a line is not UTF-8.
    """
    pieces = content.split(b"\n")
    ended = not pieces[-1]
    lines = []
    for number, piece in enumerate(pieces[:-1] if ended else pieces, start=1):
        try:
            lines.append(piece.decode("utf-8").removesuffix("\r"))
        except UnicodeDecodeError as error:
            found = f"byte 0x{piece[error.start]:02x} at column {error.start + 1}, which is not UTF-8"
            hint = _or_named(probable_encoding(content), may_be_named)
            raise input_error(f"{path}: line {number}", found, f"UTF-8 text{hint}") from None
    return lines, ended
