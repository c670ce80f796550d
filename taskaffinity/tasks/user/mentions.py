"""Read texts with mentions at offsets, and make their words and tags.

The formats are JSONL with mentions, PubTator, BioC, brat and BigBIO's schema.

A document is split into sentences, so that no sentence cuts a mention; each is a row with ``text`` and ``entities``.
``tagged`` then makes words and IOB2 tags of a row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from taskaffinity.errors import has_controls, input_error, named, shown
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.standoff.bigbio import bigbio_passages
from taskaffinity.tasks.standoff.bioc import Passage, read_bioc
from taskaffinity.tasks.standoff.brat import read_folder
from taskaffinity.tasks.standoff.offsets import check_inside, check_mention
from taskaffinity.tasks.standoff.pubtator import read_pubtator
from taskaffinity.tasks.standoff.sentences import (
    Span,
    document_sentences,
    line_sentences,
    merge_cut_sentences,
    sentence_spans,
)
from taskaffinity.tasks.standoff.tokens import drop_overlaps, iob2, word_spans
from taskaffinity.tasks.user.columns import Located

IN_PARTS = "<mention|mentions> in several parts, tagged from the first character to the last"
DROPPED = "overlapping <mention|mentions> left out, because overlaps: longest"
OTHER_TYPES = "<mention of a type that is|mentions of types that are> not under labels:, left out"
WITHIN_A_WORD = "<mention that begins or ends|mentions that begin or end> inside a word, which is cut there"

Mention = tuple[str, Span]
"""Type, and offsets in the text; the end is exclusive."""
_LONGEST_TYPE = 40
_HEADED = re.compile(r"[^|\t]+\|[ta]\|")
"""A line of PubTator with a text, whose blanks at the end count in offsets."""


def pubtator_rows(path: Path, encoding: str, notes: Counter[str]) -> Located:
    """Yield the sentences of a PubTator file.

    Raises
    ------
    InputError
        As ``read_pubtator``.
    """
    numbered = enumerate(read_lines(path, encoding=encoding)[0], start=1)
    lines = ((f"{path}: line {n}", line if _HEADED.match(line) else line.rstrip(" ")) for n, line in numbered)
    for document in read_pubtator(lines, notes=notes):
        sentences = document_sentences(document.title, document.abstract)
        where = f"{path}: document {document.name}"
        yield from _sentence_rows(where, document.name, document.text, sentences, document.mentions)


def bioc_rows(path: Path, encoding: str, notes: Counter[str]) -> Located:
    """Yield the sentences of the passages of a BioC file.

    Raises
    ------
    InputError
        As ``read_bioc``.
    """
    return _passage_rows(read_bioc(path, encoding), notes)


def bigbio_rows(where: str, row: Mapping[str, object], notes: Counter[str]) -> Located:
    """Yield the sentences of a document in BigBIO's schema.

    Raises
    ------
    InputError
        As ``bigbio_passages``.
    """
    return _passage_rows(bigbio_passages(where, row), notes)


def _passage_rows(passages: Iterable[Passage], notes: Counter[str]) -> Located:
    for passage in passages:
        mentions = [(kind, (parts[0][0], parts[-1][1])) for kind, parts in passage.mentions]
        notes[IN_PARTS] += sum(len(parts) > 1 for _, parts in passage.mentions)
        sentences = sentence_spans(passage.text)
        yield from _sentence_rows(
            passage.where, passage.document, passage.text, sentences, mentions, before=passage.offset
        )


def brat_rows(path: Path, encoding: str, notes: Counter[str]) -> Located:
    """Yield the sentences of brat documents; a line break ends a sentence.

    Raises
    ------
    InputError
        If the folder has no document, or as ``read_folder``.
    """
    for where, document in read_folder(path, encoding):
        mentions = [(mention.kind, mention.hull) for mention in document.mentions]
        notes[IN_PARTS] += sum(len(mention.parts) > 1 for mention in document.mentions)
        yield from _sentence_rows(str(where), document.name, document.text, line_sentences(document.text), mentions)


def _sentence_rows(
    where: str, document: str, text: str, sentences: Sequence[Span], mentions: Sequence[Mention], before: int = 0
) -> Located:
    whole, _ = merge_cut_sentences(sentences, [_stripped(text, span) for _, span in mentions])
    for start, end in whole:
        entities = [
            {"start": max(first, start) - start, "end": min(last, end) - start, "label": kind}
            for kind, (first, last) in mentions
            if first < end and start < last
        ]
        row: dict[str, object] = {"text": text[start:end], "entities": entities, "document": document}
        yield where, {**row, "id": f"{document}.{before + start}"}


def _stripped(text: str, span: Span) -> Span:
    """Return the span without white space at its ends, or the span if it is all white space."""
    piece = text[slice(*span)]
    if not piece.strip():
        return span
    return span[0] + len(piece) - len(piece.lstrip()), span[0] + len(piece.rstrip())


def tagged(where: str, row: Mapping[str, object], labels: Sequence[str], overlaps: str, notes: Counter[str]) -> None:
    """Add ``words`` and ``tags`` to a row with ``text`` and ``entities``.

    Parameters
    ----------
    labels
        The types to tag; others are left out and counted. Empty: all.
    overlaps
        ``longest``: the longest of overlapping mentions is tagged; among equally long ones, the first.

    Raises
    ------
    InputError
        If an entity has another structure, lies outside the text or has another ``text`` than stands at its offsets, or
        two overlap and ``overlaps`` is empty.
    """
    text = row["text"]
    if not isinstance(text, str) or not text.strip():
        found = "an empty text" if isinstance(text, str) else shown(text)
        raise input_error(where, f"{found} as text", "some text")
    mentions = list(_entities(where, text, row["entities"]))
    known = [(kind, span) for kind, span in mentions if not labels or kind in labels]
    notes[OTHER_TYPES] += len(mentions) - len(known)
    kept, n_dropped = drop_overlaps(span for _, span in known)
    if n_dropped and not overlaps:
        first, second = _overlapping(sorted(span for _, span in known))
        found = f"mentions at {first[0]}-{first[1]} and {second[0]}-{second[1]}, which overlap"
        raise input_error(where, found, "one tag per word; overlaps: longest keeps the longest mention")
    notes[DROPPED] += n_dropped
    whole, _ = word_spans(text, (0, len(text)))
    inside = {place for start, end in whole for place in range(start + 1, end)}
    notes[WITHIN_A_WORD] += sum(not inside.isdisjoint(span) for span in kept)
    kinds: dict[Span, str] = {}
    for kind, span in known:
        kinds.setdefault(span, kind)
    words, _ = word_spans(text, (0, len(text)), kept)
    tags = ["O"] * len(words)
    for span in kept:
        here = iob2(words, [span], kinds[span])
        if all(tag == "O" for tag in here):
            raise input_error(where, f"a mention at {span[0]}-{span[1]} of white space", "a mention with a word")
        tags = [new if new != "O" else old for new, old in zip(here, tags, strict=True)]
    assert isinstance(row, dict)
    row |= {"words": [text[start:end] for start, end in words], "tags": tags}
    del row["text"], row["entities"]


def _overlapping(mentions: Sequence[Span]) -> tuple[Span, Span]:
    """Return the first two overlapping mentions of a sorted list."""
    furthest = mentions[0]
    for span in mentions[1:]:
        if span[0] < furthest[1]:
            return furthest, span
        furthest = max(furthest, span, key=lambda one: one[1])
    raise AssertionError("no mentions overlap")


def _entities(where: str, text: str, entities: object) -> Iterator[Mention]:
    if not isinstance(entities, list):
        raise input_error(where, f"{named(entities, ())} as entities", "a list of {start, end, label}")
    for number, entity in enumerate(entities, start=1):
        keys = ("start", "end", "label")
        if isinstance(entity, list) and len(entity) == len(keys):
            entity = dict(zip(keys, entity, strict=True))
        if not isinstance(entity, Mapping) or any(key not in entity for key in keys):
            raise input_error(
                where, f"entity {number} of another structure", "start, end and label, as an object or a list"
            )
        start, end, label = (entity[key] for key in keys)
        if isinstance(start, bool) or isinstance(end, bool) or not isinstance(start, int) or not isinstance(end, int):
            raise input_error(where, f"entity {number} without offsets", "whole numbers as start and end")
        if isinstance(said := entity.get("text"), str) and said.strip():
            check_mention(f"{where}: entity {number}", text, (start, end), said)
        check_inside(where, text, (start, end))
        if not isinstance(label, str) or not label.strip() or len(label) > _LONGEST_TYPE:
            raise input_error(where, f"entity {number} with {named(label, ())} as label", "the name of a type")
        if has_controls(label):
            raise input_error(where, f"entity {number} with a control character in its label", "printable characters")
        yield label.strip(), (start, end)


MENTION_READERS: dict[str, Callable[[Path, str, Counter[str]], Located]] = {
    "pubtator": pubtator_rows,
    "bioc": bioc_rows,
    "brat": brat_rows,
}
