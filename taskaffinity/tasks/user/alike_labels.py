"""Find labels that differ only in case, Unicode form, white space or invisible characters: mostly by mistake."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from unicodedata import category, normalize

_LISTED = 3


def alike_notes(labels: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return a line for each two labels that differ only in case, Unicode form, white space or invisible characters.

    Parameters
    ----------
    names
        How a message shows each label.

    Examples
    --------
    >>> alike_notes(["Absent", "absent", "present"], ["'Absent'", "'absent'", "'present'"])
    ("'Absent' and 'absent' are two classes, which differ only in case",)
    """
    groups: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        groups.setdefault(_key(label), []).append(place)
    pairs = [pair for places in groups.values() for pair in pairwise(places)]
    lines = [
        f"{names[a]} and {names[b]} are two classes, which differ only in {_difference(labels[a], labels[b])}"
        for a, b in pairs[:_LISTED]
    ]
    more = len(pairs) - _LISTED
    return (*lines, *([f"{more:,} more such pair{'s' * (more > 1)} of classes"] if more > 0 else []))


def _key(label: str) -> str:
    return normalize("NFC", " ".join(normalize("NFC", _visible(label)).casefold().split()))


def _visible(label: str) -> str:
    """Return the label without characters that only format a text, such as a zero-width space (U+200B)."""
    return "".join(character for character in label if category(character) != "Cf")


def _difference(one: str, other: str) -> str:
    if one != _visible(one) or other != _visible(other):
        return (
            "invisible characters" if _visible(one) == _visible(other) else "case, white space or invisible characters"
        )
    if normalize("NFC", one) == normalize("NFC", other):
        return "Unicode form (NFC or NFD)"
    return "case" if normalize("NFC", one).casefold() == normalize("NFC", other).casefold() else "case or white space"
