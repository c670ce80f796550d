"""Read documents in BigBIO's schema for mentions (``bigbio_kb``): passages and entities with offsets in the document.

Relations, events and coreference are not read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from taskaffinity.errors import input_error, named
from taskaffinity.tasks.standoff.bioc import Passage
from taskaffinity.tasks.standoff.offsets import offset_error
from taskaffinity.tasks.standoff.sentences import Span

KEYS = ("document_id", "passages", "entities")


def is_bigbio(names: Collection[str]) -> bool:
    """Return whether data with these columns have BigBIO's schema for mentions."""
    return all(key in names for key in KEYS)


def bigbio_passages(where: str, row: Mapping[str, object]) -> Iterator[Passage]:
    """Yield the passages of a document, with the mentions in them.

    Raises
    ------
    InputError
        If a passage or an entity has another form, is not at its offsets, or an entity is in no passage.
    """
    name = row["document_id"]
    if not isinstance(name, str | int) or not str(name).strip():
        raise input_error(where, f"{named(name, ())} as document_id", "an id for each document")
    entities = [_entity(where, number, one) for number, one in _listed(where, row, "entities")]
    n_placed = 0
    for number, passage in _listed(where, row, "passages"):
        start, text = _text(where, number, passage)
        mentions = []
        for kind, parts, written in entities:
            if start <= parts[0][0] and parts[-1][1] <= start + len(text):
                here = tuple((first - start, end - start) for first, end in parts)
                if any(
                    text[first:end].split() != said.split() for (first, end), said in zip(here, written, strict=True)
                ):
                    raise offset_error(where, f"{parts[0][0]}-{parts[-1][1]}", sum(map(len, written)))
                mentions.append((kind, here))
        n_placed += len(mentions)
        if text.strip():
            yield Passage(where, str(name), start, text, tuple(mentions))
    if n_placed != len(entities):
        found = f"{len(entities)} entities, of which passages hold {n_placed}"
        raise input_error(where, found, "each entity in one passage")


def _listed(where: str, row: Mapping[str, object], key: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    value = row[key]
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise input_error(where, f"{named(value, ())} as {key}", "a list of objects")
    yield from enumerate(value, start=1)


def _text(where: str, number: int, passage: Mapping[str, object]) -> tuple[int, str]:
    """Return the offset of a passage and its text; between two parts there is white space."""
    spans, texts = _parts(f"{where}: passage {number}", passage)
    start, text = spans[0][0], ""
    for (first, end), piece in zip(spans, texts, strict=True):
        if len(piece) != end - first or first - start < len(text):
            raise offset_error(f"{where}: passage {number}", f"{first}-{end}", len(piece))
        text = text.ljust(first - start) + piece
    return start, text


def _entity(where: str, number: int, entity: Mapping[str, object]) -> tuple[str, tuple[Span, ...], Sequence[str]]:
    kind = entity.get("type")
    if not isinstance(kind, str) or not kind.strip():
        raise input_error(f"{where}: entity {number}", f"{named(kind, ())} as type", "the name of a type")
    spans, texts = _parts(f"{where}: entity {number}", entity)
    order = sorted(range(len(spans)), key=spans.__getitem__)
    return kind.strip(), tuple(spans[place] for place in order), [texts[place] for place in order]


def _parts(where: str, owner: Mapping[str, object]) -> tuple[list[Span], list[str]]:
    """Return the offsets and the texts of the parts of a passage or an entity."""
    offsets, texts = owner.get("offsets"), owner.get("text")
    spans = [
        (pair[0], pair[1])
        for pair in (offsets if isinstance(offsets, list) else [])
        if isinstance(pair, list)
        and len(pair) == 2
        and all(type(one) is int for one in pair)
        and 0 <= pair[0] < pair[1]
    ]
    is_whole = isinstance(texts, list) and all(isinstance(one, str) for one in texts)
    if not is_whole or not isinstance(texts, list) or not isinstance(offsets, list) or not spans:
        raise input_error(where, "no text with offsets", "text: [TEXT] and offsets: [[START, END]]")
    if not len(spans) == len(offsets) == len(texts):
        raise input_error(where, f"{len(texts)} texts and {len(spans)} offsets", "one pair of offsets per text")
    return spans, texts
