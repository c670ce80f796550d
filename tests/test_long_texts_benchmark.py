"""The planted task whose evidence lies past the first input: lost when texts are cut, found in windows."""

from __future__ import annotations

import pandas as pd
import pytest
from long_texts import READINGS, RESULTS, measure


def check(found: pd.DataFrame) -> None:
    scores = found.set_index(["task", "reading"]).test
    assert set(scores.index) == {(task, reading) for task, readings in READINGS.items() for reading in readings}
    assert 35 <= scores["class", "truncate"] <= 65  # 200 texts of two equally frequent classes
    assert scores["mentions", "truncate"] == 0
    assert scores["class", "windows, mean"] >= 95
    assert scores["class", "windows, max"] >= 95
    assert scores["mentions", "windows"] >= 95


def test_committed_rows_have_their_evidence_past_piece_512() -> None:
    found = pd.read_csv(RESULTS)
    assert (found.max_length == 512).all()
    check(found)


@pytest.mark.slow
def test_evidence_past_the_first_input_is_lost_when_cut_and_found_in_windows() -> None:
    check(pd.DataFrame(measure(32, 80, (160, 60, 200), 12)))
