"""Read rows from BLUE's released files, with one reader per kind of task.

A reader takes ``(path, split, task, notes)`` and yields ``(where, row)`` in the order of the file. ``notes`` counts
every change to the data.

* Relations and pairs: the file has a header (``tasks/tsv.py`` describes the quoting). Columns are matched by name, so
  both column orders of MedNLI are accepted: ``index, sentence, label`` or ``index, sentence1, sentence2, label``;
  ``s1`` and ``s2`` are also accepted. ClinicalSTS has the columns of STS-B. If none of them is named ``sentence1,
  sentence2, score``, the last three of more than eight columns are taken.
* Tagged sentences: the file has no header. A line is ``token, document, offset, tag``. The first word of a sentence has
  the document and the others have ``-``. A blank line separates sentences. Tags are ``B I O`` with or without a type.
  ``X``, ``CLS`` and ``SEP`` mark subword tokens and become ``O``. An ``I`` that does not follow a mention becomes
  ``B``, because the paper's scorer counts it as a new mention: ``B O I`` is two mentions. BLUE's sentence splitter also
  cuts some mentions in two.

Text, sentences and masks are those of BLUE; runs of white space become one blank. Ids are those of the original
distribution where BLUE's ids contain them. DDI has one pair without a type, ``DDI-None``; it is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from taskaffinity.corpora.original import premise_id
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.numbers import finite_number, whole_number
from taskaffinity.tasks.registry import ListedTask
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Example, Kind, Split
from taskaffinity.tasks.tsv import read_table, unquoted

REPAIRED_TAGS = "inside_tags_made_begin"
"""Name of the note that counts repaired tags; ``_`` and the split follow."""

LocatedRows = Iterator[tuple[str, Row]]

_INDICES = {
    "chemprot": re.compile(r"(?P<document>\d+)\.T\d+\.T\d+"),
    "ddi2013-type": re.compile(r"(?P<document>.+)\.s\d+\.p\d+"),
    "i2b2-2010-re": re.compile(r"(?P<document>.+)\.(?P=document)\.con(\.l\d+)\.(?P=document)\.con(\.l\d+)"),
}
_OTHER_NAMES = {"sentence1": "s1", "sentence2": "s2"}
_STS_COLUMNS = ("sentence1", "sentence2", "score")
_STS_WIDTH = 8
_NER_COLUMNS = "4: token, document, offset, tag"
_TOKENIZER_TAGS = ("X", "CLS", "SEP")
_UNTYPED = "DDI-None"


def _relations(path: Path, split: Split, task: ListedTask, notes: Counter[str]) -> LocatedRows:
    header, rows = read_table(path)
    at = _column_positions(path, header, ("index", "sentence", "label"))
    for where, fields in rows:
        index, text, value = (_collapse_spaces(fields[i]) for i in at)
        if task.name == "ddi2013-type" and value.casefold() == _UNTYPED.casefold():
            notes["positive_pairs_without_a_type_left_out"] += 1
            continue
        match = _INDICES[task.name].fullmatch(index)
        document = match["document"] if match else ""
        if match and len(match.groups()) == 3:
            index = f"{document}{match[2]}{match[3]}"
        _check_text(where, index=index, sentence=text)
        yield where, Row(Example(index, _label(where, value, task), text, document=document))


def _inferences(path: Path, split: Split, task: ListedTask, notes: Counter[str]) -> LocatedRows:
    header, rows = read_table(path)
    at = _column_positions(path, header, ("index", "sentence1", "sentence2", "label"))
    for where, fields in rows:
        index, first, second, value = (_collapse_spaces(fields[i]) for i in at)
        _check_text(where, index=index, sentence1=first, sentence2=second)
        yield where, Row(Example(index, _label(where, value, task), first, second, document=premise_id(first)))


def _similarities(path: Path, split: Split, task: ListedTask, notes: Counter[str]) -> LocatedRows:
    header, rows = read_table(path)
    names = [name.casefold() for name in header]
    is_named = set(_STS_COLUMNS) <= set(names)
    if not is_named and (len(names) <= _STS_WIDTH or _score(names[-1]) is not None):
        expected = f"a header with {', '.join(_STS_COLUMNS)}, or more than {_STS_WIDTH} columns with these last"
        raise input_error(f"{path}: line 1", f"{len(names)} columns without these names", expected)
    at = [names.index(name) for name in _STS_COLUMNS] if is_named else [-3, -2, -1]
    for number, (where, fields) in enumerate(rows, start=1):
        first, second, value = (_collapse_spaces(fields[i]) for i in at)
        index = fields[names.index("index")].strip() if "index" in names else str(number)
        _check_text(where, index=index, sentence1=first, sentence2=second)
        score = _score(value)
        if score is None:
            raise input_error(where, f"score {named(value, ())}", "a number from 0 to 5")
        yield where, Row(Example(f"{split}.{index}", score, first, second))  # row numbers restart in each split


def _sentences(path: Path, split: Split, task: ListedTask, notes: Counter[str]) -> LocatedRows:
    sentence: list[tuple[str, list[str]]] = []
    for number, line in enumerate([*read_lines(path)[0], ""], start=1):
        where = f"{path}: line {number}"
        if line.strip():
            fields = line.split("\t")
            if len(fields) != 4:
                raise input_error(
                    where, how_many(len(fields), "column"), f"{_NER_COLUMNS}; a blank line between sentences"
                )
            sentence.append((where, fields))
        elif sentence:
            yield sentence[0][0], _sentence(sentence, split, task, notes)
            sentence = []


def _sentence(lines: Sequence[tuple[str, list[str]]], split: Split, task: ListedTask, notes: Counter[str]) -> Row:
    document = lines[0][1][1].strip()
    if document in ("", "-"):
        raise input_error(
            lines[0][0], "no document on the first word of a sentence", f"its id; columns are {_NER_COLUMNS}"
        )
    words, tags, offsets = [], [], []
    before = "O"
    for where, (token, document_text, offset_text, tag_text) in lines:
        word = unquoted(token) or token
        _check_text(where, token=word)
        if document_text.strip() not in ("-", "", document):
            found = f"document {shown(document_text)} within a sentence of {shown(document)}"
            raise input_error(where, found, "a blank line between sentences")
        offset = whole_number(offset_text.strip())
        if offset is None:
            raise input_error(where, f"offset {named(offset_text, ())}", "a whole number")
        before = _tag(where, tag_text.strip(), before, split, task, notes)
        words.append(word)
        tags.append(before)
        offsets.append((offset, offset + len(word)))
    example = Example(f"{document}.{offsets[0][0]}", tuple(tags), words=tuple(words), document=document)
    return Row(example, tuple(offsets))


def _tag(where: str, value: str, before: str, split: Split, task: ListedTask, notes: Counter[str]) -> str:
    (kind,) = task.labels
    begin, inside = f"B-{kind}", f"I-{kind}"
    if value in _TOKENIZER_TAGS:
        notes["subword_tags_read_as_O"] += 1
        return "O"
    tag = {"O": "O", "B": begin, begin: begin, "I": inside, inside: inside}.get(value)
    if tag is None:
        legal = ("O", "B", "I", begin, inside)
        raise input_error(where, f"tag {named(value, legal)}", f"one of {', '.join((*legal, *_TOKENIZER_TAGS))}")
    if tag == inside and before == "O":
        notes[f"{REPAIRED_TAGS}_{split}"] += 1
        return begin
    return tag


READERS: dict[Kind, Callable[[Path, Split, ListedTask, Counter[str]], LocatedRows]] = {
    "similarity": _similarities,
    "inference": _inferences,
    "relation": _relations,
    "ner": _sentences,
}


def _column_positions(path: Path, header: Sequence[str], required: Sequence[str]) -> list[int]:
    """Return the positions of the required columns in the header."""
    names = [name.casefold() for name in header]
    positions = []
    for name in required:
        matching = [at for at, column in enumerate(names) if column in (name, _OTHER_NAMES.get(name))]
        if len(matching) != 1:
            found = f"{len(matching) or 'no'} column {name!r} among {len(names)}"
            raise input_error(f"{path}: line 1", found, f"a header with {', '.join(required)}, in any order")
        positions.append(matching[0])
    return positions


def _label(where: str, value: str, task: ListedTask) -> str:
    """Return the label in the task's spelling.

    Case is ignored, because spreadsheets write ``FALSE``. ``false`` without DDI's prefix is the negative class.
    """
    known = {label.casefold(): label for label in task.labels}
    if task.negative:
        known["false"] = task.negative
    if value.casefold() not in known:
        raise input_error(where, f"label {named(value, task.labels)}", f"one of {', '.join(task.labels)}")
    return known[value.casefold()]


def _score(value: str) -> float | None:
    score = finite_number(value)
    return score if score is not None and 0 <= score <= 5 else None


def _check_text(where: str, **fields: str) -> None:
    for name, text in fields.items():
        if not text.strip():
            raise input_error(where, f"an empty {name}", "some text")


def _collapse_spaces(text: str) -> str:
    return " ".join(text.split())
