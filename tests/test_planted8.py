"""How the benchmark of ``planted-8`` judges a study by its reference, whose gains have errors too."""

from __future__ import annotations

import pandas as pd
import pytest
from planted8 import judge

REFERENCE = pd.DataFrame(
    [
        ("a", "b", 10.0, 9.0, 11.0),
        ("a", "c", -6.0, -7.0, -5.0),
        ("b", "a", 0.1, -0.4, 0.6),
        ("b", "c", 1.2, 0.7, 1.7),
        ("c", "a", 1.5, 1.1, 1.9),
        ("c", "b", 0.0, -0.9, 0.9),
    ],
    columns=["source", "target", "gain", "low", "high"],
)


def study(*arrows: tuple[float, float, str]) -> pd.DataFrame:
    rows = [(gain, gain - half, gain + half, verdict) for gain, half, verdict in arrows]
    frame = pd.DataFrame(rows, columns=["gain", "low", "high", "verdict"])
    return pd.concat([REFERENCE[["source", "target"]], frame], axis=1)


def test_errors_of_both_sides_count() -> None:
    found = judge(
        study(
            (13.0, 3.0, "improves"),  # 3.0 apart; the half widths are 3 and 1
            (-9.3, 3.0, "degrades"),  # 3.3 apart: beyond the root of 10
            (0.1, 0.5, "no effect"),
            (0.0, 1.2, "no effect"),  # the reference's interval has gains within the margin
            (0.3, 0.5, "no effect"),  # the reference excludes them
            (1.0, 0.4, "improves"),  # a null
        ),
        REFERENCE,
    )
    assert found["covered"] == pytest.approx(3 / 6, abs=1e-3)
    assert found["wrong_no_effect"] == 1
    assert (found["large"], found["large_found"]) == (2, 2)
    assert (found["nulls"], found["nulls_coloured"]) == (2, 1)
    assert found["sign_errors"] == 0
    assert (found["recall_improves"], found["recall_degrades"]) == (1.0, 1.0)


def test_a_reversed_arrow_is_a_sign_error() -> None:
    inconclusive = (0.0, 5.0, "inconclusive")
    found = judge(study((-4.0, 3.0, "degrades"), *[inconclusive] * 5), REFERENCE)
    assert (found["sign_errors"], found["large_found"], found["inconclusive"]) == (1, 0, 5)
