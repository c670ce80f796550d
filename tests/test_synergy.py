"""The planted synergy: neither word alone says anything about the label, both together say it."""

from __future__ import annotations

from collections import Counter

import pytest
from synergy import FAMILY, LABELS, SHOWN, SUITE

from taskaffinity.tasks.planted import CONTENT
from taskaffinity.tasks.task import Example, Split

PLACES = {str(word): (of_class, number) for of_class, row in enumerate(CONTENT) for number, word in enumerate(row)}


def places(example: Example) -> list[tuple[int, int]]:
    """Return the class and the number of each content word."""
    return [PLACES[word] for word in f"{example.text} {example.text_pair}".split() if word in PLACES]


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_the_label_follows_from_both_words_and_from_neither(split: Split) -> None:
    examples = SUITE["target"].read(split)
    of_one: list[Counter[tuple[bool, str]]] = [Counter(), Counter()]
    for example in examples:
        (first, number), (second, other_number) = places(example)
        is_low, also_low = first < 2, second < 2
        assert example.label == ("same" if is_low == also_low else "different")
        of_one[0][is_low, str(example.label)] += 1
        of_one[1][also_low, str(example.label)] += 1
        assert number < FAMILY <= other_number
        assert (number < SHOWN) == (other_number < FAMILY + SHOWN) == (split == "train")
    for counts in of_one:
        for is_low in (False, True):
            same, different = (counts[is_low, label] for label in LABELS)
            assert abs(same / (same + different) - 0.5) < 0.1  # more than two standard errors of the smallest split


def test_each_source_has_all_words_of_its_family() -> None:
    for name, numbers in (("first", range(FAMILY)), ("second", range(FAMILY, 2 * FAMILY))):
        seen = {PLACES[word] for example in SUITE[name].read("train") for word in example.words if word in PLACES}
        assert seen == {(of_class, number) for of_class in range(len(CONTENT)) for number in numbers}
