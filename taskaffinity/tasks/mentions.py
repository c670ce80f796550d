"""List the mentions that tags mark: strict IOB2, and as ``conlleval`` reads them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def strict_mentions(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """List ``(type, first word, last word + 1)`` for every strict IOB2 mention, in order.

    Examples
    --------
    >>> strict_mentions(["B-Drug", "I-Drug", "O", "I-Drug", "B-Drug"])
    [('Drug', 0, 2), ('Drug', 4, 5)]
    """
    found: list[tuple[str, int, int]] = []
    start, kind = -1, ""
    for i, tag in enumerate([*tags, "O"]):
        if start >= 0 and tag != f"I-{kind}":
            found.append((kind, start, i))
            start = -1
        if tag.startswith("B-"):
            start, kind = i, tag[2:]
    return found


def lenient_mentions(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """List the mentions that ``conlleval`` reads, in order.

    An ``I`` after no mention of its type is read as ``B``.

    Examples
    --------
    >>> lenient_mentions(["B-Drug", "I-Drug", "O", "I-Drug", "B-Drug"])
    [('Drug', 0, 2), ('Drug', 3, 4), ('Drug', 4, 5)]
    """
    return strict_mentions(
        [f"B{tag[1:]}" if tag[0] == "I" and last[1:] != tag[1:] else tag for last, tag in pairwise(["O", *tags])]
    )
