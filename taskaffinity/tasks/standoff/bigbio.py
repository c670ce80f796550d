"""Read documents in BigBIO's schema for mentions and relations (``bigbio_kb``): passages and entities with offsets.

Offsets count the characters of the document. Events and coreference are not read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from taskaffinity.errors import has_controls, input_error, named, shown
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.kinds import Kind
from taskaffinity.tasks.standoff.bioc import Passage
from taskaffinity.tasks.standoff.brat import Document, Mention, Relation
from taskaffinity.tasks.standoff.offsets import offset_error
from taskaffinity.tasks.standoff.sentences import Span, sentence_spans

_KEYS = ("document_id", "passages", "entities")
_WIDEST = 1_000_000
"""Characters between two passages, or between two parts of a passage, that are only white space."""
_Placed = tuple[int, str, tuple[Span, ...]]
"""Number of an entity, its type and its parts."""


def keys_of(kind: Kind) -> tuple[str, ...]:
    """Return the keys of a document that a kind of task reads."""
    return (*_KEYS, "relations") if kind == "relation" else _KEYS


def is_bigbio(names: Collection[str], kind: Kind) -> bool:
    """Return whether data with these columns have BigBIO's schema, with all that a kind of task reads."""
    return all(key in names for key in keys_of(kind))


def bigbio_passages(where: str, row: Mapping[str, object]) -> Iterator[Passage]:
    """Yield the passages of a document, with the mentions in them.

    Raises
    ------
    InputError
        If a passage or an entity has another form, is not at its offsets, or an entity is in no passage.
    """
    name = _name(where, row)
    for start, text, placed in _passages(where, row):
        mentions = [(kind, tuple((first - start, end - start) for first, end in parts)) for _, kind, parts in placed]
        if text.strip():
            yield Passage(where, name, start, text, tuple(mentions))


def bigbio_document(where: str, row: Mapping[str, object]) -> tuple[Document, list[Span]]:
    """Return a document with its mentions and relations, and its sentences; no sentence crosses two passages.

    Between two passages the text has white space.

    Raises
    ------
    InputError
        As ``bigbio_passages``; if passages overlap, two entities have one id, or a relation is of no entity.
    """
    passages = sorted(_passages(where, row), key=lambda passage: passage[0])
    base, text = passages[0][0] if passages else 0, ""
    sentences: list[Span] = []
    placed: list[tuple[int, Mention]] = []
    ids = [_id(f"{where}: entity {number}", one) for number, one in _listed(where, row, "entities")]
    if len(set(ids)) < len(ids):
        raise input_error(where, "two entities with one id", "each id once")
    for start, passage, entities in passages:
        if start - base < len(text):
            raise input_error(where, f"two passages at {start}", "passages that do not overlap")
        if start - base > len(text) + _WIDEST:
            raise input_error(where, f"nothing between {base + len(text)} and {start}", "passages of one document")
        text = text.ljust(start - base) + passage
        sentences += [(first + start - base, end + start - base) for first, end in sentence_spans(passage)]
        for number, kind, parts in entities:
            here = tuple((first - base, end - base) for first, end in parts)
            placed.append((number, Mention(ids[number - 1], kind, here)))
    known = {mention.name: mention for _, mention in placed}
    in_order = [mention for _, mention in sorted(placed, key=lambda one: (one[1].hull, one[0]))]
    relations = [_relation(where, number, one, known) for number, one in _listed(where, row, "relations")]
    return Document(_name(where, row), text, tuple(in_order), tuple(relations)), sentences


def _relation(where: str, number: int, relation: Mapping[str, object], known: Mapping[str, Mention]) -> Relation:
    place = f"{where}: relation {number}"
    kind = _type(place, relation)
    found = []
    for key in ("arg1_id", "arg2_id"):
        name = relation.get(key)
        if not isinstance(name, str) or name not in known:
            raise input_error(place, f"{shown(name)} as {key}", "the id of an entity; events are not read")
        found.append(known[name])
    first, second = found
    if first == second:
        raise input_error(place, "a relation of an entity with itself", "two entities")
    return Relation(place, kind, first, second)


def _name(where: str, row: Mapping[str, object]) -> str:
    name = row["document_id"]
    if not isinstance(name, str | int) or not str(name).strip():
        raise input_error(where, f"{named(name, ())} as document_id", "an id for each document")
    return str(name)


def _id(where: str, owner: Mapping[str, object]) -> str:
    name = owner.get("id")
    if not isinstance(name, str) or not name.strip():
        raise input_error(where, f"{named(name, ())} as id", "an id, to which relations refer")
    return name


def _type(where: str, owner: Mapping[str, object]) -> str:
    kind = owner.get("type")
    if not isinstance(kind, str) or not kind.strip():
        raise input_error(where, f"{named(kind, ())} as type", "the name of a type")
    if has_controls(kind):
        raise input_error(where, "a type with a control character", "printable characters")
    return kind.strip()


def _passages(where: str, row: Mapping[str, object]) -> Iterator[tuple[int, str, list[_Placed]]]:
    """Yield the offset and the text of each passage, and the entities in it with their offsets in the document."""
    entities = [_entity(where, number, one) for number, one in _listed(where, row, "entities")]
    n_placed = 0
    for number, passage in _listed(where, row, "passages"):
        start, text = _text(where, number, passage)
        placed: list[_Placed] = []
        for place, (kind, parts, written) in enumerate(entities, start=1):
            if start <= parts[0][0] and parts[-1][1] <= start + len(text):
                if any(
                    text[first - start : end - start].split() != said.split()
                    for (first, end), said in zip(parts, written, strict=True)
                ):
                    raise offset_error(where, f"{parts[0][0]}-{parts[-1][1]}", sum(map(len, written)))
                placed.append((place, kind, parts))
        n_placed += len(placed)
        yield start, text, placed
    if n_placed != len(entities):
        found = f"{how_many(len(entities), '<entity|entities>')}, of which passages hold {n_placed}"
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
        if len(piece) != end - first or not len(text) <= first - start <= len(text) + _WIDEST:
            raise offset_error(f"{where}: passage {number}", f"{first}-{end}", len(piece))
        text = text.ljust(first - start) + piece
    return start, text


def _entity(where: str, number: int, entity: Mapping[str, object]) -> tuple[str, tuple[Span, ...], Sequence[str]]:
    kind = _type(f"{where}: entity {number}", entity)
    spans, texts = _parts(f"{where}: entity {number}", entity)
    order = sorted(range(len(spans)), key=spans.__getitem__)
    return kind, tuple(spans[place] for place in order), [texts[place] for place in order]


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
        found = f"{how_many(len(texts), 'text')} and {how_many(len(spans), '<pair|pairs> of offsets')}"
        raise input_error(where, found, "one pair of offsets per text")
    return spans, texts
