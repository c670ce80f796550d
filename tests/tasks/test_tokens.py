"""Every character is in one word, and every mention has one ``B``."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from taskaffinity.tasks.mentions import strict_mentions
from taskaffinity.tasks.standoff.tokens import drop_overlaps, iob2, word_spans

TEXT = st.text(st.sampled_from(list("abZ1_ -.,'β\n")), min_size=1, max_size=40)
MENTIONS = st.lists(st.tuples(st.integers(0, 39), st.integers(1, 10)), max_size=6)


@given(TEXT, MENTIONS)
def test_mentions_can_be_recovered_from_tags(text: str, places: list[tuple[int, int]]) -> None:
    solid = [i for i, c in enumerate(text) if not c.isspace()]
    drawn = [(solid[i], solid[min(i + n, len(solid)) - 1] + 1) for i, n in places if i < len(solid)]
    mentions, n_dropped = drop_overlaps(drawn)
    assert len(mentions) + n_dropped == len(drawn)
    words, _ = word_spans(text, (0, len(text)), mentions)
    assert "".join(text[a:b] for a, b in words) == "".join(text.split())
    tags = iob2(words, mentions, "X")
    assert [(words[first][0], words[last - 1][1]) for _, first, last in strict_mentions(tags)] == mentions


@given(MENTIONS)
def test_dropped_mention_overlaps_one_at_least_as_long(places: list[tuple[int, int]]) -> None:
    drawn = [(start, start + length) for start, length in places]
    kept, _ = drop_overlaps(drawn)
    assert all(a[1] <= b[0] for a, b in pairwise(kept))
    for start, end in set(drawn) - set(kept):
        assert any(a < end and start < b and b - a >= end - start for a, b in kept)


def test_touching_mentions_stay_separate() -> None:
    words, n_cut = word_spans("abcd", (0, 4), [(0, 2), (2, 4)])
    assert n_cut == 1
    assert iob2(words, [(0, 2), (2, 4)], "X") == ("B-X", "B-X")
