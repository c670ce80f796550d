"""Null arrows of the newer kinds of task: their simulated counts, and the committed rates of ``null_kinds.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from error_rates import RESULTS
from fresh_test_sets import PLANNED, measure_fresh
from null_kinds import KINDS, SIMULATED, PlannedKind, describe_kind, measure_kind, planned
from simulated_kinds import FORMS, N_TEXTS, OPTIONS, Latent, count, members
from simulated_worlds import World
from sklearn.metrics import f1_score

from taskaffinity.tasks.kinds import DEFAULT_METRIC
from taskaffinity.tasks.metrics import METRICS

EVERY = [(form, metric) for form, metrics in SIMULATED.items() for metric in metrics]
PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "standard-errors.md"
BROKEN: dict[str, float] = {}
"""Rows whose type I error is not within .02 and .065, and that error; the page names each figure."""


def draw(form: tuple[str, str], n: int, n_runs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return gold labels and predictions as codes."""
    rng = np.random.default_rng(seed)
    gold = FORMS[form].draw_gold(rng, n)
    effects = rng.standard_normal((2, n)) * [[2.0], [0.4]]
    latent = Latent(1.0, *effects, 0.15 * rng.standard_normal((n_runs, 1)))
    return gold, FORMS[form].predict(rng, gold, latent)


def score_of_codes(form: tuple[str, str], metric: str, gold: np.ndarray, run: np.ndarray) -> float:
    """Return the score of a run without the package's metrics."""
    if metric == "pearson":
        return float(np.corrcoef(gold, run)[0, 1])
    if form[0] == "multilabel":
        average = {"multilabel_f1": "micro", "macro_f1": "macro"}[metric]
        return float(f1_score(members(gold), members(run), average=average))
    if metric == "micro_f1":
        return float(f1_score(gold, run, labels=[1, 2, 3], average="micro"))
    right = np.array([place for _, place in OPTIONS])[gold] if form[0] == "choice" else gold
    return float((right == run).mean())


@pytest.mark.parametrize(("form", "metric"), [each for each in EVERY if each[0][0] != "spans"], ids=str)
def test_counts_of_codes_score_as_their_labels(form: tuple[str, str], metric: str) -> None:
    gold, predicted = draw(form, 400, 3)
    found = METRICS[metric].score_examples(count(form, metric, gold, predicted))
    expected = [score_of_codes(form, metric, gold, run) for run in predicted]
    assert found == pytest.approx(expected, abs=1e-9)
    assert 0.3 < min(expected) < max(expected) < 0.95
    assert len(set(expected)) == 3  # runs differ


def test_answers_are_right_moved_elsewhere_or_none() -> None:
    codes = np.broadcast_to(np.arange(7)[:, None], (7, N_TEXTS))
    exact, overlap = (
        count(("spans", "answers"), metric, np.arange(N_TEXTS), codes)[..., 0].T
        for metric in ("exact_match", "answer_f1")
    )
    assert (exact[:, 0] == 1).all()
    assert (overlap >= exact).all()
    moved = overlap[:, 1:5]
    assert 0.2 < ((moved > 0) & (moved < 1)).mean() < 0.9
    has_answer = overlap[:, 1:].any(axis=1)
    assert 0.7 < has_answer.mean() < 0.9
    assert exact[:, 5:].mean() < 0.05


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_null_arrows_are_called_at_the_stated_rate(form: tuple[str, str]) -> None:
    found = measure_kind(PlannedKind(form, World(SIMULATED[form][0], 3, 100), 30), 30)
    assert found["replications"] == 180
    assert 0.005 <= found["type1"] <= 0.12  # 180 arrows, two to a single arm


@pytest.mark.parametrize(
    ("form", "metric", "n_test", "most"),
    [
        (("regression", "skewed numbers"), "pearson", 100, 0.08),  # a linear approximation errs in 11%
        (("multilabel", "6 labels"), "macro_f1", 30, 0.05),  # and here, too
        (("classification", "4 classes"), "accuracy", 100, 0.08),
    ],
    ids=str,
)
def test_intervals_over_examples_hold_the_truth(form: tuple[str, str], metric: str, n_test: int, most: float) -> None:
    assert 0.005 <= measure_fresh(form, metric, n_test, 500)["outside"] <= most


# The committed figures


def test_intervals_over_examples_are_committed_and_hold_the_truth() -> None:
    found = pd.read_csv(Path(RESULTS) / "fresh_test_sets.csv")
    wanted = [(*form, metric, n) for form, metric, sizes in PLANNED for n in sizes]
    assert list(found[["kind", "labels", "metric", "n_test"]].itertuples(index=False, name=None)) == wanted
    assert (found.test_sets >= 3000).all()
    assert (found.outside <= 0.06).all()
    assert (found.variance_ratio >= 0.95).all()


@pytest.fixture(scope="module")
def rates() -> pd.DataFrame:
    return pd.read_csv(Path(RESULTS) / "error_rates_kinds.csv")


def row_name(row: pd.Series) -> str:
    parts = [f"{row.kind}, {row.labels}: {row.metric}", f"{row.tasks} tasks", f"{row.n_test} examples", row.noise]
    return ", ".join([*parts, *([f"{row.documents} documents"] if row.documents else [])])


def test_every_planned_row_is_committed(rates: pd.DataFrame) -> None:
    wanted = pd.DataFrame([{**describe_kind(row), "studies": row.studies} for kind in KINDS for row in planned(kind)])
    order = list(wanted)[:-1]
    found = rates[list(wanted)].sort_values(order).reset_index(drop=True)
    pd.testing.assert_frame_equal(found, wanted.sort_values(order).reset_index(drop=True))
    assert {(kind, DEFAULT_METRIC[kind]) for kind in KINDS} <= set(zip(rates.kind, rates.metric, strict=True))


def test_null_arrows_of_every_kind_are_called_as_often_as_stated(rates: pd.DataFrame) -> None:
    assert (rates.replications >= 6000).all()
    assert (rates.type1_error <= 0.005).all()
    outside = rates[~rates.type1.between(0.02, 0.065)]
    found = {row_name(row): row.type1 for _, row in outside.iterrows()}
    assert found == {name: pytest.approx(figure, abs=1e-4) for name, figure in BROKEN.items()}, found
    for figure in BROKEN.values():
        assert f"{100 * figure:.1f}%" in PAGE.read_text(encoding="utf-8")


def test_the_far_tail_of_every_kind_is_at_most_half_too_thick(rates: pd.DataFrame) -> None:
    assert (rates[rates.tasks == 8].replications >= 56_000).all()
    assert (rates.type1_001 <= 0.0015 + 2 * rates.type1_001_error).all(), rates[["kind", "metric", "type1_001"]]
