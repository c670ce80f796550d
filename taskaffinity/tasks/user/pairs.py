"""Make examples of relations from annotated documents: pairs of mentions, masked by their types."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from taskaffinity.errors import input_error
from taskaffinity.tasks.standoff.bigbio import bigbio_document
from taskaffinity.tasks.standoff.brat import Document, Mention, Relation, read_folder
from taskaffinity.tasks.standoff.masking import Argument, masked, overlap
from taskaffinity.tasks.standoff.sentences import Span, line_sentences, merge_cut_sentences
from taskaffinity.tasks.user.columns import Located
from taskaffinity.tasks.user.pair_rule import PairRule

TWICE = "<pair|pairs> of mentions with several relations, one example each"
WITHOUT_EXAMPLE = (
    "<relation|relations> without an example, because <its|their> mentions are too far apart or of other types"
)
OTHER_TYPES = "<relation of a type that is|relations of types that are> not under labels:, read as no relation"


def pair_rows(folder: Path, rule: PairRule, notes: Counter[str], lost: Counter[str], encoding: str = "") -> Located:
    """Yield the pairs of mentions of brat documents; a line break ends a sentence.

    The label is the type of their relation.

    Parameters
    ----------
    lost
        Document -> number of relations without an example; it is extended.

    Raises
    ------
    InputError
        If the folder has no document, or a relation is of the type ``rule.negative``, or as ``read_folder``.
    """
    for path, document in read_folder(folder, encoding):
        yield from document_pairs(str(path), document, line_sentences(document.text), rule, notes, lost)


def bigbio_pairs(
    where: str, row: Mapping[str, object], rule: PairRule, notes: Counter[str], lost: Counter[str]
) -> Located:
    """Yield the pairs of mentions of a document in BigBIO's schema, as ``pair_rows``.

    Raises
    ------
    InputError
        As ``bigbio_document``, or if a relation is of the type ``rule.negative``.
    """
    document, sentences = bigbio_document(where, row)
    return document_pairs(where, document, sentences, rule, notes, lost)


def document_pairs(
    where: str,
    document: Document,
    sentences: Sequence[Span],
    rule: PairRule,
    notes: Counter[str],
    lost: Counter[str],
) -> Located:
    """Yield the pairs of mentions of a document."""
    gold: dict[frozenset[Mention], list[str]] = defaultdict(list)
    for relation in document.relations:
        if rule.labels and relation.kind not in rule.labels:
            notes[OTHER_TYPES] += 1
        else:
            _add(gold, relation, rule.negative)
    yield from _rows(where, document, sentences, rule, gold, notes)
    n_lost = sum(len(kinds) for kinds in gold.values())
    lost[document.name] += n_lost
    notes[WITHOUT_EXAMPLE] += n_lost


def _add(gold: dict[frozenset[Mention], list[str]], relation: Relation, negative: str | None) -> None:
    if relation.kind == negative:
        raise input_error(relation.where, "a relation of the type under negative:", "another name for no relation")
    kinds = gold[frozenset((relation.first, relation.second))]
    if relation.kind not in kinds:
        kinds.append(relation.kind)


def _rows(
    where: str,
    document: Document,
    sentences: Sequence[Span],
    rule: PairRule,
    gold: dict[frozenset[Mention], list[str]],
    notes: Counter[str],
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the examples of one document; relations with an example are removed from ``gold``."""
    text, pairs, negative = document.text, rule.pairs, rule.negative
    sentences, _ = merge_cut_sentences(sentences, [mention.hull for mention in document.mentions])
    legal = {frozenset(pair) for pair in pairs.types}
    for one, other in combinations(document.mentions, 2):
        pair = frozenset((one, other))
        span = _span(sentences, one, other, within=pairs.within)
        if span is None or (legal and frozenset((one.kind, other.kind)) not in legal):
            continue
        if pairs.max_words and _words_between(text, one, other) > int(pairs.max_words):
            continue
        kinds: Sequence[str] = gold.pop(pair, []) or ([negative] if negative is not None else [])
        notes[TWICE] += len(kinds) > 1
        for nth, kind in enumerate(kinds, start=1):
            name = f"{document.name}.{one.name}.{other.name}" + (f"#{nth}" if nth > 1 else "")
            written = _marked(text, span, one, other) if pairs.masks == "markers" else _masked(text, span, one, other)
            yield where, {"id": name, "document": document.name, "text": written, "label": kind}


def _span(sentences: Sequence[Span], one: Mention, other: Mention, *, within: str) -> Span | None:
    """Return the span of the sentences that hold the mentions; None if they are too many."""
    starts = [start for start, _ in sentences]
    places = [place for start, end in (one.hull, other.hull) for place in (start, end - 1)]
    numbers = [bisect_right(starts, place) - 1 for place in places]
    first, last = max(0, min(numbers)), max(0, max(numbers))
    if within == "sentence" and first != last:
        return None
    return sentences[first][0], sentences[last][1]


def _words_between(text: str, one: Mention, other: Mention) -> int:
    left, right = sorted((one.hull, other.hull))
    return len(text[left[1] : right[0]].split())


def _masked(text: str, span: Span, one: Mention, other: Mention) -> str:
    return masked(text, span, Argument(one.kind, one.parts), Argument(other.kind, other.parts))


def _marked(text: str, span: Span, one: Mention, other: Mention) -> str:
    """Return the text with both mentions between markers; overlapping mentions are masked together."""
    if overlap(Argument(one.kind, one.parts), Argument(other.kind, other.parts)):
        return _masked(text, span, one, other)
    pieces, at = [], span[0]
    for mention in sorted((one, other), key=lambda mention: mention.hull):
        start, end = mention.hull
        pieces += [text[at:start], f"@{mention.kind}$ {text[start:end]} ${mention.kind}@"]
        at = end
    return " ".join("".join([*pieces, text[at : span[1]]]).split())
