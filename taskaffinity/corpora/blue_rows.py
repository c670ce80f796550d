"""Rows of BLUE's own files, one reader a kind of task: ``(path, split, task, notes)`` -> ``(where, row)``, in order.

Relations and pairs have a header (``tasks/tsv.py`` has the quoting). Columns are found by name, so that both orders of
MedNLI will do: ``index, sentence, label``; ``index, sentence1, sentence2, label``, also ``s1, s2``. ClinicalSTS has the
columns of STS-B; where ``sentence1, sentence2, score`` are not among their names, they are the last three of more than
eight.

Tagged sentences have no header: ``token, document, offset, tag``, the document on the first word of a sentence and
``-`` on the others, a blank line between sentences. Tags are ``B I O`` with or without a type. ``X``, ``CLS`` and
``SEP``, which mark word pieces, become ``O``. An ``I`` that follows no mention becomes ``B``: the paper's scorer reads
a mention in parts, ``B O I``, as two, and the rest of one that BLUE's splitter cut as one of its own.

Text, sentences and masks are BLUE's, but for white space, of which a run is one blank. Ids are those of the original
distribution, where BLUE's tell. DDI's one pair without a type, ``DDI-None``, is left out as it is there. ``notes``
counts what was changed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from taskaffinity.corpora.original import premise_id
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.registry import ListedTask
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Example, Kind, Split
from taskaffinity.tasks.tsv import read_table, unquoted

REPAIRED = "inside_tags_made_begin"
"""The note that counts them, followed by ``_`` and the split."""

Located = Iterator[tuple[str, Row]]

_INDICES = {
    "chemprot": re.compile(r"(?P<document>\d+)\.T\d+\.T\d+"),
    "ddi2013-type": re.compile(r"(?P<document>.+)\.s\d+\.p\d+"),
    "i2b2-2010-re": re.compile(r"(?P<document>.+)\.(?P=document)\.con(\.l\d+)\.(?P=document)\.con(\.l\d+)"),
}
_OTHER_NAMES = {"sentence1": "s1", "sentence2": "s2"}
_STS_COLUMNS = ("sentence1", "sentence2", "score")
_STS_WIDTH = 8
_NER_COLUMNS = "4: token, document, offset, tag"
_PIECES = ("X", "CLS", "SEP")
_UNTYPED = "DDI-None"


def _relations(path: Path, split: Split, task: ListedTask, notes: Counter[str]) -> Located:
    header, rows = read_table(path)
    at = _places(path, header, ("index", "sentence", "label"))
    for where, fields in rows:
        index, text, said = (_blank_runs(fields[i]) for i in at)
        if task.name == "ddi2013-type" and said.casefold() == _UNTYPED.casefold():
            notes["positive_pairs_without_a_type_left_out"] += 1
            continue
        found = _INDICES[task.name].fullmatch(index)
        document = found["document"] if found else ""
        if found and len(found.groups()) == 3:
            index = f"{document}{found[2]}{found[3]}"
        _check_text(where, index=index, sentence=text)
        yield where, Row(Example(index, _label(where, said, task), text, document=document))


def _inferences(path: Path, split: Split, task: ListedTask, notes: Counter[str]) -> Located:
    header, rows = read_table(path)
    at = _places(path, header, ("index", "sentence1", "sentence2", "label"))
    for where, fields in rows:
        index, first, second, said = (_blank_runs(fields[i]) for i in at)
        _check_text(where, index=index, sentence1=first, sentence2=second)
        yield where, Row(Example(index, _label(where, said, task), first, second, document=premise_id(first)))


def _similarities(path: Path, split: Split, task: ListedTask, notes: Counter[str]) -> Located:
    header, rows = read_table(path)
    names = [name.casefold() for name in header]
    is_named = set(_STS_COLUMNS) <= set(names)
    if not is_named and (len(names) <= _STS_WIDTH or _score(names[-1]) is not None):
        expected = f"a header with {', '.join(_STS_COLUMNS)}, or of more than {_STS_WIDTH} columns, these last"
        raise input_error(f"{path}: line 1", f"{len(names)} columns without these names", expected)
    at = [names.index(name) for name in _STS_COLUMNS] if is_named else [-3, -2, -1]
    for number, (where, fields) in enumerate(rows, start=1):
        first, second, said = (_blank_runs(fields[i]) for i in at)
        index = fields[names.index("index")].strip() if "index" in names else str(number)
        _check_text(where, index=index, sentence1=first, sentence2=second)
        score = _score(said)
        if score is None:
            raise input_error(where, f"score {named(said, ())}", "a number from 0 to 5")
        yield where, Row(Example(f"{split}.{index}", score, first, second))  # each part counts its rows anew


def _sentences(path: Path, split: Split, task: ListedTask, notes: Counter[str]) -> Located:
    sentence: list[tuple[str, list[str]]] = []
    for number, line in enumerate([*read_lines(path)[0], ""], start=1):
        where = f"{path}: line {number}"
        if line.strip():
            fields = line.split("\t")
            if len(fields) != 4:
                raise input_error(where, f"{len(fields)} columns", f"{_NER_COLUMNS}; a blank line between sentences")
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
    for where, (token, named_document, said_offset, said_tag) in lines:
        word = unquoted(token) or token
        _check_text(where, token=word)
        if named_document.strip() not in ("-", "", document):
            found = f"document {shown(named_document)} within a sentence of {shown(document)}"
            raise input_error(where, found, "a blank line between sentences")
        if not said_offset.strip().isdecimal():
            raise input_error(where, f"offset {named(said_offset, ())}", "a whole number")
        before = _tag(where, said_tag.strip(), before, split, task, notes)
        words.append(word)
        tags.append(before)
        offsets.append((int(said_offset), int(said_offset) + len(word)))
    example = Example(f"{document}.{offsets[0][0]}", tuple(tags), words=tuple(words), document=document)
    return Row(example, tuple(offsets))


def _tag(where: str, said: str, before: str, split: Split, task: ListedTask, notes: Counter[str]) -> str:
    (kind,) = task.labels
    begin, inside = f"B-{kind}", f"I-{kind}"
    if said in _PIECES:
        notes["word_piece_tags_made_O"] += 1
        return "O"
    tag = {"O": "O", "B": begin, begin: begin, "I": inside, inside: inside}.get(said)
    if tag is None:
        legal = ("O", "B", "I", begin, inside)
        raise input_error(where, f"tag {named(said, legal)}", f"one of {', '.join((*legal, *_PIECES))}")
    if tag == inside and before == "O":
        notes[f"{REPAIRED}_{split}"] += 1
        return begin
    return tag


READERS: dict[Kind, Callable[[Path, Split, ListedTask, Counter[str]], Located]] = {
    "similarity": _similarities,
    "inference": _inferences,
    "relation": _relations,
    "ner": _sentences,
}


def _places(path: Path, header: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the columns stand."""
    names = [name.casefold() for name in header]
    places = []
    for name in wanted:
        own = [at for at, found in enumerate(names) if found in (name, _OTHER_NAMES.get(name))]
        if len(own) != 1:
            found = f"{'no' if not own else len(own)} column {name!r} among {len(names)}"
            raise input_error(f"{path}: line 1", found, f"a header with {', '.join(wanted)}, in any order")
        places.append(own[0])
    return places


def _label(where: str, said: str, task: ListedTask) -> str:
    """The task's own spelling: case does not count (spreadsheets write ``FALSE``), nor DDI's prefix on ``false``."""
    known = {label.casefold(): label for label in task.labels}
    if task.negative:
        known["false"] = task.negative
    if said.casefold() not in known:
        raise input_error(where, f"label {named(said, task.labels)}", f"one of {', '.join(task.labels)}")
    return known[said.casefold()]


def _score(said: str) -> float | None:
    try:
        score = float(said)
    except ValueError:
        score = math.nan
    return score if 0 <= score <= 5 else None


def _check_text(where: str, **fields: str) -> None:
    for name, text in fields.items():
        if not text.strip():
            raise input_error(where, f"an empty {name}", "some text")


def _blank_runs(text: str) -> str:
    return " ".join(text.split())
