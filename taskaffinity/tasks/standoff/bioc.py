"""Read passages of BioC files, in XML or JSON, with the mentions in them.

Offsets of mentions count from the beginning of the document; a passage gives its own offset. Mentions are in passages
or in their sentences. Relations are not read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.lines import parse_line, read_lines
from taskaffinity.tasks.standoff.offsets import check_inside, offset_error, xml_root
from taskaffinity.tasks.standoff.sentences import Span

_EXPECTED = "a BioC collection: documents of passages"


@dataclass(frozen=True)
class Passage:
    """A text of a document, and its mentions."""

    where: str
    """File and document."""
    document: str
    offset: int
    """Characters of the document before the passage."""
    text: str = field(repr=False)
    mentions: tuple[tuple[str, tuple[Span, ...]], ...]
    """Type and parts of each mention, counted from the beginning of the passage."""


def read_bioc(path: Path, encoding: str = "") -> Iterator[Passage]:
    """Yield the passages of a file that have a text.

    Raises
    ------
    InputError
        If the file is no BioC, or a mention has no type or is not at its offsets.
    """
    content = "\n".join(read_lines(path, encoding=encoding)[0]).lstrip()
    documents = _json_documents(path, content) if content.startswith("{") else _xml_documents(xml_root(path))
    for number, (name, passages) in enumerate(documents, start=1):
        where = f"{path}: document {shown(name) if name else number}"
        if not name:
            raise input_error(where, "no id", "an id for each document")
        for offset, text, marked in passages:
            if text.strip():
                start = _number(where, offset)
                mentions = tuple(_mention(where, start, text, *annotation) for annotation in marked)
                yield Passage(where, name, start, text, mentions)


_Annotation = tuple[object, object, list[tuple[object, object]]]
"""Type, text, and offset and length of each part."""
_Documents = Iterator[tuple[str, list[tuple[object, str, list[_Annotation]]]]]


def _mention(
    where: str, start: int, text: str, kind: object, written: object, locations: list[tuple[object, object]]
) -> tuple[str, tuple[Span, ...]]:
    if not isinstance(kind, str) or not kind:
        raise input_error(where, "a mention without a type", "infon key='type' in each annotation")
    parts = []
    for offset, length in locations:
        first = _number(where, offset) - start
        check_inside(where, text, (first, first + _number(where, length)))
        parts.append((first, first + _number(where, length)))
    if not parts:
        raise input_error(where, "a mention without a location", "a location in each annotation")
    parts.sort()
    if isinstance(written, str) and written and len(parts) == 1 and text[slice(*parts[0])].split() != written.split():
        raise offset_error(where, f"{parts[0][0] + start}-{parts[0][1] + start}", len(written))
    return kind, tuple(parts)


def _number(where: str, value: object) -> int:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal() and len(value) < 18:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise input_error(where, f"{named(value, ())} as an offset or a length", "a whole number")
    return value


def _xml_documents(root: ET.Element) -> _Documents:
    for document in root.iter("document"):
        passages = []
        for passage in document.iter("passage"):
            for part in passage.findall("sentence") or [passage]:
                annotations: list[_Annotation] = []
                for one in part.iter("annotation"):
                    kind = next((infon.text for infon in one.findall("infon") if infon.get("key") == "type"), None)
                    places = [(place.get("offset"), place.get("length")) for place in one.findall("location")]
                    annotations.append((kind, one.findtext("text"), list(places)))
                passages.append((part.findtext("offset"), part.findtext("text") or "", annotations))
        yield (document.findtext("id") or "").strip(), list(passages)


def _json_documents(path: Path, content: str) -> _Documents:
    parsed = parse_line(str(path), content, is_document=True)
    documents = parsed.get("documents") if isinstance(parsed, Mapping) else None
    if not isinstance(documents, list):
        raise input_error(path, "JSON without documents", _EXPECTED)
    for number, document in enumerate(documents, start=1):
        try:
            yield (
                str(document["id"]),
                [
                    (part["offset"], str(part["text"]), [_annotation(one) for one in part.get("annotations", [])])
                    for passage in document["passages"]
                    for part in passage.get("sentences") or [passage]
                ],
            )
            continue
        except (KeyError, TypeError, AttributeError):
            found = "another structure"
        raise input_error(f"{path}: document {number}", found, _EXPECTED)


def _annotation(one: Mapping[str, Any]) -> _Annotation:
    return one["infons"].get("type"), one.get("text"), [(part["offset"], part["length"]) for part in one["locations"]]
