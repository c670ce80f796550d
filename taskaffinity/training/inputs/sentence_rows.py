"""Split long tagged sentences into rows, before they are tokenized.

A tagged sentence of more than ``max_words`` words is split into several rows:

* In train, a row ends after the last ``O`` tag among the next ``max_words`` words, so that no mention is split (the
  paper's rule). Without an ``O`` tag, it ends after ``max_words`` words.
* In dev and test, a row ends after the last punctuation mark among them, because a split at a gold ``O`` would leak
  gold tags. A mention across such a split counts as missed.
* Dev examples that are trained on are split by the rule of train. Their scored copies are split as in test.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from taskaffinity.tasks.reading import WHOLE, Reading
from taskaffinity.tasks.task import Example, tags_of


def words_per_row(reading: Reading, max_words: int) -> int:
    """Return the longest row of a tagged sentence, in words.

    ``max_words`` is the recipe's setting.
    """
    own = max_words if reading.max_words is None else reading.max_words
    return sys.maxsize if own == WHOLE else own


def cut_sentence(may_cut: Sequence[bool], max_words: int) -> list[tuple[int, int]]:
    """Split a sentence into ranges of at most ``max_words`` words.

    Each range except the last ends after the last word that may end a range, or after ``max_words`` words.

    Parameters
    ----------
    may_cut : (n_words,) sequence of bool
        Whether a range may end after each word.

    Examples
    --------
    >>> cut_sentence([False, True, False, False, False], 3)
    [(0, 2), (2, 5)]
    """
    ranges: list[tuple[int, int]] = []
    first = 0
    while len(may_cut) - first > max_words:
        ends = [i + 1 for i in range(first, first + max_words) if may_cut[i]]
        ranges.append((first, ends[-1] if ends else first + max_words))
        first = ranges[-1][1]
    ranges.append((first, len(may_cut)))
    return ranges


def sentence_rows(examples: Sequence[Example], max_words: int, *, is_train: bool) -> list[tuple[int, int, int]]:
    """Return example number, first word and last word + 1 of each row of tagged sentences."""
    rows: list[tuple[int, int, int]] = []
    for number, example in enumerate(examples):
        may_cut = [tag == "O" for tag in tags_of(example)] if is_train else [not _has_letter(w) for w in example.words]
        rows += [(number, first, last) for first, last in cut_sentence(may_cut, max_words)]
    return rows


def _has_letter(word: str) -> bool:
    return any(character.isalnum() for character in word)
