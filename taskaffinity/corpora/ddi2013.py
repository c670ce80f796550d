"""DDI 2013 (DrugBank and MedLine): the task ``ddi2013-type``.

The corpus has texts with drug mentions and the interactions between them. The input is one XML file per document. A
``document/sentence[@text]`` holds ``entity[@charOffset, @type]`` and ``pair[@e1, @e2, @ddi, @type]``. ``charOffset`` is
``first-last`` and includes the last character; a discontinuous entity has several: ``a-b;c-d``. The sentences are those
of the corpus; some contain line breaks.

A row is a pair. Its label is ``DDI-`` and the type of the interaction, or ``DDI-false`` if the drugs do not interact.
The official corpus has one pair that interacts but has no type; it is left out, because neither a class nor ``false``
is correct.

There is no official dev part. Ours is whole documents of the official training part, chosen by a hash of their ids
(``choices.py``). The user may give a list instead.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from taskaffinity.corpora.choices import DEFAULTS, Choices, is_hash_below, listed_dev_ids
from taskaffinity.corpora.original import ConvertedTask, attribute, locate
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.standoff.masking import Argument, masked, overlap
from taskaffinity.tasks.standoff.offsets import check_inside, offset_error, without_spaces, xml_root
from taskaffinity.tasks.task import Example, Split

ENTITY_TYPES = ("drug", "brand", "group", "drug_n")
LABELS = ("DDI-advise", "DDI-effect", "DDI-int", "DDI-mechanism", "DDI-false")
NEGATIVE = "DDI-false"
DEV_SHARE = 0.25
LICENCE = "CC BY-NC 4.0"

_SOURCES = ("DrugBank", "MedLine")
_TEST = "Test/Test for DDI Extraction task"
_REQUIRED = {f"train {source}": [f"Train/{source}"] for source in _SOURCES} | {
    f"test {source}": [f"{_TEST}/{source}", f"Test/{source}"] for source in _SOURCES
}
_BELOW = ("ddi2013", "DDICorpus", "DDICorpus-2013")
_OFFSETS = re.compile(r"[0-9]{1,18}-[0-9]{1,18}(?:;[0-9]{1,18}-[0-9]{1,18})*")


def convert(raw: Path, choices: Choices = DEFAULTS) -> list[ConvertedTask]:
    """Convert the corpus.

    Raises
    ------
    InputError
        If a folder is missing or has no document, XML is broken, or an element does not match the format in the
        module's docstring. The message names the file and the element id.
    """
    folders = locate(raw, _REQUIRED, _BELOW)
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
                    path, f"a second document {shown(name)} (first: {seen[name].name})", "each document once"
                )
            seen[name] = path
            documents.append((name, part, source, list(_document_rows(path, name, document, notes))))
    given = [name for name, part, _, _ in documents if part == "train"]
    dev = (
        listed_dev_ids(choices.dev_ids, given)
        if choices.dev_ids
        else {name for name in given if is_hash_below(name, DEV_SHARE)}
    )
    for name, part, source, rows in documents:
        split: Split = "test" if part == "test" else "dev" if name in dev else "train"
        splits[split] += rows
        notes[f"{split}_documents_{source}"] += 1
        notes[f"{split}_positives_{source}"] += sum(row.example.label != NEGATIVE for row in rows)
    return [ConvertedTask("ddi2013-type", _card(notes, is_given=bool(choices.dev_ids)), splits)]


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
    """The class of a pair; None for an interaction without a type."""
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
    mention_text = attribute(where, entity, "text")
    for shift in (0, 1):  # the offsets of DDI-DrugBank.d216.s16.e2 are one character too low
        moved = tuple((start + shift, end + shift) for start, end in sorted(parts))
        if without_spaces("".join(text[start:end] for start, end in moved)) == without_spaces(mention_text):
            notes["entities_moved_by_one_character"] += shift
            return Argument(kind, moved)
    raise offset_error(where, offsets, len(mention_text))
