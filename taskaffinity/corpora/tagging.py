"""A text and its mentions as rows of tagged sentences, where mentions may come in parts, overlap or end in a blank.

No sentence cuts a mention. A mention in parts is tagged as ``choices.Discontinuous`` says; of overlapping mentions the
longest is kept; white space at the ends of a mention is not part of it. What each rule met is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from taskaffinity.corpora.choices import Discontinuous
from taskaffinity.corpora.sentences import Span, keep_whole
from taskaffinity.corpora.tokens import iob2, without_overlaps, word_spans
from taskaffinity.tasks.rows import Row
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
    """One row a sentence; its id is ``<document>.<first character>``.

    Parameters
    ----------
    mentions
        The parts of each, in order.
    counted
        Filled, for the card's notes.
    """
    spans: list[Span] = []
    for parts in mentions:
        counted["mentions"] += 1
        counted["mentions_in_parts"] += len(parts) > 1
        trimmed = [_trimmed(text, span) for span in _tagged(parts, discontinuous)]
        spans += [span for span in trimmed if span[0] < span[1]]
        counted["mentions_without_a_character"] += sum(span[0] == span[1] for span in trimmed)
    kept, n_dropped = without_overlaps(spans)
    counted["overlapping_mentions_dropped"] += n_dropped
    whole, n_merged = keep_whole(sentences, kept)
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


def _trimmed(text: str, span: Span) -> Span:
    """Without white space at its ends, for no sentence holds that; empty where there is nothing else."""
    piece = text[slice(*span)]
    start = span[0] + len(piece) - len(piece.lstrip())
    return start, max(start, span[0] + len(piece.rstrip()))


def _tagged(parts: tuple[Span, ...], discontinuous: Discontinuous) -> Sequence[Span]:
    if len(parts) == 1 or discontinuous == "parts":
        return parts
    if discontinuous == "drop":
        return ()
    return [parts[0] if discontinuous == "first" else (parts[0][0], parts[-1][1])]
