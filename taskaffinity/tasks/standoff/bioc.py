"""Read passages of BioC files, in XML or JSON, with the mentions in them.

Offsets of mentions count from the beginning of the document; a passage gives its own offset. Mentions are listed in a
sentence, in a passage (also beside its sentences) or in the document; each belongs to the text that holds its offsets.
Relations are not read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.lines import parse_line, read_lines
from taskaffinity.tasks.standoff.offsets import check_inside, check_mention, without_spaces, xml_root
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
    documents = (
        _json_documents(path, content) if content.startswith("{") else _xml_documents(path, xml_root(path, encoding))
    )
    for number, (name, passages) in enumerate(documents, start=1):
        where = f"{path}: document {shown(name) if name else number}"
        if not name:
            raise input_error(where, "no id", "an id for each document")
        for offset, text, marked in passages:
            if not text.strip() and marked:
                raise input_error(where, "mentions of a passage or sentence without a text", "a text with each mention")
            if text.strip():
                start = _number(where, offset)
                mentions = tuple(_mention(where, start, text, *annotation) for annotation in marked)
                yield Passage(where, name, start, text, mentions)


_Annotation = tuple[object, object, list[tuple[object, object]]]
"""Type, text, and offset and length of each part."""
_Part = tuple[object, str, list[_Annotation]]
"""Offset, text and mentions of a passage, or of a sentence of it."""
_Documents = Iterator[tuple[str, list[_Part]]]


def _parts(where: str, passage: _Part, sentences: list[_Part]) -> list[_Part]:
    """Return the sentences of a passage with its own mentions, or the passage if no sentence has a text.

    Raises
    ------
    InputError
        If the passage has a text that is not that of its sentences, or no sentence holds a mention.
    """
    whole = "".join(text for _, text, _ in sentences)
    if whole.strip():
        if passage[1].strip() and without_spaces(passage[1]) != without_spaces(whole):
            found = f"a passage of {len(passage[1])} characters whose sentences have {len(whole)} others"
            raise input_error(where, found, "sentences with the whole text of their passage, or none")
        return _placed(where, sentences, passage[2], "sentence")
    return [(*passage[:2], [*passage[2], *(one for sentence in sentences for one in sentence[2])])]


def _placed(where: str, parts: list[_Part], outer: list[_Annotation], of: str) -> list[_Part]:
    """Return the parts with the mentions that are listed outside of them.

    Parameters
    ----------
    outer
        Mentions of the passage of these sentences, or of the document of these passages.
    of
        What the parts are, for a message.

    Raises
    ------
    InputError
        If no part holds a mention.
    """
    if not outer:
        return parts
    starts = [_number(where, offset) if text.strip() else 0 for offset, text, _ in parts]
    found = [(offset, text, list(marked)) for offset, text, marked in parts]
    for annotation in outer:
        spans = [(_number(where, first), _number(where, length)) for first, length in annotation[2]]
        first, end = min((one for one, _ in spans), default=0), max((one + n for one, n in spans), default=0)
        holds = [start <= first and end <= start + len(part[1]) for start, part in zip(starts, parts, strict=True)]
        if not any(holds):
            raise input_error(where, f"a mention at {first}-{end} that no {of} holds", f"each mention within one {of}")
        found[holds.index(True)][2].append(annotation)
    return list(found)


def _mention(
    where: str, start: int, text: str, kind: object, written: object, locations: list[tuple[object, object]]
) -> tuple[str, tuple[Span, ...]]:
    if not isinstance(kind, str) or not kind:
        raise input_error(where, "a mention without a type", "infon key='type' in each annotation")
    parts = []
    for offset, length in locations:
        first = _number(where, offset) - start
        parts.append((first, first + _number(where, length)))
    if not parts:
        raise input_error(where, "a mention without a location", "a location in each annotation")
    parts.sort()
    if isinstance(written, str) and written and len(parts) == 1:
        check_mention(where, text, parts[0], written, start)
    for part in parts:
        check_inside(where, text, part)
    return kind, tuple(parts)


def _number(where: str, value: object) -> int:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal() and len(value) < 18:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise input_error(where, f"{named(value, ())} as an offset or a length", "a whole number")
    return value


def _xml_documents(path: Path, root: ET.Element) -> _Documents:
    for number, document in enumerate(root.iter("document"), start=1):
        passages: list[_Part] = []
        name = (document.findtext("id") or "").strip()
        where = f"{path}: document {shown(name) if name else number}"
        for passage in document.iter("passage"):
            passages += _parts(where, _xml_part(passage), [_xml_part(one) for one in passage.findall("sentence")])
        yield name, _placed(where, passages, _xml_part(document)[2], "passage")


def _xml_part(part: ET.Element) -> _Part:
    return part.findtext("offset"), part.findtext("text") or "", list(map(_xml_annotation, part.findall("annotation")))


def _xml_annotation(one: ET.Element) -> _Annotation:
    kind = next((infon.text for infon in one.findall("infon") if infon.get("key") == "type"), None)
    return kind, one.findtext("text"), [(place.get("offset"), place.get("length")) for place in one.findall("location")]


def _json_documents(path: Path, content: str) -> _Documents:
    parsed = parse_line(str(path), content, is_document=True)
    documents = parsed.get("documents") if isinstance(parsed, Mapping) else None
    if not isinstance(documents, list):
        raise input_error(path, "JSON without documents", _EXPECTED)
    for number, document in enumerate(documents, start=1):
        try:
            name = "" if document["id"] is None else str(document["id"])
            where = f"{path}: document {shown(name) if name else number}"
            passages: list[_Part] = []
            for passage in document["passages"]:
                sentences = [_json_part(sentence) for sentence in passage.get("sentences") or []]
                beside = {"offset": None, "text": None, **passage} if sentences else passage
                passages += _parts(where, _json_part(beside), sentences)
            yield name, _placed(where, passages, _annotations(document), "passage")
            continue
        except (KeyError, TypeError, AttributeError):
            found = "another structure"
        raise input_error(f"{path}: document {number}", found, _EXPECTED)


def _json_part(part: Mapping[str, Any]) -> _Part:
    return part["offset"], "" if part["text"] is None else str(part["text"]), _annotations(part)


def _annotations(owner: Mapping[str, Any]) -> list[_Annotation]:
    return [_annotation(one) for one in owner.get("annotations", [])]


def _annotation(one: Mapping[str, Any]) -> _Annotation:
    return one["infons"].get("type"), one.get("text"), [(part["offset"], part["length"]) for part in one["locations"]]
