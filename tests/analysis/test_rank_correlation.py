"""Rank correlations over tasks, and what chance makes of so few: against slow second ways and enumerations."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from taskaffinity.analysis.statistics.rank_correlation import (
    across_arrows,
    across_tasks,
    arrow_associations,
    task_associations,
)

RNG = np.random.default_rng(0)


def test_over_tasks_it_is_spearmans_correlation_with_the_exact_permutation_p() -> None:
    one, other = [1.0, 2.0, 2.0, 5.0, 9.0, 4.0], [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]
    found = across_tasks(one, other, RNG)
    rho = stats.spearmanr(one, other).statistic
    relabelled = [abs(stats.spearmanr(order, other).statistic) for order in permutations(one)]
    assert found.rho == pytest.approx(rho)
    assert found.p == pytest.approx(np.mean([each >= abs(rho) - 1e-9 for each in relabelled]))
    without = [stats.spearmanr(np.delete(one, k), np.delete(other, k)).statistic for k in range(6)]
    assert (found.least, found.most) == pytest.approx((min(without), max(without)))
    assert np.mean([each >= found.by_chance - 1e-6 for each in relabelled]) <= 0.05
    below = max(each for each in relabelled if each < found.by_chance - 1e-6)
    assert np.mean([each >= below - 1e-6 for each in relabelled]) > 0.05


def test_four_tasks_can_show_nothing() -> None:
    found = across_tasks([1, 2, 3, 4], [1, 2, 3, 4], RNG)
    assert found.rho == pytest.approx(1)
    assert found.p == pytest.approx(2 / 24)
    assert math.isnan(found.by_chance)


def test_holes_and_constants_are_left_out_or_say_nothing() -> None:
    assert across_tasks([1, 2, math.nan, 4, 5], [1, 2, 3, 4, 5], RNG).n_tasks == 4
    assert math.isnan(across_tasks([math.nan] * 4, [1, 2, 3, 4], RNG).rho)
    assert math.isnan(across_arrows(np.ones((1, 1)), np.ones((1, 1)), RNG).p)
    flat = across_tasks([1, 1, 1, 1], [1, 2, 3, 4], RNG)
    assert math.isnan(flat.rho)
    assert math.isnan(flat.p)
    assert flat.n_tasks == 4
    grid = np.arange(16.0).reshape(4, 4)
    holed = grid.copy()
    holed[0, 1] = np.nan
    assert math.isnan(across_arrows(grid, holed, RNG).rho)
    assert math.isnan(across_arrows(np.tile([1.0, 2.0, 3.0, 4.0], (4, 1)), grid, RNG).rho)  # depends on the target only


def test_over_arrows_it_is_the_mean_over_targets_of_their_own_correlation() -> None:
    rng = np.random.default_rng(1)
    size = 5
    values, gains = rng.normal(size=(2, size, size))
    found = across_arrows(values, gains, rng)

    def slow(order: tuple[int, ...]) -> float:
        moved = values[np.ix_(order, order)]
        columns = ([s for s in range(size) if s != t] for t in range(size))
        return float(np.mean([stats.spearmanr(moved[k, t], gains[k, t]).statistic for t, k in enumerate(columns)]))

    assert found.rho == pytest.approx(slow(tuple(range(size))))
    relabelled = [abs(slow(order)) for order in permutations(range(size))]
    assert found.p == pytest.approx(np.mean([each >= abs(found.rho) - 1e-9 for each in relabelled]))


def test_a_scale_of_a_targets_own_does_not_matter_and_renaming_tasks_neither() -> None:
    rng = np.random.default_rng(2)
    values, gains = rng.normal(size=(2, 5, 5))
    found = across_arrows(values, gains, rng)
    assert across_arrows(values, gains * np.array([1, 10, 0.1, 3, 2]) + np.arange(5), rng) == found
    order = rng.permutation(5)
    moved = np.ix_(order, order)
    assert across_arrows(values[moved], gains[moved], rng).p == pytest.approx(found.p)


def test_a_property_that_has_nothing_to_do_with_the_gains_is_found_in_one_study_of_twenty() -> None:
    """Gains share a source's and a target's part, which a test that took arrows for independent would be fooled by."""
    rng = np.random.default_rng(3)
    called = []
    for _ in range(200):
        gains, values = (rng.normal(size=(5, 1)) * 3 + rng.normal(size=5) + rng.normal(size=(5, 5)) for _ in range(2))
        called.append(across_arrows(values, gains, rng).p <= 0.05)
    assert 0.01 <= np.mean(called) <= 0.09


@pytest.mark.parametrize(
    ("studies", "apart", "significant"),
    [
        (25, 1.0, (0.12, 0.64)),
        (25, 20.0, (0.0, 0.24)),
        pytest.param(150, 1.0, (0.25, 0.5), marks=pytest.mark.slow),
        pytest.param(150, 20.0, (0.01, 0.15), marks=pytest.mark.slow),
    ],
)
def test_headroom_and_gain_share_the_noise_of_the_single_task_score(
    studies: int, apart: float, significant: tuple[float, float]
) -> None:
    """As the docstring warns: eight tasks, pairs without effect; units are SDs over seeds, with one seed each."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(studies):
        true = apart * rng.normal(size=8)
        single = true + rng.normal(size=8)
        gain_in = true + rng.normal(size=(7, 8)).mean(axis=0) - single  # over seven sources
        found.append(across_tasks(-single, gain_in, rng).p <= 0.05)
    assert significant[0] <= np.mean(found) <= significant[1]


def test_above_eight_tasks_orders_are_drawn_and_the_same_generator_gives_the_same() -> None:
    one, other = np.random.default_rng(4).normal(size=(2, 12))
    first, second = (across_tasks(one, other, np.random.default_rng(seed)) for seed in (5, 5))
    assert first == second
    assert first.p == pytest.approx(stats.spearmanr(one, other).pvalue, abs=0.02)


def test_a_table_of_properties_has_their_q() -> None:
    rng = np.random.default_rng(6)
    names = "abcdef"
    arrows = pd.DataFrame([(s, t) for s in names for t in names if s != t], columns=["source", "target"])
    arrows["gain"] = rng.normal(size=30)
    arrows["copy"] = arrows.gain**3
    arrows["noise"] = rng.normal(size=30)
    arrows["flat"] = 1.0
    found = arrow_associations(arrows, ["copy", "noise", "flat"], rng)
    assert found.rho["copy"] == pytest.approx(1)
    assert found.p["copy"] == pytest.approx(1 / 720)
    assert found.q["copy"] == pytest.approx(2 / 720)
    assert found.p["noise"] > 0.05
    assert math.isnan(found.q["flat"])


def test_a_table_of_properties_of_tasks_has_their_q_too() -> None:
    tasks = pd.DataFrame(
        {"out": [1, 2, 3, 4, 5], "same": [1, 4, 9, 16, 25], "other": [2, 1, 2, 1, 2]}, index=list("abcde")
    )
    found = task_associations(tasks, ["same", "other"], "out", np.random.default_rng(0))
    assert found.p["same"] == pytest.approx(2 / 120)
    assert found.q["same"] == pytest.approx(4 / 120)
    assert found.rho["other"] == pytest.approx(0)
