"""The model of a group's gain: its exponent by brute force, its error by hand, and its intervals by simulation."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from taskaffinity.grouping.gains import FloatArray
from taskaffinity.grouping.group_model import GroupModel, SeedVariances, fitted_model


def sum_of_squares(exponent: float, mean: FloatArray, gain: FloatArray) -> float:
    """In plain Python."""
    partners = len(mean) - 1
    known = [(x, y) for x, y in zip(mean.tolist(), gain.tolist(), strict=True) if x == x and y == y]
    return sum((y - x * partners**exponent) ** 2 for x, y in known)


@pytest.mark.parametrize("seed", range(8))
def test_no_exponent_of_a_fine_grid_fits_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mean = rng.normal(0, 5, 3 + seed)
    gain = mean * rng.uniform(0.3, len(mean)) + rng.normal(0, 2, len(mean))
    if seed % 2:
        mean[0] = np.nan
    found = fitted_model(mean, gain)
    grid = np.linspace(0, 1, 2001)
    losses = [sum_of_squares(exponent, mean, gain) for exponent in grid]
    assert found.exponent == pytest.approx(grid[int(np.argmin(losses))], abs=6e-4)
    assert sum_of_squares(found.exponent, mean, gain) <= min(losses) + 1e-9
    assert found.df == np.sum(~np.isnan(mean)) - 1
    assert found.error == pytest.approx(math.sqrt(min(losses) / found.df), rel=1e-4)


@pytest.mark.parametrize(("size", "known"), [(2, 2), (5, 0), (5, 1)])
def test_the_mean_stays_if_nothing_can_be_fitted(size: int, known: int) -> None:
    gain = np.where(np.arange(size) < known, 8.0, np.nan)
    found = fitted_model(np.full(size, 2.0), gain)
    assert (found.exponent, found.is_fitted) == (0.0, False)
    for partners in (1, 4):
        assert found.factor(partners) == 1.0
        plain = stats.t(7).ppf(0.975) * math.hypot(1.5, 2.0)
        assert found.half_width(partners, 1.5, 7, 0.05, 2.0) == pytest.approx(plain)


def test_gains_in_pairs_of_zero_fit_the_mean() -> None:
    assert fitted_model(np.zeros(4), np.array([1.0, -1.0, 1.0, -1.0])).exponent == 0.0


def test_errors_of_measurement_count_once() -> None:
    model = GroupModel(0.5, 3.0, 4.0, 6.0)
    cases = {  # se of the mean -> variance for four partners, so that the factor is 2
        1.0: 9.0,  # 4 of noise, as much as in the residuals
        2.0: 9.0 + 16.0 - 4.0,
        0.0: 9.0,  # never less than the residuals show
    }
    for se, variance in cases.items():
        for other_se in (0.0, 1.0):
            half = stats.t(6).ppf(0.975) * math.sqrt(variance + other_se**2)
            assert model.half_width(4, se, 20, 0.05, other_se) == pytest.approx(half)
    assert model.half_width(1, 2.0, 20, 0.05) == pytest.approx(stats.t(20).ppf(0.975) * 2)  # a pair needs no model
    quiet = GroupModel(0.5, 1.0, 4.0, 6.0)
    assert quiet.half_width(4, 2.0, 5, 0.05) == pytest.approx(stats.t(5).ppf(0.975) * 4)  # nor less than its own errors
    assert math.isnan(model.half_width(4, math.nan, 20, 0.05))


def test_the_noise_is_the_variance_of_the_residual_by_draws() -> None:
    rng, factor, partners, draws = np.random.default_rng(0), 2.5, 4, 200_000
    full, single = rng.normal(0, 1.5, draws), rng.normal(0, 0.7, draws)
    pairs = rng.normal(0, [[1.0], [2.0], [0.5], [1.0]], (partners, draws))
    residual = (full - single) - factor * (pairs - single).mean(axis=0)
    variances = SeedVariances(
        *(np.array([value]) for value in (1.5**2, (1.0 + 4.0 + 0.25 + 1.0) / partners**2, 0.7**2))
    )
    assert variances.of_residual(factor)[0] == pytest.approx(residual.var(), rel=0.02)


def simulate(exponent: float, model_sd: float, measurement_sd: float, seed: int) -> tuple[GroupModel, list[bool]]:
    """Fit a world of six tasks, and return whether the intervals hold the gains of its other groups."""
    rng, size = np.random.default_rng([seed, int(10 * exponent), int(10 * model_sd)]), 6
    pairs = rng.normal(2, 5, (size, size))
    seen = pairs + rng.normal(0, measurement_sd, pairs.shape)

    def mean_of(gains: FloatArray, group: tuple[int, ...], task: int) -> float:
        return float(np.mean([gains[other, task] for other in group if other != task]))

    def realised(group: tuple[int, ...], task: int) -> float:
        exact = mean_of(pairs, group, task) * (len(group) - 1) ** exponent
        return float(exact + rng.normal(0, model_sd) + rng.normal(0, measurement_sd))

    full = tuple(range(size))
    mean, gain = (
        np.array([of(task) for task in full]) for of in (lambda t: mean_of(seen, full, t), lambda t: realised(full, t))
    )
    square = measurement_sd**2
    variances = SeedVariances(*(np.full(size, value) for value in (square, square / (size - 1), 0.0)))
    model, covered = fitted_model(mean, gain, variances), []
    for group in (group for n in (3, 4, 5) for group in combinations(full, n)):
        for task in group:
            predicted = mean_of(seen, group, task) * model.factor(len(group) - 1)
            half = model.half_width(len(group) - 1, measurement_sd, 1000, 0.05, measurement_sd)
            covered.append(abs(predicted - realised(group, task)) <= half)
    return model, covered


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_the_exponent_of_a_world_is_found_and_the_intervals_cover(exponent: float) -> None:
    found = [simulate(exponent, 2.0, 0.5, seed) for seed in range(40)]
    assert np.median([model.exponent for model, _ in found]) == pytest.approx(exponent, abs=0.08)
    assert 0.9 <= np.mean([covered for _, covered in found]) <= 0.99
    exact = [simulate(exponent, 0.0, 0.5, seed) for seed in range(20)]
    assert np.mean([covered for _, covered in exact]) >= 0.95


def test_without_the_error_of_the_model_the_intervals_miss() -> None:
    """So the simulation above can fail."""
    model, _ = simulate(0.5, 2.0, 0.5, 0)
    narrow = GroupModel(model.exponent)
    assert narrow.half_width(3, 0.5, 1000, 0.05, 0.5) < 0.6 * model.half_width(3, 0.5, 1000, 0.05, 0.5)
