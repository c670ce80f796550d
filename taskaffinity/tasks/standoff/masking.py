"""Mask the two arguments of a relation in its sentence by their types.

* An argument is masked from its first character to its last, so all parts of a discontinuous mention are covered.
* Masks are in text order, whatever the order of the arguments in the annotation.
* Two arguments get one joint mask if they share a character or if one lies between the parts of the other. Arguments
  that only touch get two masks.
* A line break, a tab or a run of blanks becomes one blank.
"""

from __future__ import annotations

from dataclasses import dataclass

from taskaffinity.tasks.standoff.sentences import Span


@dataclass(frozen=True)
class Argument:
    """One argument of a relation."""

    kind: str
    """Type; the mask is ``@kind$``."""
    parts: tuple[Span, ...]
    """Sorted; a discontinuous mention has several."""

    @property
    def hull(self) -> Span:
        """Start of the first part and end of the last part."""
        return self.parts[0][0], self.parts[-1][1]


def masked(text: str, sentence: Span, first: Argument, second: Argument, joint: str = "") -> str:
    """Return the sentence with both arguments masked.

    Parameters
    ----------
    joint
        Text of the joint mask. Empty: both types in text order, such as ``drug-brand``.

    Examples
    --------
    >>> text = "SERT binds citalopram."
    >>> masked(text, (0, 22), Argument("CHEMICAL", ((11, 21),)), Argument("GENE", ((0, 4),)))
    '@GENE$ binds @CHEMICAL$.'
    >>> masked(text, (0, 22), Argument("drug", ((11, 21),)), Argument("drug_n", ((11, 14),)))
    'SERT binds @drug_n-drug$.'
    """
    left, right = sorted((first, second), key=lambda argument: argument.hull)
    if overlap(first, second):
        whole = left.hull[0], max(left.hull[1], right.hull[1])
        masks = [(whole, joint or f"{left.kind}-{right.kind}")]
    else:
        masks = [(left.hull, left.kind), (right.hull, right.kind)]
    pieces, at = [], sentence[0]
    for (start, end), kind in masks:
        pieces += [text[at:start], f"@{kind}$"]
        at = end
    return " ".join("".join([*pieces, text[at : sentence[1]]]).split())


def overlap(first: Argument, second: Argument) -> bool:
    """Return whether two arguments share a character, or one lies between the parts of the other."""
    return first.hull[0] < second.hull[1] and second.hull[0] < first.hull[1]
