"""Races on made-up scores: decisions by hand and by scipy, and how often a race keeps the best set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import ttest_rel

from taskaffinity.grouping.helper_race import (
    Helpers,
    Race,
    RaceRule,
    ScoresOf,
    clearly_below_best,
    race,
    residual_variance,
    select_by_racing,
)

Scores = npt.NDArray[np.float64]


def of_table(table: Scores, calls: list[tuple[tuple[Helpers, ...], int]] | None = None) -> ScoresOf:
    """Scores of a first step: row 0 is the single task, row 1 + s the pair with source s."""

    def scores_of(sets: Sequence[Helpers], n: int) -> Scores:
        if calls is not None:
            calls.append((tuple(sets), n))
        return np.array([table[1 + one[-1] if one else 0, :n] for one in sets])

    return scores_of


def run(table: Scores, risk: float | None = 0.05, first: int = 2) -> Race:
    return race((), range(len(table) - 1), RaceRule(table.shape[1], risk), of_table(table), first=first)


@pytest.mark.parametrize("risk", [0.2, 0.05, 0.01])
def test_with_one_candidate_the_choice_is_the_paired_t_test(risk: float) -> None:
    rng, chosen = np.random.default_rng(1), 0
    for _ in range(60):
        table = rng.normal(70, 3, (1, 4)) + rng.normal([[0], [1.5]], 1, (2, 4))
        found = race((), [0], RaceRule(4, risk), of_table(table), first=4)
        is_better = ttest_rel(table[1], table[0], alternative="greater").pvalue < risk
        assert (found.chosen is not None) is bool(is_better)
        assert found.candidates[0].difference == pytest.approx(table[1].mean() - table[0].mean())
        chosen += found.chosen is not None
    assert 0 < chosen < 60


def test_the_variance_of_a_complete_step_is_that_of_its_double_centred_scores() -> None:
    scores = np.random.default_rng(2).normal(size=(5, 3))
    rest = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
    assert residual_variance(scores) == pytest.approx((np.sum(rest**2) / (4 * 2), 4 * 2))
    shifted = scores + np.array([[0.0], [5.0], [-3.0], [1.0], [9.0]]) + np.array([1.0, -2.0, 4.0])
    assert residual_variance(shifted)[0] == pytest.approx(residual_variance(scores)[0])
    shifted[4, 2] = np.nan  # dropped after two seeds: one score and one degree of freedom less
    assert residual_variance(shifted)[1] == 7


def test_clearly_bad_sets_get_no_more_seeds_and_the_others_get_all() -> None:
    table = np.array(
        [[50.0, 51, 50, 51], [60, 61, 60.2, 61], [59.8, 61.1, 60, 61.3], [20, 21.1, 20, 20], [50, 51, 50, 51]]
    )
    calls: list[tuple[tuple[Helpers, ...], int]] = []
    found = race((), range(4), RaceRule(4, 0.05), of_table(table, calls))
    assert calls == [
        (((), (0,), (1,), (2,), (3,)), 2),
        (((), (0,), (1,)), 3),
        (((), (0,), (1,)), 4),
    ]
    assert [one.decision for one in found.candidates] == ["chosen", "not chosen", "dropped", "dropped"]
    assert [len(one.scores) for one in found.candidates] == [4, 4, 2, 2]
    assert found.scores == (50.0, 51.0, 50.0, 51.0)  # of the current set
    assert found.candidates[2].difference == pytest.approx(-29.95)
    assert len(run(table, first=3).candidates[2].scores) == 3  # no decision before the first three seeds


def test_sets_below_the_current_one_end_the_step_early_and_ties_choose_nothing() -> None:
    table = np.array([[80.0, 81, 80, 80], [50, 51, 50, 50], [40, 41, 40, 40.1]])
    table[:, 1] += [0.1, -0.1, 0.2]
    found = run(table)
    assert ([one.decision for one in found.candidates], len(found.scores)) == (["dropped", "dropped"], 2)
    assert run(np.full((3, 3), 70.0)).chosen is None


def test_a_single_candidate_gets_all_seeds_unless_it_is_clearly_below() -> None:
    found = run(np.array([[50.0, 51, 50, 51], [50.2, 51.1, 49.9, 51.3]]))
    assert ([len(one.scores) for one in found.candidates], len(found.scores)) == ([4], 4)


def test_without_a_risk_differences_decide() -> None:
    table = np.array([[50.0, 51, 50], [50, 51, 51], [49, 51, 90]])  # after two seeds: level, and below
    assert [one.decision for one in run(table, risk=None).candidates] == ["chosen", "dropped"]
    table[1, 2] = 50
    assert [one.decision for one in run(table, risk=None).candidates] == ["not chosen", "dropped"]


def test_a_failed_set_is_left_out() -> None:
    table = np.array([[50.0, 51, 50], [70, np.nan, 71], [60, 61, 60.5]])
    found = run(table)
    assert [one.decision for one in found.candidates] == ["failed", "chosen"]
    assert np.isnan(found.candidates[0].difference)


def test_only_sets_that_have_all_seeds_are_compared() -> None:
    scores = np.array([[1.0, 1.1], [9.0, np.nan], [5.0, 5.2]])
    racing = np.array([True, False, True])
    assert clearly_below_best(scores, racing, RaceRule(3, None), tests=1).tolist() == [True, False, False]


def test_steps_add_one_helper_until_none_is_better_or_the_limit_is_reached() -> None:
    effect = {(): 50.0, (1,): 60.0, (1, 2): 65.0, (0, 2): 90.0}  # 0 and 2 help together only
    noise = np.random.default_rng(3)

    def scores_of(sets: Sequence[Helpers], n: int) -> Scores:
        best = [effect.get(tuple(sorted(one)), 50.0) for one in sets]
        return np.array(best)[:, None] + noise.normal(0, 0.1, (len(sets), n))

    found = list(select_by_racing(range(3), RaceRule(3, 0.05), scores_of, most=3))
    assert [step.chosen.helpers if step.chosen else None for step in found] == [(1,), (1, 2), None]
    assert [step.current for step in found] == [(), (1,), (1, 2)]
    assert len(list(select_by_racing(range(3), RaceRule(3, 0.05), scores_of, most=1))) == 1


def simulated(means: Sequence[float], sds: Sequence[float], reps: int) -> tuple[float, float, float]:
    """Return how often the best candidate is not dropped, how often any is chosen, and the share of runs trained."""
    rng, best = np.random.default_rng(4), int(np.argmax(means[1:]))
    kept = chosen = runs = 0
    for _ in range(reps):
        common = rng.normal(0, 1, 5)
        table = np.array(means)[:, None] + common + np.array(sds)[:, None] * rng.normal(0, 1, (len(means), 5))
        found = run(table)
        kept += found.candidates[best].decision != "dropped"
        chosen += found.chosen is not None
        runs += sum(len(one.scores) for one in found.candidates)
    return kept / reps, chosen / reps, runs / (reps * 5 * (len(means) - 1))


def test_a_race_keeps_the_best_of_seven_sets_and_chooses_none_that_is_no_better() -> None:
    """At a risk of 5%, with up to five seeds and normal scores; a simulated share has an error of about 1.3%."""
    equal = [1.0] * 8
    kept, chosen, _ = simulated([0.0] * 8, equal, 300)
    assert kept >= 0.92
    assert chosen <= 0.08
    kept, chosen, runs = simulated([0.0, *np.linspace(-6, 6, 7)], equal, 300)
    assert kept >= 0.97
    assert chosen >= 0.97
    assert runs <= 0.75
