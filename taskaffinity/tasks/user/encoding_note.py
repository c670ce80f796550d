"""Describe the letters of a task that was read in another encoding than UTF-8, and say if they seem to be misread.

Many encodings read any bytes without an error. The scripts of the letters show a wrong one; no text is quoted.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from taskaffinity.tasks.east_asian import EAST_ASIAN, east_asian_encoding
from taskaffinity.tasks.encodings import probable_encoding
from taskaffinity.tasks.task import Example

_PEEK = 1 << 20
_SCRIPTS = {
    **{"HANGUL": "Korean", "CJK": "Chinese characters", "IDEOGRAPHIC": "Chinese characters"},
    **dict.fromkeys(("HIRAGANA", "KATAKANA", "HALFWIDTH"), "Japanese kana"),
    **dict.fromkeys(("LATIN", "FULLWIDTH", "MASCULINE", "FEMININE", "MICRO"), "Latin"),
}
"""First word of a letter's name in Unicode -> its script; other words are the name of the script."""
_LISTED = 3
_GARBLED = 0.05
_WESTERN = ("cp1252", "iso8859-1", "iso8859-15")
_WITHIN_A_WORD = re.compile(r"(?<=[^\W\d_])[^\w\s\x00-\x7f](?=[^\W\d_])")
_JOINS = "’‘‐‑–—·´"
"""Characters beyond ASCII that stand within words: apostrophes, hyphens, dashes."""
_TURNED_CASE = re.compile(r"\b[а-яё][А-ЯЁ]{2,}\b")
_CYRILLIC_WORD = re.compile(r"\b[А-Яа-яЁё]{3,}\b")


def encoding_note(examples: Iterable[Example], encoding: str) -> str:
    """Return a line on the letters beyond ASCII of examples, which were read in an encoding; empty for UTF-8 or ASCII.

    Examples
    --------
    >>> example = Example("1", "yes", text="Übelkeit – née")
    >>> encoding_note([example], "cp1252")
    'read as cp1252, as encoding: says; letters beyond ASCII: all Latin'
    >>> misread = "어제부터 열과 기침이 있습니다. 오늘은 열이 없습니다".encode("cp949").decode("gb18030")
    >>> encoding_note([Example("1", "yes", text=misread)], "gb18030").partition("letters ")[2]
    'beyond ASCII: all Chinese characters; cp949 (Korean) is more likely: check encoding:'
    """
    if not encoding or codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii"):
        return ""
    text = _sample(examples)
    counts = Counter({c: n for c, n in Counter(text).items() if c > "\x7f"})
    scripts: Counter[str] = Counter()
    for letter, n in counts.items():
        scripts[_script(letter)] += n
    letters = scripts.total() - scripts[""]
    if not counts:
        return ""
    shares = [f"{100 * n / letters:.0f}% {script}" for script, n in scripts.most_common() if script][:_LISTED]
    said = ", ".join(shares).replace("100%", "all") or "none"
    doubt = _doubt(text, counts.total(), encoding)
    return (
        f"read as {encoding}, as encoding: says; letters beyond ASCII: {said}{doubt and f'; {doubt}: check encoding:'}"
    )


def _sample(examples: Iterable[Example]) -> str:
    parts: list[str] = []
    n = 0
    for example in examples:
        text = " ".join((example.text, example.text_pair or "", *example.words, *example.options))
        parts.append(text)
        n += len(text)
        if n > _PEEK:
            break
    return "\n".join(parts)


def _script(letter: str) -> str:
    if unicodedata.category(letter)[0] not in "LM":
        return ""
    name = unicodedata.name(letter, "unnamed").split()[0]
    return _SCRIPTS.get(name, name.title())


def _doubt(text: str, n_beyond: int, encoding: str) -> str:
    """Return why a text seems to be misread, or an empty text."""
    content = text.encode(encoding, "ignore")
    likely = east_asian_encoding(content)
    if likely and content.decode(likely) != content.decode(encoding, "ignore"):
        return f"{likely} ({EAST_ASIAN[likely]}) is more likely"
    within = sum(mark.group() not in _JOINS for mark in _WITHIN_A_WORD.finditer(text))
    if len(content) == len(text) and within > _GARBLED * n_beyond:  # Chinese has no spaces beside its marks
        return "many symbols stand within words"
    if codecs.lookup(encoding).name in _WESTERN and not probable_encoding(content):
        return "few Western European texts have such letters"
    words = _CYRILLIC_WORD.findall(text)
    if len(_TURNED_CASE.findall(text)) > _GARBLED * len(words):
        return "many words begin with a small letter and go on in capitals"
    return ""
