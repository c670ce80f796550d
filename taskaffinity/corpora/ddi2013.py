"""DDI 2013 (DrugBank and MedLine) -> the task ``ddi2013-type``.

One XML file a document: ``document/sentence[@text]``, in it ``entity[@charOffset, @type]`` and ``pair[@e1, @e2, @ddi,
@type]``. ``charOffset`` is ``first-last``, the last character included; a discontinuous entity has several,
``a-b;c-d``. Sentences are the corpus's own; some hold line breaks.

A row is a pair, its label ``DDI-`` and the type of interaction, ``DDI-false`` where there is none. A pair that is said
to interact but has no type (one of the official corpus) is left out: neither a class nor ``false`` would be true.

There is no official dev part. Ours is whole documents of the official training part, by a hash of their ids
(``choices``); the user may list them instead.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from taskaffinity.corpora.choices import DEFAULTS, Choices, by_hash, chosen
from taskaffinity.corpora.masking import Argument, masked, overlap
from taskaffinity.corpora.original import Converted, attribute, check_inside, letters, locate, misplaced, xml_root
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Example, Split

ENTITY_TYPES = ("drug", "brand", "group", "drug_n")
LABELS = ("DDI-advise", "DDI-effect", "DDI-int", "DDI-mechanism", "DDI-false")
NEGATIVE = "DDI-false"
DEV_SHARE = 0.25
LICENCE = "CC BY-NC 4.0"

_SOURCES = ("DrugBank", "MedLine")
_TEST = "Test/Test for DDI Extraction task"
_NEEDED = {f"train {source}": [f"Train/{source}"] for source in _SOURCES} | {
    f"test {source}": [f"{_TEST}/{source}", f"Test/{source}"] for source in _SOURCES
}
_BELOW = ("ddi2013", "DDICorpus", "DDICorpus-2013")
_OFFSETS = re.compile(r"\d+-\d+(?:;\d+-\d+)*")


def convert(raw: Path, choices: Choices = DEFAULTS) -> list[Converted]:
    """The task.

    Raises
    ------
    InputError
        A folder that is missing or has no document, broken XML, or an element that is not as the module's docstring
        says: file and element id are named.
    """
    folders = locate(raw, _NEEDED, _BELOW)
    splits: dict[Split, list[Row]] = {"train": [], "dev": [], "test": []}
    notes: Counter[str] = Counter()
    seen: dict[str, Path] = {}
    documents: list[tuple[str, str, str, list[Row]]] = []
    for role, folder in folders.items():
        part, source = role.split()
        files = sorted(folder.glob("*.xml"))
        if not files:
            raise input_error(folder, "no .xml file", "the documents of this part")
        for path in files:
            document = _parse(path)
            name = attribute(str(path), document, "id")
            if name in seen:
                raise input_error(
                    path, f"document {shown(name)} again (first: {seen[name].name})", "each document once"
                )
            seen[name] = path
            documents.append((name, part, source, list(_document_rows(path, name, document, notes))))
    given = [name for name, part, _, _ in documents if part == "train"]
    dev = chosen(choices.dev_ids, given) if choices.dev_ids else {name for name in given if by_hash(name, DEV_SHARE)}
    for name, part, source, rows in documents:
        split: Split = "test" if part == "test" else "dev" if name in dev else "train"
        splits[split] += rows
        notes[f"{split}_documents_{source}"] += 1
        notes[f"{split}_positives_{source}"] += sum(row.example.label != NEGATIVE for row in rows)
    return [Converted("ddi2013-type", _card(notes, is_given=bool(choices.dev_ids)), splits)]


def _card(notes: Counter[str], *, is_given: bool) -> TaskCard:
    rule = (
        "dev where the first 8 bytes of "
        f"sha256(document id), as a big-endian number, are below {DEV_SHARE} * 2**64; train otherwise"
    )
    return TaskCard(
        kind="relation",
        labels=LABELS,
        negative=NEGATIVE,
        title="DDI",
        source="DDI corpus 2013, DrugBank and MedLine, DDI extraction task (Herrero-Zazo et al. 2013)",
        licence=LICENCE,
        split=(
            "official test; official training part cut by whole documents: "
            f"{'dev by a list of ids; train the others' if is_given else rule}"
        ),
        notes=dict(sorted(notes.items())),
    )


def _parse(path: Path) -> ET.Element:
    document = xml_root(path)
    if document.tag != "document":
        raise input_error(path, f"a root element {shown(document.tag)}", "document")
    return document


def _document_rows(path: Path, name: str, document: ET.Element, notes: Counter[str]) -> Iterator[Row]:
    for sentence in document.iter("sentence"):
        where = f"{path}: sentence {shown(attribute(f'{path}: a sentence of {name}', sentence, 'id'))}"
        text = attribute(where, sentence, "text", empty=True)
        arguments = {}
        for entity in sentence.iter("entity"):
            entity_id = attribute(where, entity, "id")
            arguments[entity_id] = _argument(f"{path}: entity {shown(entity_id)}", text, entity, notes)
        pairs = list(sentence.iter("pair"))
        notes["sentences_with_line_breaks"] += bool(pairs) and "\n" in text
        for pair in pairs:
            row = _pair_row(f"{path}: pair {shown(attribute(where, pair, 'id'))}", text, pair, arguments, notes)
            if row:
                yield Row(replace(row.example, document=name), row.offsets)


def _pair_row(
    where: str, text: str, pair: ET.Element, arguments: dict[str, Argument], notes: Counter[str]
) -> Row | None:
    ends = []
    for key in ("e1", "e2"):
        end = attribute(where, pair, key)
        if end not in arguments:
            raise input_error(where, f"{key} {shown(end)}", f"one of the {len(arguments)} entities of its sentence")
        ends.append(arguments[end])
    label = _label(where, pair)
    if label is None:
        notes["positive_pairs_without_a_type_left_out"] += 1
        return None
    first, second = ends
    notes["rows_with_a_discontinuous_argument"] += any(len(end.parts) > 1 for end in ends)
    notes["rows_with_one_joint_mask"] += overlap(first, second)
    notes["rows_with_arguments_in_reverse_order"] += second.hull < first.hull
    example = Example(attribute(where, pair, "id"), label, masked(text, (0, len(text)), first, second))
    return Row(example, (first.parts, second.parts))


def _label(where: str, pair: ET.Element) -> str | None:
    """The class; None for an interaction without a type."""
    interacts = attribute(where, pair, "ddi")
    if interacts not in ("true", "false"):
        raise input_error(where, f"ddi {shown(interacts)}", "true or false")
    if interacts == "false":
        return NEGATIVE
    kind = pair.get("type")
    if kind is None:
        return None
    if f"DDI-{kind}" not in LABELS[:-1]:
        raise input_error(
            where,
            f"type {shown(kind)}",
            f"one of {', '.join(label[4:] for label in LABELS[:-1])}",
        )
    return f"DDI-{kind}"


def _argument(where: str, text: str, entity: ET.Element, notes: Counter[str]) -> Argument:
    kind = attribute(where, entity, "type")
    if kind not in ENTITY_TYPES:
        raise input_error(where, f"type {shown(kind)}", f"one of {', '.join(ENTITY_TYPES)}")
    offsets = attribute(where, entity, "charOffset")
    if not _OFFSETS.fullmatch(offsets):
        raise input_error(where, f"charOffset {named(offsets, ())}", "first-last, or several with ';' between")
    parts = []
    for part in offsets.split(";"):
        first, last = map(int, part.split("-"))
        check_inside(where, text, (first, last + 1))
        parts.append((first, last + 1))
    said = attribute(where, entity, "text")
    for shift in (0, 1):  # one entity of the official corpus, DDI-DrugBank.d216.s16.e2, lies one character too early
        moved = tuple((start + shift, end + shift) for start, end in sorted(parts))
        if letters("".join(text[start:end] for start, end in moved)) == letters(said):
            notes["entities_moved_by_one_character"] += shift
            return Argument(kind, moved)
    raise misplaced(where, offsets, len(said))
