"""A small draw of what ``benchmarks/error_rates.py`` measures in full, and its committed figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from error_rates import RESULTS, _score
from simulated import NOISES, SIMULATED_METRICS, Target, draw_arm, draw_examples, draw_study, true_score

from taskaffinity.analysis.statistics.standard_errors import standard_error


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("metric", SIMULATED_METRICS)
def test_the_simulations_true_scores_are_those_of_a_large_draw(metric: str, noise: str) -> None:
    rng, target = np.random.default_rng(0), Target(1.2, 0.1)
    for shift in (0.0, 0.3):
        runs = [draw_arm(rng, metric, target, draw_examples(rng, metric, 4000), 1, noise, shift) for _ in range(150)]
        scores = np.array([arm.scores[0] for arm in runs])
        error = scores.std(ddof=1) / np.sqrt(len(scores))
        assert scores.mean() == pytest.approx(true_score(metric, target, shift, noise), abs=4 * error)


@pytest.mark.parametrize("metric", SIMULATED_METRICS)
def test_true_nulls_are_called_at_the_stated_rate(metric: str) -> None:
    rng, called = np.random.default_rng(3), []
    for _ in range(60):
        arms, _ = draw_study(rng, metric, shifts=np.zeros((4, 4)), n_test=300, seeds_pair=3, seeds_single=6)
        called += (standard_error(arms.evidence).p()[~np.eye(4, dtype=bool)] <= 0.05).tolist()
    assert 0.015 <= np.mean(called) <= 0.09  # 720 arrows, three to a single arm


def test_the_score_of_a_study_counts_what_it_says() -> None:
    gains = np.array([[np.nan, 0.03, 0.0], [-0.03, np.nan, 0.012], [0.0, 0.0, np.nan]])
    verdict = np.array(
        [["", "improves", "improves"], ["improves", "", "no effect"], ["no effect", "inconclusive", ""]], dtype=object
    )
    scores = _score(verdict, gains)
    assert scores["false_colours"] == pytest.approx(2 / 3)
    assert scores["reversed"] == 1
    assert scores["false_no_effect"] == pytest.approx(1 / 2)


def test_the_committed_figures_keep_the_promise() -> None:
    rates = pd.read_csv(Path(RESULTS) / "error_rates.csv")
    assert len(rates) == 2 * 3 * 2 * 5
    assert rates.type1.between(0.02, 0.06 + 2 * 0.0025).all()
    assert rates.coverage.between(0.93, 0.98).all()
    power = pd.read_csv(Path(RESULTS) / "power.csv").set_index(["tasks", "test"]).power
    for tasks in (4, 8):
        found = power[tasks]
        assert found["moderated"] > found["student"] > found["welch"] > found["paired"]
        assert found["moderated"] >= 0.45
    discoveries = pd.read_csv(Path(RESULTS) / "false_discoveries.csv")
    assert (discoveries[["false_colours", "false_no_effect"]] <= 0.05).all(axis=None)
