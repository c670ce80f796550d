"""Read CoNLL files: one word per line, a blank line after a sentence.

The first column is the word and the last one the tag, unless ``TagColumns`` names others. Columns are separated by
tabs, or by blanks if a line has no tab; other white space is part of a word. Comments of CoNLL-U (``# sent_id = 1``)
and of MultiCoNER (``# id NAME``) are skipped. If the first column counts the rows, as in CoNLL-U, the second is the
word, and lines ``1-2`` and ``1.1`` are skipped. If a file has two or more ``-DOCSTART-`` lines, each begins a document.
A document's id is its number and a hash of its first sentence, so two taggings of one text have equal document ids.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

from taskaffinity.errors import input_error, quoted
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.user.tag_schemes import TAG

_DOCUMENT = "-DOCSTART-"
_COMMENT = re.compile(r"#\s*(newdoc|newpar|[\w.:-]+\s*=|id\s)")
"""CoNLL-U's comments, and MultiCoNER's ``# id NAME<tab>domain=en``."""
_NOT_A_WORD = re.compile(r"[0-9]+[-.][0-9]+")
"""Row numbers in CoNLL-U that mark no word: a token of several words (``1-2``), or an omitted word (``1.1``)."""
_OTHER_FORMATS = {
    r"[^|\t]+\|[ta]\|": ("what looks like PubTator", "format: pubtator"),
    r"#FORMAT=WebAnno TSV": ("WebAnno TSV", "a word and its tag; export the annotations as CoNLL 2002"),
}
"""What begins files of other formats -> what was found, and what would do."""
_FEWEST_PAIRS = 3
"""Fewest pairs of neighbours in a column of words that say whether its values repeat."""
_GLOBAL = re.compile(r"# *global\.columns *= *(.+)")
_CONLLU = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")


class Sentence(TypedDict):
    """A tagged sentence, the places of its words, and the id of its document."""

    words: list[str]
    tags: list[str]
    places: tuple[str, ...]
    document: str | None
    fields: dict[str, str]
    """Fields of the row that have a column of their own, such as ``id``."""


@dataclass
class _Lines:
    """The lines of one sentence: their numbers in the file, and their columns."""

    numbers: list[int] = field(default_factory=list)
    columns: list[list[str]] = field(default_factory=list)
    n_begun: int = 0
    """Number of ``-DOCSTART-`` lines before the sentence."""


@dataclass(frozen=True)
class TagColumns:
    """Which columns hold word and tag, in a file whose columns have names."""

    word: str
    tag: str
    """A column, or a key in the column ``MISC`` of CoNLL-U."""
    header: tuple[str, ...] = ()
    """Names of the columns. Empty: the ten of CoNLL-U, or those of a line ``# global.columns = ...``."""
    others: tuple[tuple[str, str], ...] = ()
    """Other fields, such as ``document``, and their columns; all words of a sentence have one value."""

    def names(self, lines: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the columns of a file with these lines."""
        given = next((found[1].split() for line in lines[:1] if (found := _GLOBAL.match(line))), _CONLLU)
        return self.header or tuple(given)

    def places(self, path: Path, lines: Sequence[str]) -> tuple[int, int, str, int]:
        """Return the numbers of both columns, from 0, the key of the tag in ``MISC``, and the number of all columns.

        The key is empty unless the column of the tag is ``MISC``.

        Raises
        ------
        InputError
            If a column does not exist.
        """
        names = self.names(lines)
        key = "" if self.tag in names or "MISC" not in names else self.tag
        for field_name, name in (("words", self.word), ("tags", "MISC" if key else self.tag), *self.others):
            if name not in names:
                raise input_error(
                    path, f"no column {quoted(name)}", f"columns: {{{field_name}: one of {', '.join(names)}}}"
                )
        return names.index(self.word), names.index("MISC" if key else self.tag), key, len(names)


def _tag(columns: Sequence[str], at: int, key: str, *, is_named: bool) -> str:
    """Return the tag of a word.

    In a file with named columns, ``_`` and a missing key are ``O``.
    """
    if not key:
        return "O" if is_named and columns[at] == "_" else columns[at]
    return next((part[len(key) + 1 :] for part in columns[at].split("|") if part.startswith(f"{key}=")), "O")


@dataclass
class _WordColumn:
    """What the column of the words has, in a file that names no columns; it may be one of ids."""

    at: int
    first: int = 0
    """Line of the first word."""
    width: int = 0
    n_letters: int = 0
    """Words with a letter."""
    n_beside: int = 0
    """Values with a letter in the next column, unless it is the one of the tags."""
    n_pairs: int = 0
    n_equal: int = 0
    """Words that are equal to the word before them in their sentence."""

    def add(self, rows: Sequence[tuple[int, Sequence[str]]]) -> None:
        """Count the rows of a sentence, each with its line."""
        self.first, self.width = self.first or rows[0][0], len(rows[0][1])
        words = [columns[self.at] for _, columns in rows]
        self.n_letters += sum(map(_has_letter, words))
        if self.at + 2 < self.width:
            self.n_beside += sum(_has_letter(columns[self.at + 1]) for _, columns in rows)
        self.n_pairs += len(words) - 1
        self.n_equal += sum(one == other for one, other in pairwise(words))

    def fault(self) -> str:
        """Return what the column has instead of words; empty if it may have words."""
        if self.n_beside and not self.n_letters:
            return "no letter"
        has_ids = self.n_pairs >= _FEWEST_PAIRS and 2 * self.n_equal > self.n_pairs
        return "the same value on most lines of a sentence" if has_ids and self.at + 2 < self.width else ""


def _has_letter(value: str) -> bool:
    return any(map(str.isalpha, value))


def read_conll(path: Path, encoding: str = "", named: TagColumns | None = None) -> Iterator[tuple[str, Sentence]]:
    """Yield ``(where, row)`` for each sentence; ``where`` is the line of its first word.

    Parameters
    ----------
    named
        The columns of word and tag. None: the first (or the second, after row numbers) and the last.

    Raises
    ------
    InputError
        If the file does not exist or is not UTF-8, the number of columns of a line differs from the first line, or the
        column of the words has no words.
    """
    lines = read_lines(path, encoding=encoding)[0]
    for line in lines[:1]:
        if other := next((hint for form, hint in _OTHER_FORMATS.items() if re.match(form, line)), None):
            raise input_error(f"{path}: line 1", *other)
    is_numbered = _has_row_numbers(_sentences(path, lines))  # reads only one sentence if it is not
    word, tag, key, width = named.places(path, lines) if named else (1 if is_numbered else 0, -1, "", 0)
    others = [(name, named.names(lines).index(column)) for name, column in named.others] if named else []
    has_documents = sum(line.startswith(_DOCUMENT) and _columns(line)[0] == _DOCUMENT for line in lines) > 1
    n_begun, begins = 0, ""
    seen = _WordColumn(word)
    for sentence in _sentences(path, lines):
        if width and len(sentence.columns[0]) != width:
            found = how_many(len(sentence.columns[0]), "column")
            raise input_error(f"{path}: line {sentence.numbers[0]}", found, f"{width}, as named")
        if is_numbered and not named and len(sentence.columns[0]) == 2:
            place = f"{path}: line {sentence.numbers[0]}"
            raise input_error(place, "two columns, the first of which numbers the rows", "a word and its tag")
        if sentence.n_begun:
            n_begun, begins = n_begun + sentence.n_begun, ""
        kept = list(zip(sentence.numbers, sentence.columns, strict=True))
        if is_numbered:
            kept = [(number, columns) for number, columns in kept if not _NOT_A_WORD.fullmatch(columns[0])]
        if not kept:
            continue
        seen.add(kept)
        places = tuple(f"{path}: line {number}" for number, _ in kept)
        words = [columns[word] for _, columns in kept]
        tags = [_tag(columns, tag, key, is_named=named is not None) for _, columns in kept]
        if "" in (stripped := [word.strip() for word in words]):
            column = ("first", "second")[word] if word < 2 else f"{word + 1}th"
            raise input_error(places[stripped.index("")], f"no word in the {column} column", "a word")
        begins = begins or hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]
        document = f"{n_begun} {begins}" if has_documents else None
        fields = {name: _one_value(name, places, [columns[at] for _, columns in kept]) for name, at in others}
        found_fields = {name: value for name, value in fields.items() if value}
        yield places[0], {"words": words, "tags": tags, "places": places, "document": document, "fields": found_fields}
    if not named and (found := seen.fault()):
        expected = "a word there, or header: [NAME, ...] and columns: {words: NAME, tags: NAME}"
        raise input_error(f"{path}: line {seen.first}", f"{found} in column {word + 1} of {seen.width}", expected)


def _one_value(name: str, places: Sequence[str], values: Sequence[str]) -> str:
    """Return the value that all words of a sentence have in a column; empty for ``_``.

    Raises
    ------
    InputError
        If a word has another value than the first one.
    """
    if other := next((place for place, value in zip(places, values, strict=True) if value != values[0]), ""):
        raise input_error(other, f"another {name} than in {places[0].rpartition(': ')[2]}", f"one {name} per sentence")
    return "" if values[0] == "_" else values[0]


def _columns(line: str) -> list[str]:
    """Return the columns of a line; other white space, such as U+00A0, is part of a word."""
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
    """Return whether a line before a sentence is a CoNLL-U comment, not the word ``#``."""
    if not _COMMENT.match(line):
        return False
    has_tag = TAG.fullmatch(columns[-1]) is not None
    return not (has_tag and all(len(_columns(other)) == len(columns) for other in following))


def _has_row_numbers(sentences: Iterable[_Lines]) -> bool:
    """Return whether the first column counts the rows, of each sentence or of the file."""
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
