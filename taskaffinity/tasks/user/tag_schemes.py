"""Convert tags of IOB1, IOBES, BILOU and BMES to IOB2."""

from __future__ import annotations

import re
from collections.abc import Sequence

from taskaffinity.errors import has_controls, input_error, shown

TAG = re.compile(r"O|([BIESLUM])-(\S{1,40})")
_LIKE_A_TAG = re.compile(r"\w|[A-Z][-_./:][A-Za-z][\w-]*")
"""Tags that a message may quote. Other values may be text of the corpus."""
_JOINED = re.compile(r"[|,/;+&](O$|[BI]-)")
"""Where a second tag begins in the type of a tag, as files of nested mentions have it."""
_BARE = frozenset("BIESLUM")
_SINGLE, _LAST = frozenset("SU"), frozenset("EL")
"""Marks for a mention of one word, and for the last word of a mention."""


def iob2(
    where: str,
    tags: Sequence[object],
    types: Sequence[str],
    places: Sequence[str] | None = None,
    marks: set[str] | None = None,
) -> list[str]:
    """Convert the tags of a sentence to IOB2.

    An ``I`` that begins a mention becomes ``B``. ``S`` and ``U`` (a mention of one word) become ``B``; ``M``, ``E`` and
    ``L`` (words inside and at the end) become ``I``. Marks without a type get the type in ``types``, if there is
    exactly one.

    Parameters
    ----------
    places
        The places of the words, if known.
    marks
        Receives the marks other than B and I. Pass one set for all sentences of a task.

    Examples
    --------
    >>> iob2("here", ["I-x", "I-x", "B-x", "O", "I-y"], ())
    ['B-x', 'I-x', 'B-x', 'O', 'B-y']
    >>> iob2("here", ["B-x", "E-x", "S-x", "B-x", "M-x", "E-x"], ())
    ['B-x', 'I-x', 'B-x', 'B-x', 'I-x', 'I-x']

    Raises
    ------
    InputError
        If a tag is of none of these schemes, continues a mention that has ended, or is of another scheme than the tags
        before it.
    """
    made: list[str] = []
    marks = set() if marks is None else marks
    before = ended = ""
    good = sum(isinstance(tag, str) and TAG.fullmatch(tag.strip()) is not None for tag in tags)
    are_tags = good > 0 and 2 * good >= len(tags) - 1  # otherwise this may be a column of words
    for position, value in enumerate(tags, start=1):
        tag = value.strip() if isinstance(value, str) else value
        is_bare = isinstance(tag, str) and tag in _BARE
        if is_bare and len(types) == 1:
            tag = f"{tag}-{types[0]}"
        may_quote = not isinstance(tag, str) or are_tags or _LIKE_A_TAG.fullmatch(tag)
        where = places[position - 1] if places else where
        fault = f"tag {shown(tag) if may_quote else f'of {len(str(tag))} characters'} on word {position}"
        mark, kind = _parts(where, fault, tag)
        if mark not in ("", "B", "I"):
            marks.add(mark)
            if marks & {"L", "U"} and marks & {"E", "S", "M"}:
                raise input_error(where, f"{fault}, and tags of another scheme", "one of IOB2, IOBES, BILOU and BMES")
        if mark not in ("", "B") and mark not in _SINGLE and kind == ended:
            raise input_error(where, f"{fault} after the end of a mention", f"B-{kind}, or a mark of its own")
        begins = mark == "B" or mark in _SINGLE or kind != before
        made.append(f"{'B' if begins else 'I'}-{kind}" if kind else "O")
        ended = kind if mark in _SINGLE or mark in _LAST else ""
        before = "" if ended else kind
    return made


def _parts(where: str, fault: str, tag: object) -> tuple[str, str]:
    """Return the mark and the type of a tag; both are empty for ``O``."""
    if isinstance(tag, int):
        raise input_error(where, f"{fault}, a number", "names: O, B-TYPE or I-TYPE")
    found = TAG.fullmatch(tag) if isinstance(tag, str) else None
    if not found:
        hint = (
            " (for B and I without a type, give one name under labels:)"
            if isinstance(tag, str) and tag in _BARE
            else ""
        )
        raise input_error(where, fault, f"O, B-TYPE or I-TYPE{hint}")
    if found[2] and _JOINED.search(found[2]):
        raise input_error(where, f"{fault}, which is several tags", "one tag per word; of nested mentions, one level")
    if found[2] and has_controls(found[2]):
        raise input_error(where, f"{fault.replace(shown(tag), 'with a control character')}", "printable characters")
    return found[1] or "", found[2] or ""


def described_scheme(marks: set[str]) -> str:
    """Return the note for converted tags; empty for IOB1 and IOB2.

    Examples
    --------
    >>> described_scheme({"E", "S"}), described_scheme(set())
    ('IOBES tags, converted to IOB2', '')
    """
    if not marks:
        return ""
    name = "BILOU" if marks & {"L", "U"} else "BMES" if "M" in marks else "IOBES"
    return f"{name} tags, converted to IOB2"
