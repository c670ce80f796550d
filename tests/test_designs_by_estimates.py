"""The table of ``docs/how-to/sequential.md`` holds the figures of the trained designs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]


def test_the_page_quotes_the_trained_designs() -> None:
    found = pd.read_csv(ROOT / "tests/benchmarks/results/racing_by_estimates.csv")
    page = (ROOT / "docs/how-to/sequential.md").read_text("utf-8")
    of_all = found[found.budget.isna()]
    assert f"a sequential design of all pairs trained {of_all.pair_runs.item()} pair runs." in page
    table = [[cell.strip() for cell in line.split("|")[2:5]] for line in page.splitlines() if line.startswith("|")]
    admitted = found[found.budget.notna()].sort_values(["budget", "admit"])
    expected = [[f"{row.admit:g}", str(row.pair_runs), str(row.large_found)] for row in admitted.itertuples()]
    assert [row for row in table if row in expected] == expected
