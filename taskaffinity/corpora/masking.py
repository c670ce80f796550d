"""A relation as a sentence: the two arguments are replaced by what they are.

Rules, for corpora with and without discontinuous mentions:

* an argument is masked from its first character to its last, so every part of ``alpha- and beta-blockers`` is covered
  (in DDI the words between two parts are at most 34 characters of a list);
* masks carry the types of the arguments in the order in which they stand in the text, not in that of the annotation;
* arguments that share a character, or of which one lies between the parts of the other, become one joint mask;
  arguments that only touch are two masks;
* line breaks, tabs and runs of blanks become one blank.
"""

from __future__ import annotations

from dataclasses import dataclass

from taskaffinity.corpora.sentences import Span


@dataclass(frozen=True)
class Argument:
    """One side of a relation."""

    kind: str
    """``@kind$`` is its mask."""
    parts: tuple[Span, ...]
    """In order; more than one where the mention is discontinuous."""

    @property
    def hull(self) -> Span:
        """From the first character to the last."""
        return self.parts[0][0], self.parts[-1][1]


def masked(text: str, sentence: Span, first: Argument, second: Argument, joint: str = "") -> str:
    """The sentence with both arguments masked.

    Parameters
    ----------
    joint
        The kind of the one mask of overlapping arguments; empty for both kinds in text order, ``drug-brand``.

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
    """Whether the two share a character, or one lies within the other's gap: they get one mask then."""
    return first.hull[0] < second.hull[1] and second.hull[0] < first.hull[1]
