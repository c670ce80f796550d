from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from taskaffinity.analysis.captions import caption
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.statistics.seed_variance import MOST_FREEDOM, RAW, Prior, fit_prior, fit_study_prior

DEGREES = {"equal": [3], "unequal": [2, 2, 4, 9]}


def model_variances(
    rng: np.random.Generator, ratio: float, d0: float, d: np.ndarray, unit: np.ndarray | float = 1.0
) -> np.ndarray:
    """Variances found in arms whose true ones are ``unit * ratio * d0 / chi2(d0)``."""
    true = unit * ratio * d0 / rng.chisquare(d0, len(d))
    return true * rng.chisquare(d) / d


def smyth(ratios: list[float], degrees: list[int]) -> Prior:
    """Smyth's moments as plain loops, with trigamma as a Hurwitz zeta and d0 by least squares."""
    e = []
    for ratio, d in zip(ratios, degrees, strict=True):
        e.append(math.log(ratio) - special.digamma(d / 2) + math.log(d / 2))
    mean = sum(e) / len(e)
    by_chance = sum(special.zeta(2, d / 2) for d in degrees) / len(degrees)
    spread = sum((value - mean) ** 2 for value in e) / (len(e) - 1) - by_chance
    found = optimize.minimize_scalar(
        lambda log_d0: (math.log(special.zeta(2, math.exp(log_d0) / 2)) - math.log(spread)) ** 2,
        bounds=(math.log(1e-2), math.log(1e3)),
        method="bounded",
        options={"xatol": 1e-12},
    )
    d0 = math.exp(found.x)
    return Prior(math.exp(mean + special.digamma(d0 / 2) - math.log(d0 / 2)), d0)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize(("ratio", "d0"), [(0.02, 1.5), (0.5, 3.0), (7.0, 6.0)])
def test_the_prior_of_many_simulated_arms_is_found(degrees: str, ratio: float, d0: float) -> None:
    d = np.resize(DEGREES[degrees], 20_000)
    prior = fit_prior(model_variances(np.random.default_rng(3), ratio, d0, d), d)
    assert prior.ratio == pytest.approx(ratio, rel=0.05)
    assert prior.d0 == pytest.approx(d0, rel=0.1)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("arms", [12, 56, 200])
def test_the_prior_is_smyths_moments_by_loops(degrees: str, arms: int) -> None:
    d = np.resize(DEGREES[degrees], arms)
    ratios = model_variances(np.random.default_rng(5), 0.1, 2.0, d)
    ours, loop = fit_prior(ratios, d), smyth(ratios.tolist(), d.tolist())
    assert loop.d0 < MOST_FREEDOM
    assert (ours.ratio, ours.d0) == pytest.approx((loop.ratio, loop.d0), rel=1e-5)


@pytest.mark.parametrize("ratios", [[0.3] * 9, [0.3, 0.31, 0.29, 0.3]], ids=["equal", "nearly equal"])
def test_equal_variances_have_a_prior_worth_no_more_than_is_believed(ratios: list[float]) -> None:
    prior = fit_prior(ratios, [2] * len(ratios))
    assert prior.d0 == MOST_FREEDOM
    assert math.log(prior.ratio) == pytest.approx(  # what Smyth's mean is at the ceiling
        np.log(ratios).mean() - special.digamma(1) + special.digamma(MOST_FREEDOM / 2) - math.log(MOST_FREEDOM / 2)
    )


@pytest.mark.filterwarnings("error")
def test_arms_that_agree_in_nothing_are_left_nearly_as_they_are() -> None:
    prior = fit_prior([1e-30, 1.0, 1e30], [2, 2, 2])
    assert 0 < prior.d0 <= 0.1
    moderated, freedom = prior.shrink(0.4, 2, 1.0)
    assert moderated == pytest.approx(0.4, rel=0.06)
    assert freedom == pytest.approx(2, rel=0.06)


@pytest.mark.parametrize("arms", [0, 1, 2])
def test_with_fewer_than_three_arms_nothing_moves(arms: int) -> None:
    prior = fit_prior([0.1, 0.9][:arms], [2, 5][:arms])
    assert prior == RAW
    s2, d = np.array([0.1, 0.9]), np.array([2, 5])
    moderated, freedom = prior.shrink(s2, d, np.array([3.0, 0.2]))
    assert moderated.tolist() == pytest.approx(s2.tolist())
    assert freedom.tolist() == d.tolist()


positive = st.floats(1e-6, 1e3)


@settings(deadline=None)
@given(st.floats(0.1, MOST_FREEDOM), positive, positive, positive, st.integers(1, 50))
def test_a_moderated_variance_is_the_weighted_mean_and_lies_between(
    d0: float, ratio: float, s2: float, unit: float, d: int
) -> None:
    moderated, freedom = Prior(ratio, d0).shrink(s2, d, unit)
    assert moderated == pytest.approx(np.average([ratio * unit, s2], weights=[d0, d]))
    assert min(ratio * unit, s2) * (1 - 1e-9) <= moderated <= max(ratio * unit, s2) * (1 + 1e-9)
    assert freedom == d0 + d


def test_more_runs_listen_less_to_the_prior() -> None:
    far = [abs(Prior(1.0, 4.0).shrink(0.2, d, 1.0)[0] - 0.2) for d in (1, 2, 5, 20, 1000)]
    assert far == sorted(far, reverse=True)
    assert far[-1] < 0.01


def test_moderation_brings_variances_nearer_to_the_truth() -> None:
    rng, d = np.random.default_rng(8), np.full(2000, 2)
    true = 0.3 * 4 / rng.chisquare(4, len(d))
    found = true * rng.chisquare(d) / d
    moderated, _ = fit_prior(found, d).shrink(found, d, 1.0)
    raw_error, error = (float(np.mean(np.log(estimate / true) ** 2)) for estimate in (found, moderated))
    assert error < raw_error / 2


@settings(deadline=None)
@given(st.floats(1e-3, 1e3))
def test_another_unit_of_scores_scales_the_variances_and_nothing_else(scale: float) -> None:
    rng, d = np.random.default_rng(4), np.resize([2, 4], 30)
    unit = rng.lognormal(0, 1, 30)
    s2 = model_variances(rng, 0.1, 3.0, d, unit)
    plain, scaled = fit_prior(s2 / unit, d), fit_prior(s2 * scale / (unit * scale), d)
    assert (scaled.ratio, scaled.d0) == pytest.approx((plain.ratio, plain.d0))
    (ours, freedom), (other, same) = scaled.shrink(s2 * scale, d, unit * scale), plain.shrink(s2, d, unit)
    np.testing.assert_allclose(ours, scale * other)
    np.testing.assert_allclose(freedom, same)


@settings(deadline=None)
@given(st.floats(1e-3, 1e3))
def test_ratios_as_many_times_as_large_move_only_the_ratio(scale: float) -> None:
    d = np.resize([2, 4], 30)
    ratios = model_variances(np.random.default_rng(4), 0.1, 3.0, d)
    plain, scaled = fit_prior(ratios, d), fit_prior(scale * ratios, d)
    assert scaled.ratio == pytest.approx(scale * plain.ratio)
    assert scaled.d0 == pytest.approx(plain.d0)


def test_the_order_of_the_arms_says_nothing() -> None:
    d = np.resize([2, 4], 20)
    ratios = model_variances(np.random.default_rng(6), 0.1, 3.0, d)
    ours, other = fit_prior(ratios, d), fit_prior(ratios[::-1], d[::-1])
    assert (ours.ratio, ours.d0) == pytest.approx((other.ratio, other.d0))


# Priors by target and kind of arm


def study_variances(
    rng: np.random.Generator, typical: dict[str, float], pairs_over: float, d0: float, pairs: int = 60, runs: int = 3
) -> tuple[np.ndarray, np.ndarray, list[str], list[bool]]:
    """Ratios, degrees, targets and kinds of arms: each target has many pairs and as many baselines."""
    targets = [name for name in typical for _ in range(2 * pairs)]
    baselines = [place % 2 == 0 for place in range(len(targets))]
    d = np.full(len(targets), runs - 1.0)
    location = np.array([typical[name] for name in targets]) * np.where(baselines, 1.0, pairs_over)
    return model_variances(rng, 1.0, d0, d, location), d, targets, baselines


def test_each_target_and_kind_of_many_arms_has_its_typical_variance() -> None:
    typical, d0 = {"a": 0.2, "b": 1.0, "c": 9.0}, 4.0
    prior = fit_study_prior(*study_variances(np.random.default_rng(0), typical, 1.0, d0, pairs=3000))
    for target, ratio in typical.items():
        for is_baseline in (True, False):
            assert prior.of(target, is_baseline).ratio == pytest.approx(ratio, rel=0.1)
            assert prior.of(target, is_baseline).d0 == pytest.approx(d0, rel=0.15)


def test_pairs_may_vary_more_than_baselines_and_then_less_is_known() -> None:
    typical = {"a": 0.2, "b": 1.0}
    unlike = fit_study_prior(*study_variances(np.random.default_rng(1), typical, 9.0, 50.0, pairs=3000))
    alike = fit_study_prior(*study_variances(np.random.default_rng(1), typical, 1.0, 50.0, pairs=3000))
    for target, ratio in typical.items():
        over = unlike.of(target, False).ratio / unlike.of(target, True).ratio
        assert over == pytest.approx(9.0, rel=0.15)
        assert alike.of(target, False).ratio == pytest.approx(ratio, rel=0.15)  # d0 is capped, which moves the ratio
        assert alike.of(target, True).d0 == MOST_FREEDOM > 3 * unlike.of(target, True).d0


def test_targets_that_differ_only_by_chance_share_one_prior() -> None:
    spread, raw = [], []
    for seed in range(40):
        ratios, d, targets, baselines = study_variances(
            np.random.default_rng(seed), dict.fromkeys("abcd", 1.0), 1.0, 100.0, 3
        )
        prior = fit_study_prior(ratios, d, targets, baselines)
        spread.append(np.std([math.log(prior.of(target, True).ratio) for target in "abcd"]))
        logs = np.log(ratios) - special.digamma(d / 2) + np.log(d / 2)
        raw.append(np.std([logs[[name == target for name in targets]].mean() for target in "abcd"]))
    assert np.mean(spread) < 0.5 * np.mean(raw)


@pytest.mark.parametrize("n_targets", [4, 8])
def test_a_noisy_target_among_quiet_ones_errs_as_seldom_as_stated(n_targets: int) -> None:
    """Scores alone, all arrows null, 3 runs per pair; seeds move the last target three times as much as the others."""
    rng, p, studies = np.random.default_rng(1), [], 2800 // n_targets
    names = [str(place) for place in range(n_targets)]
    targets, runs = np.repeat(names, n_targets), np.tile([n_targets + 2, *[3] * (n_targets - 1)], n_targets)
    sd = np.where(targets == names[-1], 3.0, 1.0)
    for _ in range(studies):
        scores = [rng.normal(0, one, n) for one, n in zip(sd, runs, strict=True)]
        s2, mean = np.array([one.var(ddof=1) for one in scores]), np.array([one.mean() for one in scores])
        prior = fit_study_prior(s2, runs - 1, targets.tolist(), (np.arange(len(runs)) % n_targets == 0).tolist())
        single, *pairs = range(len(runs) - n_targets, len(runs))
        v_single, d_single = prior.of(names[-1], True).shrink(s2[single], runs[single] - 1, 1.0)
        v_pair, d_pair = prior.of(names[-1], False).shrink(s2[pairs], 2, 1.0)
        t = (mean[pairs] - mean[single]) / np.sqrt(v_pair / 3 + v_single / runs[single])
        p += (2 * stats.t.sf(np.abs(t), np.minimum(d_pair, d_single))).tolist()
    error = 2 * math.sqrt(0.05 * 0.95 / studies)  # arrows into one target share their baseline
    assert np.mean(np.array(p) < 0.05) < 0.05 + error


@pytest.mark.parametrize("names", ["ab", "abcd", "abcdefgh"])
def test_how_much_a_noisy_target_varies_says_nothing_about_the_others(names: str) -> None:
    ratios, d, targets, baselines = study_variances(np.random.default_rng(2), dict.fromkeys(names, 1.0), 1.5, 4.0, 1)
    is_noisy = np.array([name == names[-1] for name in targets])
    noisy, noisier = (
        fit_study_prior(np.where(is_noisy, times, 1.0) * ratios, d, targets, baselines) for times in (1e3, 1e5)
    )
    for name in names:
        for is_baseline in (True, False):
            expected, found = noisy.of(name, is_baseline), noisier.of(name, is_baseline)
            factor = 100.0 if name == names[-1] else 1.0
            assert (found.ratio, found.d0) == pytest.approx((factor * expected.ratio, expected.d0))


def test_it_only_moves_between_nothing_and_the_arms_of_the_target() -> None:
    """A target's typical variance lies between its arms' mean and the mean of all targets."""
    ratios, d, targets, baselines = study_variances(
        np.random.default_rng(2), {"a": 0.1, "b": 1.0, "c": 3.0}, 1.0, 8.0, 2
    )
    logs = np.log(ratios) - special.digamma(d / 2) + np.log(d / 2)
    means = {name: float(logs[[other == name for other in targets]].mean()) for name in "abc"}
    prior = fit_study_prior(ratios, d, targets, baselines)
    for name in "abc":
        shrunk = prior.of(name, True)
        location = math.log(shrunk.ratio) - special.digamma(shrunk.d0 / 2) + math.log(shrunk.d0 / 2)
        assert min(means.values()) - 0.5 < location < max(means.values()) + 0.5
        overall = np.mean(list(means.values()))
        assert abs(location - means[name]) <= abs(overall - means[name]) + 0.5


@pytest.mark.parametrize("arms", [0, 1, 2])
def test_two_arms_give_no_prior(arms: int) -> None:
    prior = fit_study_prior([0.1, 0.9][:arms], [2, 5][:arms], ["a", "b"][:arms], [True, False][:arms])
    assert prior.of("a", True) == prior.of("elsewhere", False) == RAW


@pytest.mark.parametrize(("n_arms", "most"), [(4, 4), (7, 7), (9, 8), (64, 8)])
def test_few_arms_cannot_show_that_variances_are_equal(n_arms: int, most: float) -> None:
    targets = ["a" if place < n_arms / 2 else "b" for place in range(n_arms)]
    prior = fit_study_prior([0.5] * n_arms, [4] * n_arms, targets, [place % 2 == 0 for place in range(n_arms)])
    assert prior.of("a", True).d0 == pytest.approx(most)


@pytest.mark.filterwarnings("error")
def test_a_target_without_one_kind_or_without_any_arm_has_a_prior() -> None:
    prior = fit_study_prior([0.2, 0.3, 0.1, 5.0], [2, 2, 2, 2], ["a", "a", "a", "b"], [False, False, True, False])
    for target in "abz":
        for is_baseline in (True, False):
            assert 0 < prior.of(target, is_baseline).ratio < math.inf
    only_pairs = fit_study_prior([0.2, 0.3, 0.1], [2, 2, 2], ["a", "a", "b"], [False] * 3)
    assert only_pairs.of("a", True) == only_pairs.of("a", False)


def test_the_scale_and_the_order_of_arms_do_not_matter() -> None:
    ratios, d, targets, baselines = study_variances(np.random.default_rng(3), {"a": 0.1, "b": 1.0}, 2.0, 3.0, 3)
    plain, scaled = fit_study_prior(ratios, d, targets, baselines), fit_study_prior(7 * ratios, d, targets, baselines)
    back = fit_study_prior(ratios[::-1], d[::-1], targets[::-1], baselines[::-1])
    for key in (("a", True), ("b", False)):
        assert scaled.of(*key).ratio == pytest.approx(7 * plain.of(*key).ratio)
        assert back.of(*key).ratio == pytest.approx(plain.of(*key).ratio)
        assert scaled.of(*key).d0 == pytest.approx(plain.of(*key).d0) == pytest.approx(back.of(*key).d0)


@pytest.mark.parametrize(("sources", "is_fitted"), [(("mnli",), False), (("mnli", "qqp"), True)])
def test_a_caption_says_that_variances_are_pooled_exactly_where_a_prior_is_fitted(
    sources: tuple[str, ...], is_fitted: bool
) -> None:
    rows = [("rte", source, seed, 60 + seed % 3) for source in ("", *sources) for seed in range(5)]
    result = PairwiseResults.from_scores(pd.DataFrame(rows, columns=["target", "source", "seed", "score"]))
    assert (read_arms(result.study, result.store).prior.common != RAW) == is_fitted
    words = caption(result.matrix)
    assert ("pooled over all arrows" in words) == is_fitted
    assert ("They use Behrens–Fisher tests and correct for 1 arrow (" in words) == (not is_fitted)


def test_a_caption_of_a_study_whose_second_task_scores_0_does_not_say_that_variances_are_pooled() -> None:
    """Arms without a score other than 0 show no variance, so two of the four arms are left: too few for a prior."""
    pairs = [("rte", "mnli"), ("mnli", "rte")]
    rows = [
        (target, source, seed, (60 + seed % 3) * (target == "rte"))
        for target, other in pairs
        for source in ("", other)
        for seed in range(5)
    ]
    frame = pd.DataFrame(rows, columns=["target", "source", "seed", "score"])
    result = PairwiseResults.from_scores(frame, scale="point")
    assert read_arms(result.study, result.store).prior.common == RAW
    assert "pooled over all arrows" not in caption(result.matrix)
