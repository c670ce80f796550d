from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from taskaffinity.analysis.statistics.verdicts import simultaneous


def uniform(size: int, correlation: float) -> np.ndarray:
    """A correlation matrix with one number in it."""
    return np.where(np.eye(size, dtype=bool), 1.0, correlation)


def dunnett(t: np.ndarray, df: np.ndarray, correlation: np.ndarray, alpha: float) -> tuple[np.ndarray, float]:
    """Adjusted p-values and the bound in standard errors, for plain t tests."""
    fewest = df.min()
    p, level = simultaneous(2 * stats.t.sf(abs(t), fewest), df, correlation, alpha)
    return p, float(stats.t.isf(level / 2, fewest))


@pytest.mark.parametrize(("groups", "n"), [(2, 3), (3, 5), (6, 4)])
def test_in_a_balanced_design_it_is_scipys_dunnett(groups: int, n: int) -> None:
    rng = np.random.default_rng(groups)
    control, *arms = rng.normal(np.linspace(0, 2.5, groups + 1)[:, None], 1, (groups + 1, n))
    pooled, df = np.mean([arm.var(ddof=1) for arm in (control, *arms)]), (groups + 1) * (n - 1)
    se = np.sqrt(pooled * 2 / n)
    t = np.array([(arm.mean() - control.mean()) / se for arm in arms])
    theirs = stats.dunnett(*arms, control=control, rng=np.random.default_rng(0))
    np.testing.assert_allclose(t, theirs.statistic)
    for alpha in (0.05, 0.2):
        p, critical = dunnett(t, np.full(groups, float(df)), uniform(groups, 0.5), alpha)
        np.testing.assert_allclose(p, theirs.pvalue, atol=2e-3)
        interval = theirs.confidence_interval(1 - alpha)
        np.testing.assert_allclose(2 * critical * se, interval.high - interval.low, rtol=5e-3)


def test_intervals_hold_together_at_the_stated_level() -> None:
    rng, df, draws = np.random.default_rng(9), 7, 200_000
    mixing = rng.normal(0, 1, (4, 3))
    covariance = mixing @ mixing.T + np.diag(rng.uniform(0.2, 2, 4))
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    _, critical = dunnett(np.zeros(4), np.full(4, 7.0), correlation, 0.1)
    t = rng.multivariate_normal(np.zeros(4), correlation, draws) / np.sqrt(rng.chisquare(df, (draws, 1)) / df)
    assert (abs(t) > critical).any(axis=1).mean() == pytest.approx(0.1, abs=0.003)


def test_one_arrow_by_itself_is_a_plain_t() -> None:
    p, critical = dunnett(np.array([-2.1]), np.array([6.5]), np.eye(1), 0.05)
    assert p == pytest.approx(2 * stats.t.cdf(-2.1, 6.5))
    assert critical == pytest.approx(stats.t.ppf(0.975, 6.5))


def test_arrows_that_move_as_one_are_one_arrow() -> None:
    t = np.array([2.3, 2.3, -1.0])
    p, critical = dunnett(t, np.full(3, 9.0), np.ones((3, 3)), 0.05)
    np.testing.assert_allclose(p, 2 * stats.t.sf(abs(t), 9), atol=2e-3)
    assert critical == pytest.approx(stats.t.ppf(0.975, 9), rel=5e-3)


@pytest.mark.parametrize("correlation", [-0.3, 0.0, 0.5, 0.9])
def test_adjusted_p_lies_between_raw_and_bonferronis(correlation: float) -> None:
    t, df = np.array([0.0, -0.7, 1.9, 3.0]), np.array([5.0, 8.0, 30.0, 6.0])
    p, critical = dunnett(t, df, uniform(4, correlation), 0.05)
    raw = 2 * stats.t.sf(abs(t), 5)  # the fewest degrees of freedom stand for all
    assert (p >= raw).all()
    assert (p <= np.minimum(1, 4 * raw)).all()
    assert stats.t.isf(0.025, 5) <= critical <= stats.t.isf(0.025 / 4, 5) + 1e-5


def test_the_more_alike_the_arrows_the_less_they_are_adjusted() -> None:
    found = [dunnett(np.array([2.5, 1.0, 2.0]), np.full(3, 8.0), uniform(3, r), 0.05) for r in (0, 0.4, 0.8, 0.99)]
    for before, after in itertools.pairwise(found):
        assert (after[0] <= before[0] + 1e-3).all()
        assert after[1] <= before[1]


def test_a_matrix_that_lacks_a_little_of_being_a_correlation_is_taken_for_the_nearest_one() -> None:
    almost = np.array([[1.0, 0.9, -0.4], [0.9, 1.0, 0.1], [-0.4, 0.1, 1.0]])
    assert np.linalg.eigvalsh(almost).min() < 0
    p, critical = dunnett(np.array([2.0, 2.5, 0.1]), np.full(3, 8.0), almost, 0.05)
    assert ((p > 0) & (p <= 1)).all()
    assert np.isfinite(critical)
