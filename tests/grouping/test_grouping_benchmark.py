"""The committed benchmark of groups is what the code gives today, and the page quotes it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from grouping import MODELS, RESULTS, TRUTH, matrix_of

from taskaffinity.grouping.budget import Budget
from taskaffinity.grouping.exact import best_grouping

FIGURES = pd.read_csv(RESULTS / "grouping.csv")
PAGE = (Path(__file__).parents[2] / "docs/reference/benchmarks.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Groups of tasks")[2].partition("\n## ")[0]


def test_the_best_groups_of_planted_eight_have_the_committed_value() -> None:
    truth = matrix_of(pd.read_csv(TRUTH), "gain")
    value = best_grouping(truth, Budget.of_models(MODELS[0], len(truth))).values(truth).mean()
    rows = FIGURES[(FIGURES["gains"] == "planted-8") & (FIGURES["models"] == MODELS[0])]
    assert rows["best"].to_numpy() == pytest.approx(value, abs=1e-4)
    assert (rows["regret"] > -1e-4).all()


def test_the_page_quotes_the_committed_figures() -> None:
    planted = FIGURES[FIGURES["gains"] == "planted-8"]
    expected = []
    for models, rows in planted.groupby("models"):
        regret = rows[rows["choice"] == "bounds"]["regret"].max()
        together = rows[rows["choice"] == "all in one"]["regret"].mean()
        expected.append(f"| {models} | {rows['best'].mean():.2f} | {regret:.2f} | {together:.2f} |")
    random = FIGURES[FIGURES["gains"] == "random"]
    for tasks, rows in random[random["choice"] == "exact"].groupby("tasks"):
        expected.append(f"| {tasks} | {rows['seconds'].mean():.2f} | {rows['seconds'].max():.2f} |")
    quoted = [line.replace("| .", "| 0.") for line in SECTION.splitlines()]
    assert set(expected) <= set(quoted)
    swaps = random[random["choice"] == "swaps"]
    assert f"find the best groups in {(swaps['regret'] < 1e-6).sum()} of {len(swaps)}" in SECTION.replace("\n", " ")
    assert swaps["seconds"].max() <= 0.4
