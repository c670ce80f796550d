"""Read CoNLL files: one word per line, a blank line after a sentence; convert tags to IOB2.

The first column is the word, the last one the tag. Columns are separated by tabs, or by blanks if a line has no tab;
other white space is part of a word. Comments of CoNLL-U (``# sent_id = 1``) are skipped. If the first column counts
the rows, as in CoNLL-U, the second is the word, and lines ``1-2`` and ``1.1`` are skipped. If a file has two or more
``-DOCSTART-`` lines, each begins a document. A document's id is its number and a hash of its first sentence, so two
taggings of one text have equal document ids.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from taskaffinity.errors import has_controls, input_error, shown
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.numbers import whole_number

_DOCUMENT = "-DOCSTART-"
_TAG = re.compile(r"O|([BI])-(\S{1,40})")
_LIKE_A_TAG = re.compile(r"\w|[A-Z][-_./:][A-Za-z][\w-]*")
"""Tags that a message may quote; if the last column holds something else, it may be text."""

_COMMENT = re.compile(r"#\s*(newdoc|newpar|[\w.:-]+\s*=)")
_NOT_A_WORD = re.compile(r"[0-9]+[-.][0-9]+")
"""Numbers of rows that are no words in CoNLL-U: of a token that stands for several words, and of an omitted word."""

_OTHER_SCHEMES = re.compile(r"([ESLUM])-\S{1,40}")


class Sentence(TypedDict):
    """A tagged sentence, the place of each word, and the id of its document, if any."""

    words: list[str]
    tags: list[str]
    places: tuple[str, ...]
    document: str | None


@dataclass
class _Lines:
    """The lines of one sentence: their numbers in the file, and their columns."""

    numbers: list[int] = field(default_factory=list)
    columns: list[list[str]] = field(default_factory=list)
    n_begun: int = 0
    """Number of ``-DOCSTART-`` lines before the sentence."""


def read_conll(path: Path, encoding: str = "") -> Iterator[tuple[str, Sentence]]:
    """Yield ``(where, row)`` for each sentence; ``where`` is the line of its first word.

    Raises
    ------
    InputError
        If the file does not exist or is not UTF-8, or the number of columns of a line differs from the first line.
    """
    lines = read_lines(path, encoding=encoding)[0]
    is_numbered = _has_row_numbers(_sentences(path, lines))  # looks at one sentence if it is not
    word = 1 if is_numbered else 0
    has_documents = sum(line.startswith(_DOCUMENT) and _columns(line)[0] == _DOCUMENT for line in lines) > 1
    n_begun, begins = 0, ""
    for sentence in _sentences(path, lines):
        if is_numbered and len(sentence.columns[0]) == 2:
            place = f"{path}: line {sentence.numbers[0]}"
            raise input_error(place, "two columns, the first of which numbers the rows", "a word and its tag")
        if sentence.n_begun:
            n_begun, begins = n_begun + sentence.n_begun, ""
        kept = list(zip(sentence.numbers, sentence.columns, strict=True))
        if is_numbered:
            kept = [(number, columns) for number, columns in kept if not _NOT_A_WORD.fullmatch(columns[0])]
        if not kept:
            continue
        places = tuple(f"{path}: line {number}" for number, _ in kept)
        words, tags = [columns[word] for _, columns in kept], [columns[-1] for _, columns in kept]
        if "" in (stripped := [word.strip() for word in words]):
            column = "second" if is_numbered else "first"
            raise input_error(places[stripped.index("")], f"no word in the {column} column", "a word")
        begins = begins or hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]
        document = f"{n_begun} {begins}" if has_documents else None
        yield places[0], {"words": words, "tags": tags, "places": places, "document": document}


def _columns(line: str) -> list[str]:
    """The columns of a line; other blanks, such as one that does not break, are part of a word."""
    if "\t" not in line:
        return [column for column in line.split(" ") if column] or [""]
    columns = line.split("\t")
    return [column.strip(" ") for column in columns] if " " in line else columns


def _sentences(path: Path, lines: Sequence[str]) -> Iterator[_Lines]:
    sentence = _Lines()
    width = first = 0
    for number, line in enumerate(lines, start=1):
        columns = _columns(line)
        if not line.strip() or columns[0] == _DOCUMENT:
            if sentence.columns:
                yield sentence
                sentence = _Lines()
            sentence.n_begun += columns[0] == _DOCUMENT
            continue
        if line[0] == "#" and not sentence.columns and _is_comment(line, columns, lines[number : number + 1]):
            continue
        if not width:
            first, width = number, len(columns)
        if len(columns) < 2:
            raise input_error(
                f"{path}: line {number}", "1 column", "a word and its tag; a blank line between sentences"
            )
        if len(columns) != width:
            raise input_error(f"{path}: line {number}", f"{len(columns)} columns", f"{width}, as in line {first}")
        sentence.numbers.append(number)
        sentence.columns.append(columns)
    if sentence.columns:
        yield sentence


def _is_comment(line: str, columns: Sequence[str], following: Sequence[str]) -> bool:
    """Whether a line before a sentence is a comment of CoNLL-U; ``#`` may also be the first word."""
    if not _COMMENT.match(line):
        return False
    has_tag = _TAG.fullmatch(columns[-1]) is not None
    return not (has_tag and all(len(_columns(other)) == len(columns) for other in following))


def _has_row_numbers(sentences: Iterable[_Lines]) -> bool:
    """Whether the first column counts the rows, of each sentence or of the file."""
    before, is_counted = -1, False
    for sentence in sentences:
        names = [columns[0] for columns in sentence.columns if not _NOT_A_WORD.fullmatch(columns[0])]
        numbers = [whole_number(name) for name in names]
        first = numbers[0] if numbers else None
        if first not in (0, 1, before + 1) or numbers != list(range(first, first + len(numbers))):
            return False
        before = first + len(numbers) - 1
        is_counted |= len(numbers) > 1
    return is_counted


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
        if kind and has_controls(kind):
            raise input_error(where, f"a tag with a control character on word {position}", "printable characters")
        made.append(f"{'B' if kind != before else mark}-{kind}" if kind else "O")
        before = kind or ""
    return made
