"""The laws of the simulated studies: their true gains, documents, unequal arms and collapsed runs are as planted."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import draw_arm, draw_documents, draw_effects, draw_examples, draw_study
from simulated_worlds import (
    NOISES,
    SHARED_EASE,
    SIMULATED_METRICS,
    Condition,
    Target,
    World,
    collapsed_score,
    null_shift,
    true_score,
)

METRICS = (*SIMULATED_METRICS, "macro_f1")


@pytest.mark.parametrize("condition", [Condition(1), Condition(1, 0.3), Condition(1, 0.0, 5.0)], ids=str)
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("metric", METRICS)
def test_true_scores_are_those_of_a_large_draw(metric: str, noise: str, condition: Condition) -> None:
    rng, target, world = np.random.default_rng(0), Target(1.2, 0.1), World(metric, n_test=4000, noise=noise)
    drawn = [draw_arm(rng, world, target, draw_examples(rng, world), condition)[0].scores[0] for _ in range(150)]
    error = np.std(drawn, ddof=1) / np.sqrt(len(drawn))
    assert np.mean(drawn) == pytest.approx(true_score(world, target, condition), abs=4 * error)


def test_documents_do_not_change_the_true_score() -> None:
    rng, target, world = np.random.default_rng(1), Target(1.2, 0.1), World(documents=10, sizes="dirichlet")
    drawn = [draw_arm(rng, world, target, draw_examples(rng, world), Condition(1))[0].scores[0] for _ in range(1500)]
    error = np.std(drawn, ddof=1) / np.sqrt(len(drawn))
    assert error < 0.005
    assert np.mean(drawn) == pytest.approx(true_score(world, target, Condition(1)), abs=4 * error)


@pytest.mark.parametrize("shared", [0.0, 0.3, 0.9])
def test_examples_of_one_document_are_correlated_as_planted(shared: float) -> None:
    n_documents, size = 4000, 5
    documents = np.arange(n_documents * size) % n_documents
    effects = draw_effects(np.random.default_rng(0), 0.4, len(documents), documents, shared)
    grouped = effects.reshape(size, n_documents)
    between, within = size * grouped.mean(axis=0).var(ddof=1), grouped.var(axis=0, ddof=1).mean()
    correlation = (between - within) / (between + (size - 1) * within)  # analysis of variance, one way
    assert correlation == pytest.approx(shared, abs=0.03)
    assert effects.var() == pytest.approx(0.4**2, rel=0.05)


def test_documents_of_a_study_share_ease_and_what_an_arm_does() -> None:
    world = World(n_test=20_000, documents=4000)
    rng = np.random.default_rng(0)
    ease = draw_examples(rng, world).ease.reshape(5, 4000)
    pairs = [np.corrcoef(ease[one], ease[other])[0, 1] for one in range(5) for other in range(one)]
    assert np.mean(pairs) == pytest.approx(SHARED_EASE, abs=0.03)
    assert draw_examples(rng, World(n_test=50)).documents is None


def test_only_the_first_target_is_small_beside_others() -> None:
    arms = draw_study(np.random.default_rng(0), World("macro_f1", 3, 56, others=400)).arms
    assert [arms.n_test(name) for name in arms.tasks] == [56, 400, 400]


def test_sizes_of_documents_are_as_planted() -> None:
    rng = np.random.default_rng(0)
    equal = np.bincount(draw_documents(rng, World(documents=30)))
    assert len(equal) == 30
    assert np.ptp(equal) <= 1
    world = World(documents=50, sizes="dirichlet")
    squares = []
    for _ in range(400):
        documents = draw_documents(rng, world)
        sizes = np.bincount(documents)
        assert sizes.min() >= 1  # no gaps
        squares.append((sizes / world.n_test) @ (sizes / world.n_test))
    shares = (0.5 + 1) / (50 * 0.5 + 1)  # mean of the sum of squared shares of a Dirichlet distribution
    expected = shares + (1 - shares) / world.n_test  # and of a multinomial draw from them
    assert np.mean(squares) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("metric", METRICS)
def test_runs_collapse_as_often_as_planted(metric: str) -> None:
    rng, world, target = np.random.default_rng(0), World(metric, n_test=2000), Target(1.5, 0.15)
    drawn = [draw_arm(rng, world, target, draw_examples(rng, world), Condition(20, collapse=0.3)) for _ in range(30)]
    collapsed = np.concatenate([runs for _, runs in drawn])
    scores = np.concatenate([arm.scores for arm, _ in drawn])
    assert collapsed.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / 600))
    assert scores[collapsed].mean() == pytest.approx(collapsed_score(metric), abs=0.01)
    assert scores[collapsed].max() < scores[~collapsed].min()
    trained = scores[~collapsed]
    assert trained.mean() == pytest.approx(true_score(world, target, Condition(1)), abs=0.02)


def test_the_gain_of_a_study_with_collapsed_runs_is_that_of_the_means() -> None:
    rng, differences, gains = np.random.default_rng(0), [], []
    world = World(tasks=2, n_test=1000, seeds_pair=20, seeds_single=20, collapse_single=0.4, collapse_pair=0.1)
    for _ in range(150):
        study = draw_study(rng, world, np.array([[0.0, 0.4], [0.0, 0.0]]))
        gains.append(study.gains[0, 1])
        differences.append(study.arms.evidence.gain[0, 1] - gains[-1])
        assert study.trained_gains[1, 0] == 0
        assert study.gains[1, 0] > 0
    error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    assert error < 0.02 < np.mean(gains)
    assert np.mean(differences) == pytest.approx(0, abs=4 * error)


def test_the_spread_of_an_arm_is_as_planted() -> None:
    rng, world, target = np.random.default_rng(0), World(n_test=5000), Target(1.2, 0.05)
    examples = draw_examples(rng, world)
    once, thrice = (
        draw_arm(rng, world, target, examples, Condition(800, sd=sd))[0].scores.var(ddof=1) for sd in (1.0, 3.0)
    )
    noise = draw_arm(rng, world, target, examples, Condition(800, sd=0.0))[0].scores.var(ddof=1)
    assert (thrice - noise) / (once - noise) == pytest.approx(9, rel=0.25)


@pytest.mark.parametrize("metric", METRICS)
def test_arms_of_unequal_spread_have_equal_true_scores(metric: str) -> None:
    world, target = World(metric), Target(1.5, 0.3)
    shift = null_shift(world, target, Condition(3, sd=5.0), Condition(3))
    assert abs(shift) > 0.01
    assert true_score(world, target, Condition(3, shift, 5.0)) == pytest.approx(true_score(world, target, Condition(3)))
