"""Print in any encoding: missing characters become similar ASCII, not an error."""

from __future__ import annotations

import codecs
import sys
import unicodedata

_ASCII = {
    **{"→": "->", "…": "...", "×": "x", "−": "-", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"'},
    **{"▲": "^", "▼": "v", "≤": "<=", "≥": ">=", "·": "-", "•": "*"},
}
_BOX = range(0x2500, 0x2580)
"""Lines of tables and bars."""
_HANDLER = "taskaffinity.nearest"


def nearest(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks; a handler for ``codecs.register_error``.

    Examples
    --------
    >>> nearest(UnicodeEncodeError("ascii", "a → é 한", 2, 5, "not in the encoding"))
    ('-> e', 5)
    >>> nearest(UnicodeEncodeError("ascii", "a → é 한", 6, 7, "not in the encoding"))
    ('?', 7)
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_nearest, error.object[error.start : error.end])), error.end


def _nearest(character: str) -> str:
    if character.isascii():
        return character
    if character in _ASCII:
        return _ASCII[character]
    if ord(character) in _BOX:
        return "-"
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"


def print_in_any_encoding() -> None:
    """Let standard output and standard error print any text, whatever their encoding is."""
    codecs.register_error(_HANDLER, nearest)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # neither a stream of another program nor a closed one (None)
            stream.reconfigure(errors=_HANDLER)
