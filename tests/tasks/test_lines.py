"""What of a value a complaint may name."""

from __future__ import annotations

import pytest

from taskaffinity.errors import named

TAGS = ["O", "B-Beast", "I-Beast"]
SLIPPED = ["X-ray", "T-cell", "B-cell", "I-beam", "M-protein", "O-negative", "555-0123", "2019-03-04", "12:30", "X"]


@pytest.mark.parametrize("legal", [TAGS, ["CPR:3", "CPR:4", "false"], []], ids=["tags", "classes", "numbers"])
@pytest.mark.parametrize("value", SLIPPED)
def test_a_word_or_number_of_a_column_that_slipped_is_not_named(value: str, legal: list[str]) -> None:
    characters = "character" if len(value) == 1 else "characters"
    assert named(value, legal) == f"a text of {len(value)} {characters}"


@pytest.mark.parametrize("value", ["B", "S-Beast", "U-beast", "iBeast", "I-Beats", "-1", "0", "5.2", "12"])
def test_a_tag_of_another_scheme_a_misspelt_one_and_a_score_are_named(value: str) -> None:
    assert named(value, TAGS) == repr(value)
