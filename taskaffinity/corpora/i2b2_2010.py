"""i2b2/VA 2010, concepts and relations: the task ``i2b2-2010-re``.

The corpus has clinical records with problems, treatments and tests, and the relations between them. A record is three
files with one stem. The text has one sentence per line, with words separated by blanks. A line of the concept file is
``c="<text>" 3:7 3:8||t="problem"``: lines are counted from 1, words from 0, and the last word is included. A line of
the relation file is ``c="<text>" 3:5 3:5||r="TrAP"||c="<text>" 3:7 3:8``; both arguments are concepts of one line.
Assertions are not used.

A row is a pair of concepts in one line, with the relation or ``false``. All pairs are rows, whatever their types. A
pair with two relations becomes two rows, and the id of the second ends in ``#2``. Ids are ``<record>.l<i>.l<j>``, where
i and j are lines of the concept file.

The training part is the records of Beth Israel and Partners. There is no official dev part. Ours is whole records,
chosen by a hash of their ids. BLUE's dev part is a single record, because of an error in reading its list. To use it,
give a list that holds only the last id of BLUE's list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from taskaffinity.corpora.choices import DEFAULTS, Choices, is_hash_below, listed_dev_ids
from taskaffinity.corpora.original import ConvertedTask, locate
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.standoff.masking import Argument, masked, overlap
from taskaffinity.tasks.standoff.offsets import numbered_lines
from taskaffinity.tasks.standoff.sentences import Span
from taskaffinity.tasks.task import Example, Split

TYPES = ("problem", "treatment", "test")
CLASSES = ("PIP", "TeCP", "TeRP", "TrAP", "TrCP", "TrIP", "TrNAP", "TrWP")
DEV_SHARE = 0.1
LICENCE = "n2c2 data use agreement: not to be shared"

_TRAIN, _TEST = "concept_assertion_relation_training_data", "reference_standard_for_test_data"
_REQUIRED = {
    f"{site} {role}": [f"{_TRAIN}/{site}/{name}" for name in names]
    for site in ("beth", "partners")
    for role, names in (("text", ["txt"]), ("concepts", ["concept", "concepts"]), ("relations", ["rel"]))
} | {
    "test text": ["test_data", f"{_TEST}/txt"],
    "test concepts": [f"{_TEST}/concepts", f"{_TEST}/concept"],
    "test relations": [f"{_TEST}/rel"],
}
_BELOW = ("i2b2-2010-re", "i2b2_2010", "i2b2")

_MENTION = r'c="(.*)" ([0-9]{1,18}):([0-9]{1,18}) ([0-9]{1,18}):([0-9]{1,18})'
_CONCEPT = re.compile(rf'{_MENTION}\|\|t="([^"]*)"')
_RELATION = re.compile(rf'{_MENTION}\|\|r="([^"]*)"\|\|{_MENTION}')
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Concept:
    """A concept: its type, its line in the concept file, and its offsets in the text."""

    kind: str
    number: int
    """Line of the concept file, from 1."""
    line: int
    """Line of the text, from 1."""
    span: Span
    """Characters of that line, end exclusive."""


def convert(raw: Path, choices: Choices = DEFAULTS) -> list[ConvertedTask]:
    """Convert the corpus.

    Raises
    ------
    InputError
        If a folder or file is missing, or a line does not match the format in the module's docstring.
    """
    folders = locate(raw, _REQUIRED, _BELOW)
    notes: Counter[str] = Counter(concepts_twice=0, pairs_with_two_relations=0)
    parts = {part: _records(part, folders, notes) for part in ("beth", "partners", "test")}
    given = parts["beth"] | parts["partners"]
    if twice := sorted(parts["beth"].keys() & parts["partners"].keys()):
        raise input_error(folders["partners text"], f"record {shown(twice[0])} twice", "each record once")
    dev = (
        listed_dev_ids(choices.dev_ids, given)
        if choices.dev_ids
        else {name for name in given if is_hash_below(name, DEV_SHARE)}
    )
    splits: dict[Split, list[Row]] = {
        "train": [row for name, rows in given.items() if name not in dev for row in rows],
        "dev": [row for name, rows in given.items() if name in dev for row in rows],
        "test": [row for rows in parts["test"].values() for row in rows],
    }
    rule = f"records where the first 8 bytes of sha256(record), as a big-endian number, are below {DEV_SHARE} * 2**64"
    card = TaskCard(
        kind="relation",
        labels=(*CLASSES, "false"),
        negative="false",
        title="i2b2 2010",
        source="i2b2/VA 2010 relations, Beth Israel and Partners; n2c2 data portal (Uzuner et al. 2011)",
        licence=LICENCE,
        split=f"official test; dev: {'a list of records' if choices.dev_ids else rule}; train: the others",
        notes={**dict(sorted(notes.items())), "dev_records": len(dev), "train_records": len(given) - len(dev)},
    )
    return [ConvertedTask("i2b2-2010-re", card, splits)]


def _records(part: str, folders: dict[str, Path], notes: Counter[str]) -> dict[str, list[Row]]:
    texts = sorted(folders[f"{part} text"].glob("*.txt"))
    if not texts:
        raise input_error(folders[f"{part} text"], "no .txt file", "the records of this part")
    return {
        path.stem: list(
            _rows(
                path,
                folders[f"{part} concepts"] / f"{path.stem}.con",
                folders[f"{part} relations"] / f"{path.stem}.rel",
                notes,
            )
        )
        for path in texts
    }


def _rows(text: Path, concepts: Path, relations: Path, notes: Counter[str]) -> Iterator[Row]:
    lines, _ = read_lines(text)
    found = _concepts(concepts, lines, notes)
    classes = _relations(relations, lines, found)
    for first, second in combinations(found, 2):
        if first.line != second.line:
            continue
        one, other = (Argument(concept.kind, (concept.span,)) for concept in (first, second))
        labels = classes.get(frozenset((first, second)), ["false"])
        notes["pairs_with_two_relations"] += len(labels) > 1
        notes["rows_with_one_joint_mask"] += len(labels) * overlap(one, other)
        line = lines[first.line - 1]
        for nth, label in enumerate(labels, start=1):
            name = f"{text.stem}.l{first.number}.l{second.number}" + (f"#{nth}" if nth > 1 else "")
            example = Example(name, label, masked(line, (0, len(line)), one, other), document=text.stem)
            start = sum(len(before) + 1 for before in lines[: first.line - 1])
            yield Row(example, tuple(((start + s, start + e),) for s, e in (first.span, second.span)))


def _concepts(path: Path, lines: Sequence[str], notes: Counter[str]) -> list[Concept]:
    found: list[Concept] = []
    for where, number, entry in numbered_lines(path):
        match = _CONCEPT.fullmatch(entry)
        if match is None:
            raise input_error(
                where, f"a line of {len(entry)} characters that is not a concept", 'c="..." 3:5 3:6||t="problem"'
            )
        if match[6] not in TYPES:
            raise input_error(where, f"type {named(match[6], TYPES)}", f"one of {', '.join(TYPES)}")
        line, span = _locate_mention(where, match.groups()[:5], lines)
        concept = Concept(match[6], number, line, span)
        if any((c.kind, c.line, c.span) == (concept.kind, line, span) for c in found):
            notes["concepts_twice"] += 1
        else:
            found.append(concept)
    return found


def _relations(path: Path, lines: Sequence[str], concepts: Sequence[Concept]) -> dict[frozenset[Concept], list[str]]:
    classes: dict[frozenset[Concept], list[str]] = {}
    for where, _, entry in numbered_lines(path):
        match = _RELATION.fullmatch(entry)
        if match is None:
            found = f"a line of {len(entry)} characters that is not a relation"
            raise input_error(where, found, 'c="..." 3:5 3:5||r="TrAP"||c="..." 3:7 3:8')
        label = match[6]
        if label not in CLASSES:
            raise input_error(where, f"relation {named(label, CLASSES)}", f"one of {', '.join(CLASSES)}")
        kind = {"P": "problem", "Te": "test", "Tr": "treatment"}["P" if label == "PIP" else label[:2]]
        ends = (
            _find_concept(where, _locate_mention(where, match.groups()[:5], lines), kind, concepts),
            _find_concept(where, _locate_mention(where, match.groups()[6:], lines), "problem", concepts),
        )
        if ends[0].line != ends[1].line or ends[0] == ends[1]:
            raise input_error(
                where, f"arguments in lines {ends[0].line} and {ends[1].line}", "two concepts of one line"
            )
        labels = classes.setdefault(frozenset(ends), [])
        if label not in labels:
            labels.append(label)
    return classes


def _find_concept(where: str, place: tuple[int, Span], kind: str, concepts: Sequence[Concept]) -> Concept:
    """Return the concept at a position.

    If there are two, it is the one of the type that the relation requires.
    """
    candidates = [concept for concept in concepts if (concept.line, concept.span) == place]
    if not candidates:
        raise input_error(
            where,
            f"an argument in line {place[0]} that is not a concept",
            "the place of a concept of the .con file",
        )
    return next((concept for concept in candidates if concept.kind == kind), candidates[0])


def _locate_mention(where: str, fields: Sequence[str], lines: Sequence[str]) -> tuple[int, Span]:
    """Return the line and offsets of a mention, checked against the annotation's text."""
    mention_text = fields[0]
    first_line, first, last_line, last = (int(field) for field in fields[1:])
    if first_line != last_line or not 1 <= first_line <= len(lines):
        raise input_error(where, f"lines {first_line} and {last_line}", f"one line from 1 to {len(lines)}")
    line = lines[first_line - 1]
    words = [match.span() for match in _WORD.finditer(line)]
    # some annotation tools count an empty word 0 in a line that starts with a blank
    for shift in (0, 1) if line[:1].isspace() else (0,):
        if 0 <= first - shift <= last - shift < len(words):
            span = words[first - shift][0], words[last - shift][1]
            if line[slice(*span)].lower().split() == mention_text.lower().split():
                return first_line, span
    raise input_error(
        where,
        f"a mention of {len(mention_text)} characters that is not at words {first} to {last} of line {first_line}",
        "words counted from 0 between blanks; was the text changed?",
    )
