"""Split clinical notes into sentences: wrapped lines, headings and de-identification marks.

Notes are wrapped at a fixed width, so most line breaks are inside sentences. Headings, list items and fields of forms
end with an intended line break. A line break is intended if the first word of the next line would fit on the line. An
empty line always ends a sentence.
"""

from __future__ import annotations

import re

from taskaffinity.tasks.standoff.sentences import Span, sentence_spans

_MARK = re.compile(r"\[\*\*.*?\*\*\]", re.DOTALL)
_RULE = re.compile(r"\|{4}|_{3}|~~")
_PLACEHOLDER = "PATTERN"
_FIRST_WORD = re.compile(r"\S+")


def replace_marks(text: str) -> str:
    """Replace ``[**...**]`` by ``PATTERN`` and ruled lines by blanks, as BLUE does.

    Offsets do not change.

    Examples
    --------
    >>> replace_marks("Seen by [**Known lastname 000**] ____.")
    'Seen by                  PATTERN    _.'
    """
    text = _MARK.sub(lambda mark: _PLACEHOLDER[: len(mark.group())].rjust(len(mark.group())), text)
    return _RULE.sub(lambda rule: " " * len(rule.group()), text)


def note_sentences(text: str) -> list[Span]:
    """Return the sentences of a note; a sentence may contain wrapped lines.

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
    """Join the lines that were one line before wrapping."""
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
