"""Turn a text and its mentions into rows of tagged sentences.

Mentions may have several parts, may overlap and may end in white space. No sentence cuts a mention. A discontinuous
mention is tagged as ``choices.Discontinuous`` says. The longest of overlapping mentions is tagged. White space at the
ends of a mention is removed. Each change is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from taskaffinity.corpora.choices import Discontinuous
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.standoff.sentences import Span, merge_cut_sentences
from taskaffinity.tasks.standoff.tokens import drop_overlaps, iob2, word_spans
from taskaffinity.tasks.task import Example


def tagged_rows(
    document: str,
    text: str,
    sentences: Sequence[Span],
    mentions: Iterable[tuple[Span, ...]],
    kind: str,
    discontinuous: Discontinuous,
    counted: Counter[str],
) -> list[Row]:
    """Return one row per sentence, with the id ``<document>.<first character>``.

    Parameters
    ----------
    mentions
        The parts of each mention, sorted.
    counted
        Counter of changes for the card's notes; it is updated.
    """
    spans: list[Span] = []
    for parts in mentions:
        counted["mentions"] += 1
        counted["mentions_in_parts"] += len(parts) > 1
        trimmed = [_strip_span(text, span) for span in _spans_of_parts(parts, discontinuous)]
        spans += [span for span in trimmed if span[0] < span[1]]
        counted["mentions_without_a_character"] += sum(span[0] == span[1] for span in trimmed)
    kept, n_dropped = drop_overlaps(spans)
    counted["overlapping_mentions_dropped"] += n_dropped
    whole, n_merged = merge_cut_sentences(sentences, kept)
    counted["boundaries_merged"] += n_merged
    rows = []
    for start, end in whole:
        inside = [mention for mention in kept if start <= mention[0] and mention[1] <= end]
        words, n_cut = word_spans(text, (start, end), inside)
        counted["words_cut_at_mentions"] += n_cut
        tags = iob2(words, inside, kind)
        example = Example(
            f"{document}.{start}", tags, words=tuple(text[first:last] for first, last in words), document=document
        )
        rows.append(Row(example, tuple(words)))
    return rows


def _strip_span(text: str, span: Span) -> Span:
    """Return the span without white space at its ends; empty if it is all white space."""
    piece = text[slice(*span)]
    start = span[0] + len(piece) - len(piece.lstrip())
    return start, max(start, span[0] + len(piece.rstrip()))


def _spans_of_parts(parts: tuple[Span, ...], discontinuous: Discontinuous) -> Sequence[Span]:
    if len(parts) == 1 or discontinuous == "parts":
        return parts
    if discontinuous == "drop":
        return ()
    return [parts[0] if discontinuous == "first" else (parts[0][0], parts[-1][1])]
