from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Arms
from taskaffinity.analysis.statistics.seed_variance import RAW, StudyPrior
from taskaffinity.analysis.statistics.standard_errors import standard_error
from taskaffinity.tasks.metrics import METRICS


def arms_of(found: dict[tuple[str, str, str], np.ndarray], tasks: tuple[str, ...], baseline: str = "single") -> Arms:
    """Arms made of counts, ``(n_runs, n_examples, n_counts)``."""
    seeds = {key: tuple(range(len(counts))) for key, counts in found.items()}
    return Arms(
        tasks, {key: Arm.from_counts(counts, METRICS["accuracy"]) for key, counts in found.items()}, seeds, baseline
    )


def graded(rng: np.random.Generator, runs: int, n: int, **sd: float) -> np.ndarray:
    """Counts of an arm whose examples score a grade, with noise of this arm's examples, of its runs and of both."""
    grade = 0.5 + rng.normal(0, sd["examples"], n) + rng.normal(0, sd["seeds"], (runs, 1))
    grade = grade + rng.normal(0, sd["both"], (runs, n))
    return np.stack([grade, np.ones_like(grade)], axis=-1)


def world(rng: np.random.Generator, runs: tuple[int, int] = (4, 6), n: int = 60, matched: bool = False) -> Arms:
    """Target ``t`` with partners ``a``, ``b`` and ``c``; its test examples are easy or hard for all arms alike."""
    ease = rng.normal(0, 0.2, n)
    noise = {"examples": 0.1, "seeds": 0.02, "both": 0.15}
    keys = [("t", "pair", source) for source in "abc"]
    keys += [("t", "matched", source) for source in "abc"] if matched else [("t", "single", "")]
    found = {key: graded(rng, runs[key[1] != "pair"], n, **noise) + [[[1, 0]]] * ease[:, None] for key in keys}
    return arms_of(found, ("t", "a", "b", "c"), "matched" if matched else "single")


@pytest.mark.parametrize("estimand", ["population", "test-set"])
@pytest.mark.parametrize("matched", [False, True], ids=["single", "matched"])
def test_the_diagonal_of_the_covariance_is_the_variance_of_the_arrow(matched: bool, estimand: str) -> None:
    arms = dataclasses.replace(world(np.random.default_rng(0), matched=matched), estimand=estimand)
    covariance, variance = arms.covariance(0), standard_error(arms.evidence, estimand).variance
    np.testing.assert_array_equal(np.diag(covariance), variance[:, 0])
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-12)
    assert np.isnan(covariance[0]).all()
    assert np.isfinite(covariance[1:, 1:]).all()


def test_gains_share_what_moves_the_single_runs_and_the_examples() -> None:
    arms = world(np.random.default_rng(1))
    single = arms.by_key["t", "single", ""]
    moderated, _ = arms.prior.of("t", True).shrink(np.var(single.scores, ddof=1), 5, single.unit)
    n, covariance = 60, arms.covariance(0)
    for s, source in enumerate("abc", start=1):
        for r, other in enumerate("abc", start=1):
            if s == r:
                continue
            first, second = (arms.by_key["t", "pair", name].influence.mean(axis=0) for name in (source, other))
            alone = single.influence.mean(axis=0)
            products = sum((first[i] - alone[i]) * (second[i] - alone[i]) for i in range(n)) / (n - 1)
            residual = sum((single.influence[run][i] - alone[i]) ** 2 for run in range(6) for i in range(n))
            twice = residual / (5 * (n - 1)) / 6 / n
            assert covariance[s, r] == pytest.approx(moderated / 6 + products / n - twice)


def test_on_this_test_set_gains_share_only_the_single_task_runs() -> None:
    arms, matched = (
        dataclasses.replace(world(np.random.default_rng(2), matched=both), estimand="test-set")
        for both in (False, True)
    )
    covariance = arms.covariance(0)
    shared = covariance[1:, 1:][~np.eye(3, dtype=bool)]
    assert shared == pytest.approx([arms.evidence.s2_single[1, 0] / 6] * 6)
    assert (matched.covariance(0)[1:, 1:][~np.eye(3, dtype=bool)] == 0).all()


@pytest.mark.parametrize("matched", [False, True], ids=["single", "matched"])
def test_the_covariance_is_that_of_gains_over_new_seeds_and_examples(matched: bool) -> None:
    rng, gains, estimates = np.random.default_rng(3), [], []
    for _ in range(400):
        arms = world(rng, (6, 8), 40, matched=matched)
        arms.__dict__["prior"] = StudyPrior({}, RAW)  # a moderated variance is biased, and the raw one is not
        gains.append(arms.evidence.gain[1:, 0])
        estimates.append(arms.covariance(0)[1:, 1:])
    found, expected = np.mean(estimates, axis=0), np.cov(np.array(gains).T)
    scale = expected.diagonal().mean()
    np.testing.assert_allclose(found, expected, atol=0.15 * scale)
    by_hand = 0.0 if matched else 0.02**2 / 8 + 0.1**2 / 40 + 0.15**2 / 8 / 40
    np.testing.assert_allclose(found[~np.eye(3, dtype=bool)], by_hand, atol=0.03 * scale)


def test_a_source_without_a_test_has_no_covariance() -> None:
    covariance = world(np.random.default_rng(4)).only(lambda key: [0] if key[2] == "b" else range(6)).covariance(0)
    assert np.isnan(covariance[2]).all()
    assert np.isnan(covariance[:, 2]).all()
    assert np.isfinite(covariance[np.ix_([1, 3], [1, 3])]).all()
