"""Where sentences end: one rule of our own, without a model and without a download.

A sentence ends at ``.``, ``?`` or ``!``, with the closing quotes or brackets behind it, where white space and then an
upper-case letter or a digit follow (opening quotes or brackets before it do not count), unless

* the word before is an abbreviation that rarely ends a sentence (``ABBREVIATIONS``: ``vs.``, ``Fig.``, ``i.v.``); one
  in brackets, ``(10 mg, i.v.)``, can end it, but not before a digit;
* the word before is a single letter in brackets, as in a plant's author ``(L.) Alston``;
* the word before is the number of an item, ``2. Dopamine ...``: it belongs to the sentence that it starts.

A lower-case start is never a new sentence: ``E. coli`` is common in these texts, a sentence that starts with ``p53``
is not.

Conventions: a sentence is ``(start, end)`` in characters of the text, end exclusive, white space at its edges left out.
Sentences come in order and hold every other character once. Offsets are those of the text that was given.

Why not a library: the rule is part of what identifies the data, so it must not move under us, and of the libraries that
need no download none did better. ``pysbd`` 0.3.4 (its last release, 2021) on BC5CDR and ChemProt: 24 s against 0.5 s,
7 boundaries inside a mention against 0, and 23 gold pairs of ChemProt torn apart against 0. BC5CDR has
4,540/4,551/4,781 sentences here and 4,560/4,581/4,797 in the CoNLL conversion of Cambridge.
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
"""Lower-case and without the last point."""

_END = re.compile(r"""[.?!](?P<closers>["'”’)\]]*)\s+(?=["'“‘(\[]*(?P<next>[^\W_]))""")
_WORD_BEFORE = re.compile(r"""[^\s("'“‘\[]+$""")
_LONGEST_WORD = 40
_ITEM = re.compile(r"\d{1,2}")


def sentence_spans(text: str) -> list[Span]:
    """Sentences of a text.

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
    """Sentences of ``f"{title} {abstract}"``; the title never runs into the abstract."""
    shift = len(title) + 1
    return sentence_spans(title) + [(start + shift, end + shift) for start, end in sentence_spans(abstract)]


def line_spans(text: str) -> list[Span]:
    """Lines that hold something, white space at their edges left out.

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
    """Sentences of a text whose every line break is meant: none runs over one."""
    return [
        (start + first, start + last)
        for start, end in line_spans(text)
        for first, last in sentence_spans(text[start:end])
    ]


def keep_whole(sentences: Sequence[Span], mentions: Iterable[Span]) -> tuple[list[Span], int]:
    """Sentences in which no mention is cut, and how many boundaries were given up for that.

    Examples
    --------
    >>> keep_whole([(0, 17), (18, 49)], mentions=[(9, 22)])
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
