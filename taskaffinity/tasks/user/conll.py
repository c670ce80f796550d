"""Read CoNLL files: one word per line, a blank line after a sentence; convert tags to IOB2.

The first column is the word, the last one the tag. Columns are separated by tabs, or by white space if a line has no
tab. If a file has two or more ``-DOCSTART-`` lines, each begins a document. A document's id is its number and a hash of
its first sentence, so two taggings of one text have equal document ids.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict

from taskaffinity.errors import input_error, shown
from taskaffinity.tasks.lines import read_lines

_DOCUMENT = "-DOCSTART-"
_TAG = re.compile(r"O|([BI])-(\S{1,40})")
_LIKE_A_TAG = re.compile(r"\w|[A-Z][-_./:][A-Za-z][\w-]*")
"""Tags that a message may quote; if the last column holds something else, it may be text."""

_OTHER_SCHEMES = re.compile(r"([ESLUM])-\S{1,40}")


class Sentence(TypedDict):
    """A tagged sentence, the place of each word, and the id of its document, if any."""

    words: list[str]
    tags: list[str]
    places: tuple[str, ...]
    document: str | None


def read_conll(path: Path) -> Iterator[tuple[str, Sentence]]:
    """Yield ``(where, row)`` for each sentence; ``where`` is the line of its first word.

    Raises
    ------
    InputError
        If the file does not exist or is not UTF-8, or the number of columns of a line differs from the first line.
    """
    sentence: list[list[str]] = []
    places: list[str] = []
    where, first, width = "", 0, 0
    lines = read_lines(path)[0]
    has_documents = sum(line.split()[:1] == [_DOCUMENT] for line in lines) > 1
    n_begun, begins = 0, ""
    for number, line in enumerate([*lines, ""], start=1):
        fields = [field.strip() for field in line.split("\t")] if "\t" in line else line.split()
        if not line.strip() or fields[0] == _DOCUMENT:
            if sentence:
                words, tags = [row[0] for row in sentence], [row[-1] for row in sentence]
                begins = begins or hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]
                document = f"{n_begun} {begins}" if has_documents else None
                yield where, {"words": words, "tags": tags, "places": tuple(places), "document": document}
                sentence, places = [], []
            if line.strip():
                n_begun, begins = n_begun + 1, ""
            continue
        place = f"{path}: line {number}"
        if not width:
            first, width = number, len(fields)
        if len(fields) < 2:
            raise input_error(place, "1 column", "a word and its tag; a blank line between sentences")
        if len(fields) != width:
            raise input_error(place, f"{len(fields)} columns", f"{width}, as in line {first}")
        if not fields[0]:
            raise input_error(place, "no word in the first column", "a word")
        where = where if sentence else place
        sentence.append(fields)
        places.append(place)


def iob2(where: str, tags: Sequence[object], types: Sequence[str], places: Sequence[str] | None = None) -> list[str]:
    """Convert IOB1 or IOB2 tags to IOB2: an ``I`` that begins a mention becomes ``B``.

    ``B`` and ``I`` without a type get the type in ``types``, if there is exactly one. ``places`` are the places of the
    words, if known.

    Examples
    --------
    >>> iob2("here", ["I-x", "I-x", "B-x", "O", "I-y"], ())
    ['B-x', 'I-x', 'B-x', 'O', 'B-y']

    Raises
    ------
    InputError
        If a tag is in another scheme, such as BIOES.
    """
    made: list[str] = []
    before = ""
    good = sum(isinstance(tag, str) and _TAG.fullmatch(tag.strip()) is not None for tag in tags)
    are_tags = good > 0 and 2 * good >= len(tags) - 1  # else this may be a column of words
    for position, value in enumerate(tags, start=1):
        tag = value.strip() if isinstance(value, str) else value
        if tag in ("B", "I") and len(types) == 1:
            tag = f"{tag}-{types[0]}"
        may_quote = not isinstance(tag, str) or are_tags or _LIKE_A_TAG.fullmatch(tag)
        tag_shown = shown(tag) if may_quote else f"of {len(str(tag))} characters"
        where = places[position - 1] if places else where
        fault = f"tag {tag_shown} on word {position}"
        if isinstance(tag, int):
            raise input_error(where, f"{fault}, a number", "names: O, B-TYPE or I-TYPE")
        if isinstance(tag, str) and _OTHER_SCHEMES.fullmatch(tag):
            raise input_error(where, f"{fault}, of BIOES or a similar scheme", "IOB1 or IOB2: B- for S-, I- for E-")
        found = _TAG.fullmatch(tag) if isinstance(tag, str) else None
        if not found:
            hint = " (for B and I without a type, give one name under labels:)" if tag in ("B", "I") else ""
            raise input_error(where, fault, f"O, B-TYPE or I-TYPE{hint}")
        mark, kind = found.groups()
        made.append(f"{'B' if kind != before else mark}-{kind}" if kind else "O")
        before = kind or ""
    return made
