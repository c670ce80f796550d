"""The two tests of a gain, against distributions that scipy has and integrals computed in another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from taskaffinity.analysis.statistics.gain_error import NODES, BehrensFisherError, GainError, chi2_points, difference
from taskaffinity.analysis.statistics.t_mixture import log_density_at_zero, t_tail

GAINS = np.array([0.0, 0.3, 1.0, 2.5, 6.0])


def behrens_fisher(
    v_seeds: float,
    d: float,
    v_examples: float = 0.0,
    d_examples: float = 1e7,
    v_shared: float = 0.0,
    gain: object = GAINS,
) -> BehrensFisherError:
    total = max(v_seeds + v_examples - v_shared, v_seeds, v_examples)
    df = total**2 / (v_seeds**2 / d + v_examples**2 / d_examples)
    parts = v_seeds, d, v_examples, d_examples, v_shared
    return BehrensFisherError(np.asarray(gain), math.sqrt(v_seeds), math.sqrt(v_examples), total, df, *parts)


def by_quadrature(gain: float, v_seeds: float, d: float, v_examples: float, v_shared: float) -> float:
    """The definition, over quantiles of chi2, for so many examples that their variance is known."""

    def tail(u: float) -> float:
        drawn = v_seeds * d / stats.chi2.ppf(u, d)
        return 2 * stats.norm.sf(gain / math.sqrt(max(drawn + v_examples - v_shared, drawn, v_examples)))

    return integrate.quad(tail, 0, 1, limit=500, points=[1e-8, 1e-6, 1e-4, 1e-2, 0.1])[0]


def test_tails_of_t_distributions_are_those_of_the_beta_distribution() -> None:
    df, t = (grid.ravel() for grid in np.meshgrid([1, 7, 199, 200, 201, 899, 1e4, 1e8], np.linspace(0, 7, 29)))
    expected = special.betaincc(0.5, df / 2, t * t / (df + t * t)) / 2
    np.testing.assert_allclose(t_tail(df, t), expected, rtol=1e-10)
    np.testing.assert_allclose(t_tail(df, -t), 1 - expected, rtol=1e-12)
    assert np.isnan(t_tail(np.array([np.nan, 900.0]), np.array([1.0, np.nan]))).all()
    assert t_tail(900.0, np.inf) == 0.0


@pytest.mark.parametrize("df", [[1.0, 3.7, 1e4], [15.0, 60.0, 899.0, 1e6], [1.0, np.nan], []])
def test_densities_of_t_distributions_at_zero_are_those_of_scipy(df: list[float]) -> None:
    np.testing.assert_allclose(log_density_at_zero(np.array(df)), stats.t.logpdf(0, df), atol=1e-7)


@pytest.mark.parametrize("d", [1.5, 2, 3.7, 10, 60])
def test_with_only_seed_variance_it_is_students_t(d: float) -> None:
    error, t = behrens_fisher(0.49, d), GAINS / 0.7
    np.testing.assert_allclose(error.p(), 2 * stats.t.sf(t, d), rtol=1e-4, atol=1e-10)
    for alpha in (0.2, 0.05, 1e-3):
        assert error.half_width(alpha) == pytest.approx(0.7 * stats.t.isf(alpha / 2, d), rel=1e-5)


@pytest.mark.parametrize("d_examples", [1, 4, 30, 1e6])
def test_with_only_example_variance_it_is_students_t_of_their_number(d_examples: float) -> None:
    error = behrens_fisher(1e-12, 2, 0.25, d_examples)
    np.testing.assert_allclose(error.p(), 2 * stats.t.sf(GAINS / 0.5, d_examples), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("v_shared", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("d", [2, 4, 12])
def test_with_both_it_is_the_mean_over_the_variance_of_seeds(d: float, v_shared: float) -> None:
    error = behrens_fisher(0.3, d, 1.0, v_shared=v_shared)
    expected = [by_quadrature(gain, 0.3, d, 1.0, v_shared) for gain in GAINS]
    np.testing.assert_allclose(error.p(), expected, rtol=1e-3, atol=1e-7)


def test_the_points_of_the_integral_are_as_many_as_its_docstring_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    v_seeds, v_examples = 10 ** rng.uniform(-6, -3, 200), 10 ** rng.uniform(-7, -3, 200)
    v_shared = np.minimum(v_seeds, v_examples) * rng.uniform(0, 1, 200)
    d, gain = rng.choice([1.0, 2.0, 5.0, 10.0, 30.0], 200), 10 ** rng.uniform(-1, 1.3, 200)
    total = np.maximum(v_seeds + v_examples - v_shared, np.maximum(v_seeds, v_examples))
    d_examples = rng.choice([19.0, 300.0], 200)
    df = total**2 / (v_seeds**2 / d + v_examples**2 / d_examples)
    parts = v_seeds, d, v_examples, d_examples, v_shared
    error = BehrensFisherError(gain * np.sqrt(total), np.sqrt(v_seeds), np.sqrt(v_examples), total, df, *parts)
    for nodes in (NODES, 2000):
        monkeypatch.setattr("taskaffinity.analysis.statistics.gain_error.NODES", nodes)
        found.append((error.p(), error.half_width(0.05)))
    (p, half), (exact_p, exact_half) = found
    seen = exact_p > 1e-8
    np.testing.assert_allclose(p[seen], exact_p[seen], rtol=5e-3)
    np.testing.assert_allclose(half, exact_half, rtol=3e-4)


@pytest.mark.parametrize("d", [2.0, 9.0])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 1e-4])
def test_the_interval_holds_what_the_test_does_not_reject(d: float, alpha: float) -> None:
    half = behrens_fisher(0.3, d, 1.0, 40, 0.1).half_width(alpha)
    ends = behrens_fisher(0.3, d, 1.0, 40, 0.1, gain=[half, half * 1.001, half * 0.999])
    assert ends.p()[0] == pytest.approx(alpha)
    assert ends.p()[1] < alpha < ends.p()[2]
    low, high = ends.interval(alpha)
    np.testing.assert_allclose(low, [0, half * 0.001, -half * 0.001], atol=1e-12)
    np.testing.assert_allclose(high - low, 2 * half)
    narrower = behrens_fisher(0.3, d, 1.0, 40, 0.1).half_width(2 * alpha)
    assert ends.p_tost(half + narrower)[0] == pytest.approx(alpha)  # two one-sided tests: the 1 - 2 alpha interval


SPREAD_OUT = [0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0]
"""Variances of the examples over those of the seeds, of arrows that are solved together."""


@pytest.mark.parametrize("d", [1.0, 1.1, 1.25, 1.5, 2.0, 10.0, 100.0])
@pytest.mark.parametrize("alpha", [0.999, 0.2, 0.05, 0.002, 1e-3, 1e-4, 1e-5])
def test_the_half_width_has_the_p_value_alpha_whatever_seeds_and_examples_do(d: float, alpha: float) -> None:
    """A narrow normal part and a wide part of one degree of freedom once made its search end far from the root."""
    ratio = np.array([*SPREAD_OUT, *(1 / np.array(SPREAD_OUT))])
    df = (1 + ratio) ** 2 / (1 / d + ratio**2 / 1000)
    parts = np.ones_like(ratio), np.full_like(ratio, d), ratio, np.full_like(ratio, 1000.0), np.zeros_like(ratio)
    half = BehrensFisherError(0 * ratio, np.ones_like(ratio), np.sqrt(ratio), 1 + ratio, df, *parts).half_width(alpha)
    at_half = BehrensFisherError(half, np.ones_like(ratio), np.sqrt(ratio), 1 + ratio, df, *parts)
    np.testing.assert_allclose(at_half.p(), alpha, rtol=1e-8)


@pytest.mark.parametrize(("d", "alpha", "ratio"), [(1.0, 1e-3, 10.0), (1.1, 1e-5, 1000.0), (2.0, 1e-4, 300.0)])
def test_the_half_width_is_that_of_the_integral(d: float, alpha: float, ratio: float) -> None:
    half = behrens_fisher(1.0, d, ratio).half_width(alpha)
    found = optimize.brentq(lambda log: by_quadrature(math.exp(log), 1.0, d, ratio, 0.0) / alpha - 1, -2, 20)
    assert half == pytest.approx(math.exp(found), rel=2e-3)


@pytest.mark.filterwarnings("error")
def test_half_widths_of_extreme_errors_are_found() -> None:
    for error in (behrens_fisher(1e-30, 0.1), behrens_fisher(1e30, 0.1), behrens_fisher(1e-12, 1.0, 1e12)):
        half = error.half_width(1e-5)
        at_half = behrens_fisher(error.v_seeds, error.d_seeds, error.v_examples, gain=half)
        assert at_half.p() == pytest.approx(1e-5, rel=1e-8)


def test_seeds_that_agree_by_chance_do_not_make_small_p_values() -> None:
    """Two degrees of freedom allow for a larger variance; the examples' many do not speak for the seeds'."""
    error = behrens_fisher(0.01, 2, 1.0, 1000, gain=[6.0])
    plain = GainError(error.gain, error.se_seeds, error.se_examples, error.variance, error.df)
    assert plain.p()[0] < 1e-8
    assert error.p()[0] > 1e-5


def test_p_values_are_at_most_one() -> None:
    """Corrections for multiple comparisons refuse more, even by rounding."""
    for d in np.linspace(2, 30, 300):
        error = behrens_fisher(0.3, d, 0.2, 50, gain=[0.0, 20.0])
        assert error.p()[0] == pytest.approx(1)
        assert error.p().max() <= 1
        assert error.p_tost(0.01).max() <= 1


def test_untested_arrows_stay_unknown() -> None:
    unknown = BehrensFisherError(*[np.array([np.nan, 1.0])] * 5, *[np.array([np.nan, 2.0])] * 2, *[np.ones(2)] * 3)
    for values in (unknown.p(), unknown.p_tost(1.0), unknown.half_width(0.05), *unknown.interval(0.05)):
        assert np.isnan(values).tolist() == [True, False]


@pytest.mark.parametrize("d", [1.0, 3.0, 25.0])
def test_the_points_have_the_moments_of_chi2(d: float) -> None:
    points, weight = chi2_points(d)
    assert [(points**k * weight).sum() for k in (1, 2)] == pytest.approx([1, 1 + 2 / d], rel=1e-3)


def test_a_difference_of_gains_adds_the_parts() -> None:
    first, second = behrens_fisher(0.3, 4, 1.0, gain=0.5), behrens_fisher(0.7, 9, 0.5, gain=3.0)
    change = difference(second, first)
    assert (change.gain, change.variance) == pytest.approx((2.5, 2.5))
    assert change.p() == pytest.approx(by_quadrature(2.5, 1.0, 4, 1.5, 0.0), rel=1e-3)
    plain = [GainError(e.gain, e.se_seeds, e.se_examples, e.variance, e.df) for e in (first, second)]
    welch = difference(plain[1], plain[0])
    df = 2.5**2 / (1.2**2 / second.df + 1.3**2 / first.df)
    assert welch.p() == pytest.approx(2 * stats.t.sf(2.5 / math.sqrt(2.5), df))
