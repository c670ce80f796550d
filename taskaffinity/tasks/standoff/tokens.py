"""Split sentences into words with IOB2 tags; every mention is exactly one ``B``.

A word is a run of letters, digits and underscores, one Chinese character or kana, or one other character that is not
white space; no character is lost. Combining marks, such as vowel signs of Thai and Hindi, and joiners belong to the
character before them. A word is cut where a mention starts or ends inside it, which a tokenizer cannot know.

Among overlapping mentions the longest is tagged; among equally long ones, the first. The others are counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from unicodedata import category

from taskaffinity.tasks.standoff.sentences import Span

_WORD = re.compile(r"\w+|[^\w\s]")
"""A word of ASCII text."""
_HAN_OR_KANA = (
    "\u3005\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Characters of texts without blanks. A longer word would show the tagger where a mention ends, which cuts it."""
_JOINERS = "\u200c\u200d"
_LAST_MARK = 0xE01EF
"""The last combining mark of Unicode."""


@cache
def _any_word() -> re.Pattern[str]:
    """Return the pattern of a word of any text."""
    marks = [c for c in map(chr, range(0x300, _LAST_MARK + 1)) if c in _JOINERS or category(c)[0] == "M"]
    runs: list[list[str]] = []
    for mark in marks:
        if runs and ord(mark) == ord(runs[-1][-1]) + 1:
            runs[-1][-1] = mark
        else:
            runs.append([mark, mark])
    after = f"[{''.join(f'{first}-{last}' for first, last in runs)}]*"
    letter = rf"[^\W{_HAN_OR_KANA}]"
    return re.compile(rf"[{_HAN_OR_KANA}]{after}|(?:{letter}{after})+|[^\w\s]{after}")


def word_spans(text: str, sentence: Span, mentions: Iterable[Span] = ()) -> tuple[list[Span], int]:
    """Return the offsets of a sentence's words, and the number of cuts at mention ends.

    Examples
    --------
    >>> word_spans("It is CCNU-resistant.", (0, 21), mentions=[(6, 8)])
    ([(0, 2), (3, 5), (6, 8), (8, 10), (10, 11), (11, 20), (20, 21)], 1)
    >>> word_spans("38度", (0, 3))
    ([(0, 2), (2, 3)], 0)
    """
    pattern = _WORD if text.isascii() else _any_word()
    ends = sorted({end for mention in mentions for end in mention})
    words: list[Span] = []
    n_cut = 0
    for found in pattern.finditer(text, *sentence):
        start, end = found.span()
        inside = [cut for cut in ends if start < cut < end]
        n_cut += len(inside)
        words.extend(pairwise([start, *inside, end]))
    return words, n_cut


def iob2(words: Sequence[Span], mentions: Iterable[Span], kind: str) -> tuple[str, ...]:
    """Return one tag per word.

    Mentions must not overlap, and words must not cross their ends.

    Examples
    --------
    >>> iob2([(0, 4), (5, 9), (9, 10)], mentions=[(0, 9)], kind="Chemical")
    ('B-Chemical', 'I-Chemical', 'O')
    """
    tags = ["O"] * len(words)
    for start, end in mentions:
        inside = [i for i, word in enumerate(words) if start <= word[0] and word[1] <= end]
        for i in inside:
            tags[i] = f"B-{kind}" if i == inside[0] else f"I-{kind}"
    return tuple(tags)


def drop_overlaps(mentions: Iterable[Span]) -> tuple[list[Span], int]:
    """Return sorted mentions without overlaps, and the number of dropped mentions.

    Examples
    --------
    >>> drop_overlaps([(0, 5), (3, 20), (20, 22)])
    ([(3, 20), (20, 22)], 1)
    """
    kept: list[Span] = []
    n_dropped = 0
    for start, end in sorted(mentions, key=lambda span: (span[0] - span[1], span[0])):
        if any(start < other_end and other_start < end for other_start, other_end in kept):
            n_dropped += 1
        else:
            kept.append((start, end))
    return sorted(kept), n_dropped
