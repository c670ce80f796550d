"""Read texts, XML and lines of annotations, and check offsets against their text."""

from __future__ import annotations

import codecs
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from taskaffinity.errors import InputError, input_error, named, shown
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.lines import read_bytes, read_lines, text_lines, utf8
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.standoff.sentences import Span

_ENCODING = re.compile(r"""<\?xml[^>]{0,100}?\bencoding\s*=\s*(["'])([^"'<>]{1,100})\1""")


def numbered_lines(path: Path, encoding: str | None = None) -> Iterator[tuple[str, int, str]]:
    """Yield ``(where, number, line)`` for each line that is not blank, numbered from 1.

    Raises
    ------
    InputError
        If the file is missing or not in the encoding (``lines.utf8``).
    """
    for number, line in enumerate(read_lines(path, encoding=encoding)[0], start=1):
        if line.strip():
            yield f"{path}: line {number}", number, line.strip()


def read_text_exactly(path: Path, encoding: str | None = None) -> str:
    """Read a text file without converting line ends, because offsets count every character.

    Raises
    ------
    InputError
        If the file is missing or not in the encoding (``lines.utf8``).
    """
    is_utf8 = not encoding or codecs.lookup(encoding).name == "utf-8"  # then a byte order mark counts, too
    content = read_bytes(path) if is_utf8 else utf8(path, encoding=encoding)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    text_lines(path, content, may_be_named=encoding is not None)  # raises with the line
    raise AssertionError("some line is not UTF-8")


def xml_root(path: Path, encoding: str | None = None) -> ET.Element:
    """Read an XML file and return its root element.

    Parameters
    ----------
    encoding
        The encoding of the file, whatever it declares. Empty or None: UTF-8. None: the user cannot name another one.

    Raises
    ------
    InputError
        If the file is missing, not in the encoding, declares another one than UTF-8 if none is given, is empty, or is
        not well-formed. The message names the line.
    """
    lines, _ = text_lines(path, utf8(path, encoding=encoding), may_be_named=encoding is not None)
    text = "\n".join(lines)
    declared = _ENCODING.match(text)
    if declared and not encoding and not text.isascii() and declared[2].casefold() not in ("utf-8", "utf8"):
        raise input_error(f"{path}: line 1", f"encoding {shown(declared[2])}", "UTF-8: save the file as UTF-8")
    fault: InputError
    try:
        return ET.fromstring(text)  # parsed from a text, not from bytes: then the declared encoding is ignored
    except ET.ParseError as error:
        line, column = error.position
        found = f"XML that is not well-formed at column {column + 1}" if any(lines) else "an empty file"
        fault = input_error(
            f"{path}: line {line}", found, f"a complete document; this one has {how_many(len(lines), 'line')}"
        )
    raise fault


def mention_span(where: str, text: str, start: str, end: str, mention_text: str) -> Span:
    """Return the offsets of a mention, end exclusive, checked against its document.

    White space around ``mention_text`` is not compared: the NCBI disease corpus has a mention with two blanks more.

    Raises
    ------
    InputError
        If the offsets are not numbers, lie outside the text, or do not point to ``mention_text``.
    """
    span = offsets_inside(where, text, start, end)
    if text[slice(*span)] not in (mention_text, mention_text.strip()):
        raise moved_error(where, text, span, mention_text)
    return span


def check_mention(where: str, text: str, span: Span, mention_text: str, before: int = 0) -> None:
    """Raise ``InputError`` if a span does not point to a mention; white space is not compared.

    Parameters
    ----------
    before
        Characters of the document before the text, for the message.
    """
    is_inside = 0 <= span[0] < span[1] <= len(text)
    if is_inside and text[slice(*span)].split() == mention_text.split():
        return
    if is_inside or unit_of(text, span, mention_text):
        raise moved_error(where, text, span, mention_text, f"{span[0] + before}-{span[1] + before}")
    check_inside(where, text, span)


def offsets_inside(where: str, text: str, start: str, end: str) -> Span:
    """Return the span that two texts give, end exclusive.

    Raises
    ------
    InputError
        If they are not two whole numbers, or the span is empty or outside the text.
    """
    first, last = whole_number(start), whole_number(end)
    if first is None or last is None:
        raise input_error(where, f"offsets {named(start, ())} and {named(end, ())}", "two whole numbers")
    check_inside(where, text, (first, last))
    return first, last


def check_inside(where: str, text: str, span: Span) -> None:
    """Raise ``InputError`` if a span is empty or outside the text."""
    if not 0 <= span[0] < span[1] <= len(text):
        found = f"offsets {span[0]}-{span[1]} in a text of {len(text)} characters"
        raise input_error(where, found, "start < end, inside the text")


def without_spaces(text: str) -> str:
    """Return the text without white space.

    Corpora join the parts of a mention with or without a blank.
    """
    return "".join(text.split())


def offset_error(where: str, offsets: str, length: int) -> InputError:
    """Return the error for a mention that is not at its offsets; it quotes no text."""
    found = f"a mention of {length} characters that is not at its offsets {offsets}"
    return input_error(where, found, "offsets that point to the mention; was the text changed?")


def moved_error(where: str, text: str, span: Span, mention_text: str, offsets: str = "") -> InputError:
    """Return the error for a mention that is not at its offsets; it names the unit that the offsets seem to count.

    Parameters
    ----------
    offsets
        The offsets as the file has them. Empty: the span.
    """
    offsets, length = offsets or f"{span[0]}-{span[1]}", len(mention_text)
    unit = unit_of(text, span, mention_text)
    if not unit:
        return offset_error(where, offsets, length)
    found = f"a mention of {length} characters that is not at its offsets {offsets}, which count {unit}"
    return input_error(where, found, "offsets that count characters (Unicode code points, as in Python)")


def unit_of(text: str, span: Span, mention_text: str) -> str:
    """Return what offsets count if not characters; empty if they do not point to the mention in other units either.

    Examples
    --------
    >>> unit_of("\U0001f600 fever", (3, 8), "fever"), unit_of("\u00fc fever", (3, 8), "fever")
    ('UTF-16 units', 'bytes of UTF-8')
    >>> unit_of("a fever", (1, 6), "fever")
    ''
    """
    for unit, encoding, size in (("UTF-16 units", "utf-16-le", 2), ("bytes of UTF-8", "utf-8", 1)):
        piece = text.encode(encoding, "surrogatepass")[size * span[0] : size * span[1]].decode(encoding, "replace")
        if span[0] >= 0 and piece.split() == mention_text.split() != text[slice(*span)].split():
            return unit
    return ""
