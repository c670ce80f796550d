"""Clinical notes as sentences: wrapped lines, headings and de-identification marks.

A note is wrapped at a width, so most line breaks stand inside sentences; headings, list items and the fields of a form
end their lines on purpose. A break is on purpose where the next line's first word would still have fitted: wrapping
would have kept it. Empty lines are always on purpose.
"""

from __future__ import annotations

import re

from taskaffinity.corpora.sentences import Span, sentence_spans

_MARK = re.compile(r"\[\*\*.*?\*\*\]", re.DOTALL)
_RULE = re.compile(r"\|{4}|_{3}|~~")
_STAND_IN = "PATTERN"
_FIRST_WORD = re.compile(r"\S+")


def without_marks(text: str) -> str:
    """The text with ``[**...**]`` as ``PATTERN`` and ruled lines as blanks; no character moves (as BLUE does it).

    Examples
    --------
    >>> without_marks("Seen by [**Known lastname 000**] ____.")
    'Seen by                  PATTERN    _.'
    """
    text = _MARK.sub(lambda mark: _STAND_IN[: len(mark.group())].rjust(len(mark.group())), text)
    return _RULE.sub(lambda rule: " " * len(rule.group()), text)


def note_sentences(text: str) -> list[Span]:
    """Sentences of a note, which may run over wrapped lines.

    Examples
    --------
    >>> text = "PLAN:\\nRest for two weeks and see the toy clinic then. Return if\\nworse.\\n- no elbow work"
    >>> [text[start:end] for start, end in note_sentences(text)][1:]
    ['Rest for two weeks and see the toy clinic then.', 'Return if\\nworse.', '- no elbow work']
    """
    spans: list[Span] = []
    for start, end in _blocks(text):
        spans += [(start + first, start + last) for first, last in sentence_spans(text[start:end])]
    return spans


def _blocks(text: str) -> list[Span]:
    """Runs of lines that were one line before they were wrapped."""
    lines = text.split("\n")
    width = max(len(line.rstrip()) for line in lines)
    blocks: list[Span] = []
    start = at = 0
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        at += len(line)
        word = _FIRST_WORD.search(following)
        if word is None or not line.strip() or len(line.rstrip()) + 1 + len(word.group()) <= width:
            blocks.append((start, at))
            start = at + 1
        at += 1
    return [(start, end) for start, end in blocks if text[start:end].strip()]
