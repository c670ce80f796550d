"""Split texts into sentences by one fixed rule, without a model.

A sentence ends at ``.``, ``?`` or ``!`` and the closing quotes or brackets after it. White space must follow, and then
an upper-case letter or a digit, possibly after opening quotes or brackets. A lower-case letter never starts a sentence,
because ``E. coli`` is common in these texts. A ``.`` does not end a sentence after

* an abbreviation that rarely ends a sentence (``ABBREVIATIONS``: ``vs.``, ``Fig.``, ``i.v.``). Before a closing bracket
  it can end one, as in ``(10 mg, i.v.)``, but not if a digit follows.
* a single letter in brackets, as in the plant author ``(L.) Alston``.
* the number of an item, as in ``2. Dopamine ...``, which belongs to the following sentence.

A sentence is ``(start, end)`` in characters of the given text. The end is exclusive, and white space at both ends is
left out. Sentences are sorted and hold every other character once.

The rule is part of this package because sentences belong to the identity of the data: a new release of a library must
not change them. ``pysbd`` 0.3.4 was slower and split 23 gold pairs of ChemProt; this rule splits none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

Span = tuple[int, int]

_ABBREVIATIONS = """
    vs approx ca cf al fig figs eq eqs ref refs resp viz dr mr mrs ms prof st no nos vol pp expt exp chem biol
    spp sp subsp var e.g i.e i.v i.p i.m i.c.v s.c p.o b.i.d t.i.d q.i.d b.w u.s u.k
"""
ABBREVIATIONS = frozenset(_ABBREVIATIONS.split())
"""In lower case, without the final point."""

_END = re.compile(r"""[.?!](?P<closers>["'”’)\]]*)\s+(?=["'“‘(\[]*(?P<next>[^\W_]))""")
_WORD_BEFORE = re.compile(r"""[^\s("'“‘\[]+$""")
_LONGEST_WORD = 40
_ITEM = re.compile(r"\d{1,2}")


def sentence_spans(text: str) -> list[Span]:
    """Return the sentences of a text.

    Examples
    --------
    >>> sentence_spans("It rose (Fig. 1). Then, e.g. in E. coli, it fell.")
    [(0, 17), (18, 49)]
    """
    starts = [0]
    for end in _END.finditer(text):
        if _is_end(text, end, starts[-1]):
            starts.append(end.end())
    spans = []
    for start, stop in zip(starts, [*starts[1:], len(text)], strict=True):
        piece = text[start:stop]
        if piece.strip():
            spans.append((start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())))
    return spans


def document_sentences(title: str, abstract: str) -> list[Span]:
    """Return the sentences of ``f"{title} {abstract}"``; no sentence spans both."""
    shift = len(title) + 1
    return sentence_spans(title) + [(start + shift, end + shift) for start, end in sentence_spans(abstract)]


def line_spans(text: str) -> list[Span]:
    """Return the lines that are not blank, without the white space at their ends.

    Examples
    --------
    >>> line_spans("Inclusion:\\n\\n  1. Age over 18;\\n")
    [(0, 10), (14, 29)]
    """
    spans = []
    at = 0
    for line in text.split("\n"):
        if line.strip():
            spans.append((at + len(line) - len(line.lstrip()), at + len(line.rstrip())))
        at += len(line) + 1
    return spans


def line_sentences(text: str) -> list[Span]:
    """Return the sentences of a text in which every line break ends a sentence."""
    return [
        (start + first, start + last)
        for start, end in line_spans(text)
        for first, last in sentence_spans(text[start:end])
    ]


def merge_cut_sentences(sentences: Sequence[Span], mentions: Iterable[Span]) -> tuple[list[Span], int]:
    """Merge the sentences that cut a mention; also return the number of removed boundaries.

    Examples
    --------
    >>> merge_cut_sentences([(0, 17), (18, 49)], mentions=[(9, 22)])
    ([(0, 49)], 1)
    """
    starts = [start for start, _ in sentences]
    crossed: set[int] = set()
    for start, end in mentions:
        first, last = bisect_right(starts, start) - 1, bisect_right(starts, end - 1) - 1
        crossed.update(range(first + 1, last + 1))
    whole: list[Span] = []
    for i, (start, end) in enumerate(sentences):
        if i in crossed:
            whole[-1] = (whole[-1][0], end)
        else:
            whole.append((start, end))
    return whole, len(crossed)


def _is_end(text: str, end: re.Match[str], start: int) -> bool:
    following, in_brackets = end["next"], bool(end["closers"])
    if not (following.isupper() or following.isdigit()):
        return False
    if text[end.start()] != ".":
        return True
    point = end.start()
    before = _WORD_BEFORE.search(text, max(start, point - _LONGEST_WORD), point)
    word = before.group() if before else ""
    if word.lower() in ABBREVIATIONS:
        return in_brackets and not following.isdigit()
    if in_brackets:
        return not (len(word) == 1 and word.isupper())
    return not (_ITEM.fullmatch(word) and not text[start : point - len(word)].strip())
