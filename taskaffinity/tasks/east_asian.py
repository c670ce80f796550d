"""Recognise Korean, Japanese and Chinese text in a file that is not UTF-8, by how common its letters are.

Each encoding puts frequent characters of its script in one range of bytes. Bytes of another encoding decode to rare
characters, to another script, or not at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

EAST_ASIAN = {
    "euc-jp": "Japanese",
    "cp932": "Japanese",
    "cp949": "Korean",
    "cp950": "traditional Chinese",
    "gb18030": "Chinese",
}
"""Encoding -> language of its text, in the order in which they are tried: a later one also reads an earlier one's."""
_FREQUENT = {"euc-jp": (0xB0, 0xCF), "cp932": (0x88, 0x97), "cp950": (0xA4, 0xC6), "gb2312": (0xB0, 0xD7)}
"""Encoding -> first and last lead byte of its frequent Chinese characters."""
_LEAST_LETTERS = 20
_LEAST_FREQUENT = 0.9
_LEAST_KANA = 0.2
_PEEK = 1 << 20
_KANA = re.compile("[\u3041-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_HAN = re.compile("[\u4e00-\u9fff]")


def east_asian_encoding(content: bytes) -> str:
    """Return the encoding that reads bytes as frequent Korean, Japanese or Chinese characters, or an empty text.

    Examples
    --------
    >>> east_asian_encoding(("어제부터 열과 기침이 있습니다. " * 3).encode("euc-kr"))
    'cp949'
    >>> east_asian_encoding(("昨天开始发烧咳嗽" * 3).encode("gbk"))
    'gb18030'
    >>> east_asian_encoding("Übelkeit ".encode("cp1252") * 30)
    ''
    """
    whole = content[: content.rfind(b"\n") + 1 or None] if len(content) > _PEEK else content
    return next((encoding for encoding in EAST_ASIAN if _reads(whole, encoding)), "")


def _reads(content: bytes, encoding: str) -> bool:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return False
    letters = Counter({c: n for c, n in Counter(text).items() if c > "\x7f" and unicodedata.category(c)[0] in "LCNM"})
    n = letters.total()
    if n < _LEAST_LETTERS:
        return False
    kana = _total(letters, _KANA)
    if EAST_ASIAN[encoding] == "Japanese":
        return kana >= _LEAST_KANA * n and kana + _frequent_han(letters, encoding) >= _LEAST_FREQUENT * n
    if encoding == "cp949":
        common = sum(k for c, k in letters.items() if _HANGUL.match(c) and _lead_byte(c, "euc-kr"))
        return common >= _LEAST_FREQUENT * n
    return _frequent_han(letters, "gb2312" if encoding == "gb18030" else encoding) >= _LEAST_FREQUENT * n


def _total(letters: Counter[str], script: re.Pattern[str]) -> int:
    return sum(n for letter, n in letters.items() if script.match(letter))


def _frequent_han(letters: Counter[str], encoding: str) -> int:
    first, last = _FREQUENT[encoding]
    return sum(n for c, n in letters.items() if _HAN.match(c) and first <= _lead_byte(c, encoding) <= last)


def _lead_byte(letter: str, encoding: str) -> int:
    """Return the first of the two bytes of a letter, or 0 if it has not two."""
    try:
        coded = letter.encode(encoding)
    except UnicodeEncodeError:
        return 0
    return coded[0] if len(coded) == 2 else 0
