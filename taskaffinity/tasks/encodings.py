"""Guess the encoding of a text file that is not UTF-8, for a hint in a message."""

from __future__ import annotations

import codecs
import re

from taskaffinity.tasks.east_asian import east_asian_encoding

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Bytes at the start of a file -> its encoding; those of UTF-32 begin like those of UTF-16."""
_HIGH = re.compile(rb"[\x80-\xff]+")
_UNUSUAL = re.compile(rb"[\x81\x83\x86-\x90\x98\x9a\x9c-\x9f]|(?<=[A-Za-z])[\xa1-\xbf](?=[A-Za-z])")
"""Bytes that are rare letters and marks of cp1252, or its symbols within a word."""
_PEEK = 1 << 20
_LONGEST_RUN = 2
"""Letters with accents that follow each other in a word of a Western European language."""


def marked_encoding(content: bytes) -> str:
    """Return the encoding that the first bytes of a file name, or that its zero bytes show; else an empty text.

    Examples
    --------
    >>> marked_encoding("a b".encode("utf-16")), marked_encoding("a,b".encode("utf-16-le")), marked_encoding(b"a,b")
    ('utf-16', 'utf-16-le', '')
    """
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    if marked or b"\0" not in content[:_PEEK]:
        return marked
    even, odd = content[:_PEEK:2], content[1:_PEEK:2]
    zeros = even.count(0) / len(even), odd.count(0) / max(1, len(odd))
    if max(zeros) < 0.5 or min(zeros) > 0.1:
        return ""
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"


def probable_encoding(content: bytes) -> str:
    """Return an encoding that gives plausible text, or an empty text.

    It is UTF-8, UTF-16, UTF-32, cp1252 or one of ``EAST_ASIAN``. Western European text has single letters with accents
    among plain ones, and typographic quotes and dashes. Text in another script has long runs of bytes above 127, and
    many encodings read them; Korean, Japanese and Chinese are recognised by their frequent characters.

    Examples
    --------
    >>> probable_encoding("Übelkeit, née".encode("latin-1")), probable_encoding("“fièvre”".encode("cp1252"))
    ('cp1252', 'cp1252')
    >>> probable_encoding("жар".encode("cp1251")), probable_encoding("żółty".encode("cp1250"))
    ('', '')
    """
    if marked := marked_encoding(content):
        return marked
    if is_utf8(content):
        return "utf-8"
    if found := east_asian_encoding(content):
        return found
    runs = _HIGH.findall(content[:_PEEK])
    n_high = sum(map(len, runs))
    is_long = sum(len(run) > _LONGEST_RUN for run in runs) > 0.1 * len(runs)
    if is_long or len(_UNUSUAL.findall(content[:_PEEK])) > 0.1 * n_high:
        return ""
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:  # five bytes have no character
        return ""
    return "cp1252"


def is_utf8(content: bytes) -> bool:
    """Return whether bytes are UTF-8 text."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def is_misread(content: bytes, encoding: str) -> bool:
    """Return whether a file is UTF-8 with letters beyond ASCII, and its given encoding has one byte per character.

    Such an encoding reads any bytes: ``é`` of a UTF-8 file would become ``Ã©`` without an error.

    Examples
    --------
    >>> is_misread("é".encode(), "latin-1"), is_misread("é".encode("latin-1"), "latin-1"), is_misread(b"e", "latin-1")
    (True, False, False)
    """
    if content.isascii() or not is_utf8(content):
        return False
    try:
        return len(content.decode(encoding)) == len(content)
    except (UnicodeError, LookupError):
        return False


def is_wide(encoding: str) -> bool:
    """Return whether an encoding is a form of UTF-16 or UTF-32, whose files have zero bytes."""
    name = codecs.lookup(encoding).name
    return name.startswith(("utf-16", "utf-32"))
