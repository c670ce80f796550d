"""Recognise a file that is no text by its first bytes, whatever its name says.

A text may begin with ``PAR1``, a gene; in a parquet file, a byte that is no letter follows.
"""

from __future__ import annotations

_BEGINNINGS: dict[bytes, tuple[str, str]] = {
    b"\x1f\x8b": ("gzip data", "a name that ends in .gz"),
    b"PK\x03\x04": (
        "a spreadsheet (.xlsx) or a zip archive",
        "a text file: save the sheet as CSV (UTF-8), or unpack it",
    ),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet (.xls)", "a text file: save the sheet as CSV (UTF-8)"),
    b"PAR1\x15": ("parquet data", "format: parquet, and a name that ends in .parquet"),
    b"ARROW1\0": ("Arrow data", "a text file, or parquet"),
    b"BZh9": ("bzip2 data", "a text file: unpack it"),
    b"\xfd7zXZ": ("xz data", "a text file: unpack it"),
    b"version https://git-lfs": ("a pointer of Git LFS, not the file itself", "the file itself: git lfs pull"),
}
"""First bytes -> what a file is, and what would do."""


def other_content(content: bytes) -> tuple[str, str] | None:
    """Return what was found and what is expected if the content is no text of data; else None.

    Examples
    --------
    >>> other_content(b"PAR1\\x15...")[0], other_content(b"text,label")
    ('parquet data', None)
    """
    return next((said for start, said in _BEGINNINGS.items() if content.startswith(start)), None)
