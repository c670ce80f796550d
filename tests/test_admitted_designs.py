"""The simulation of designs whose pairs estimates admit, and its committed rates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from admitted_designs import DESIGNS, RESULTS, SD, STUDIES, admitted_arrows, draw_estimates, judged
from compared_tests import NEW, error_of, evidence_of, rule_of
from simulated import draw_study
from simulated_worlds import World
from verdict_procedures import INTERIM_SEEDS, run_sequential, score

WORLD = World(tasks=3, n_test=200, seeds_pair=INTERIM_SEEDS[-1])


def test_a_design_that_defers_nothing_is_the_usual_one() -> None:
    study, rule = draw_study(np.random.default_rng(3), WORLD, np.full((3, 3), 0.4)), rule_of(NEW)
    verdict, saved = run_sequential(study.arms, rule)
    every = judged(study, rule, np.ones((3, 3), dtype=bool))
    assert every == judged(study, rule, None)
    assert every["pair_runs_saved"] == pytest.approx(saved)
    assert {name: every[name] for name in score(verdict, study.gains)} == score(verdict, study.gains)
    one = np.zeros((3, 3), dtype=bool)
    one[0, 1] = one[1, 0] = True
    few = judged(study, rule, one)
    assert (few["deferred"], every["deferred"]) == (4, 0)
    assert few["pair_runs_saved"] >= 2 / 3
    assert few["coloured_of_two_points"] <= 2 / 6


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_estimates_have_the_planted_error_and_share_the_planted_part_of_it(shared: float) -> None:
    rng, rule, errors, luck = np.random.default_rng(0), rule_of(NEW), [], []
    arrows = ~np.eye(3, dtype=bool)
    for _ in range(60):
        study = draw_study(rng, WORLD)
        error = error_of(evidence_of(study.arms, rule), rule)
        errors += list(draw_estimates(rng, study, rule, shared).probe[arrows] / SD)
        luck += list(((error.gain - study.gains) / error.se)[arrows])
    assert np.std(errors) == pytest.approx(1, abs=0.15)
    assert np.corrcoef(errors, luck)[0, 1] == pytest.approx(shared, abs=0.2)


def test_a_clear_estimate_admits_its_pair() -> None:
    rng, rule = np.random.default_rng(0), rule_of(NEW)
    shifts = np.zeros((3, 3))
    shifts[0, 1] = 3.0
    admitted = [admitted_arrows(s, draw_estimates(rng, s, rule, 0.0)) for s in (draw_study(rng, WORLD, shifts),) * 8]
    assert all(one[0, 1] and one[1, 0] for one in admitted)
    assert not all(one.sum() == 6 for one in admitted)


def test_the_committed_rates_are_within_the_stated_bounds() -> None:
    found = pd.read_csv(RESULTS / "by_estimates.csv")
    assert [(row.cell, row.design, row.studies) for row in found.itertuples()] == [
        (cell, design, studies) for cell, studies in STUDIES.items() for design in DESIGNS
    ]
    assert (found.false_colours <= 0.05).all()
    assert (found.false_no_effect <= 0.05).all()
    mixed = found[found.cell == "half null"].set_index("design")
    assert (mixed.large_of_deferred <= 0.10).all()  # above it, the bound of one standard error leaves out too much
    assert (mixed.pair_runs_saved[1:] > mixed.pair_runs_saved.iloc[0] + 0.1).all()
