"""Answers in a text: their places, and how SQuAD compares them.

The label of an example of ``spans`` is its gold answers, as places in the second text: ``"17:29"`` is the characters
from 17 to before 29. Results therefore hold no text. An example without an answer has an empty label.

Two answers are compared by their words: in lower case, without punctuation and without the articles *a*, *an* and *the*
(Rajpurkar et al. 2016). Of several gold answers, the nearest counts. No answer equals only no answer (SQuAD 2.0).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]
Gold = Sequence[str]
"""The texts of the gold answers; none if there is no answer."""

ANSWER, NO_ANSWER = "answer", "none"
"""Labels of a task: whether an example has an answer."""
_PLACE = re.compile(r"(0|[1-9][0-9]{0,8}):([1-9][0-9]{0,8})")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def place_of(start: int, end: int) -> str:
    """Return a place as text; the end is exclusive."""
    return f"{start}:{end}"


def parse_place(place: object) -> tuple[int, int] | None:
    """Return start and end of a place; None if it is none.

    Examples
    --------
    >>> parse_place("17:29"), parse_place("29:17"), parse_place("17")
    ((17, 29), None, None)
    """
    found = _PLACE.fullmatch(place) if isinstance(place, str) else None
    if found is None:
        return None
    start, end = int(found[1]), int(found[2])
    return (start, end) if start < end else None


def answer_text(text: str, place: str) -> str:
    """Return the answer at a place; an empty text if there is no place.

    Examples
    --------
    >>> answer_text("It was Paris.", "7:12"), answer_text("It was Paris.", "")
    ('Paris', '')
    """
    found = parse_place(place)
    return text[found[0] : found[1]] if found else ""


def answer_words(text: str) -> list[str]:
    """Return the words of an answer that are compared.

    Examples
    --------
    >>> answer_words("The 3,000 (or so) men")
    ['3000', 'or', 'so', 'men']
    """
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact_match_tally(gold: Sequence[Gold], predicted: Sequence[str | Gold], labels: Sequence[str]) -> Counts:
    """Return ``(n_examples, 2)`` counts: whether a gold answer has the same words (0 or 1), and 1."""
    return _tally(gold, predicted, lambda one, other: float(one == other))


def answer_f1_tally(gold: Sequence[Gold], predicted: Sequence[str | Gold], labels: Sequence[str]) -> Counts:
    """Return ``(n_examples, 2)`` counts: the F1 of the words of the nearest gold answer, and 1."""
    return _tally(gold, predicted, _f1)


def answered_tally(gold: Sequence[Gold], predicted: Sequence[str | Gold], labels: Sequence[str]) -> Counts:
    """Return ``(n_examples, 3)`` counts of answers that are given: tp, fp (there is none) and fn (none is given)."""
    counts = np.zeros((len(gold), 3))
    for row, (answers, said) in enumerate(zip(gold, predicted, strict=True)):
        has_answer, is_answered = any(map(answer_words, answers)), bool(_words_of(said))
        counts[row] = has_answer and is_answered, is_answered and not has_answer, has_answer and not is_answered
    return counts


def _tally(
    gold: Sequence[Gold], predicted: Sequence[str | Gold], likeness: Callable[[list[str], list[str]], float]
) -> Counts:
    """Count examples; a prediction may be a list of at most one answer, in the form of a gold label."""
    counts = np.ones((len(gold), 2))
    for row, (answers, said) in enumerate(zip(gold, predicted, strict=True)):
        words = _words_of(said)
        of_gold = [found for answer in answers if (found := answer_words(answer))] or [[]]
        counts[row, 0] = max(likeness(one, words) for one in of_gold)
    return counts


def _words_of(said: str | Gold) -> list[str]:
    return answer_words(said if isinstance(said, str) else next(iter(said), ""))


def _f1(one: list[str], other: list[str]) -> float:
    if not one or not other:
        return float(one == other)
    shared = sum((Counter(one) & Counter(other)).values())
    return 2 * shared / (len(one) + len(other))
