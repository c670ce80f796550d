from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study, right, seeded
from scipy import stats
from scipy.optimize import brentq

from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.gain_error import GainError
from taskaffinity.analysis.statistics.power import (
    MOST_SEEDS,
    PowerAnalysis,
    describe_power,
    drop_last_axis,
    minimum_detectable,
    per_comparison_alpha,
    power_analysis,
    with_more_seeds,
)
from taskaffinity.analysis.statistics.powered_test import PoweredTest
from taskaffinity.analysis.statistics.seed_variance import Prior
from taskaffinity.analysis.statistics.standard_errors import (
    VarianceComponents,
    standard_error,
    untested,
    variance_components,
)
from taskaffinity.runs.rule import Rule
from taskaffinity.tasks.metrics import METRICS

MARGIN = 0.01


def one_arrow(
    gain: float = 0.01, seed_sd: float = 0.01, v_examples: float = 1e-6, d0: float = 8.0
) -> VarianceComponents:
    """Three runs of the pair and five single-task runs; ``v_examples`` is what endless seeds would leave."""
    s2, interaction, n_pair, n_single = seed_sd**2, 0.2 * seed_sd**2, 3.0, 5.0
    return VarianceComponents(
        gain=gain,
        s2_pair=s2,
        s2_single=s2,
        d_pair=d0 + n_pair - 1,
        d_single=d0 + n_single - 1,
        n_pair=n_pair,
        n_single=n_single,
        v_examples=v_examples + interaction / n_pair + interaction / n_single,
        i_pair=interaction,
        i_single=interaction,
        effective_documents=800.0,
        untested_reason="",
    )


def needs(
    evidence: VarianceComponents, alpha: float = 0.05, estimand: str = "population", test: str = "behrens-fisher"
) -> PowerAnalysis:
    rule = Rule(estimand=estimand, test=test)
    return power_analysis(evidence, MARGIN, alpha=alpha, alpha_equivalence=alpha, rule=rule)


def stacked(*arrows: VarianceComponents) -> VarianceComponents:
    return VarianceComponents(
        **{name: np.array([getattr(arrow, name) for arrow in arrows]) for name in vars(arrows[0])}
    )


@pytest.mark.parametrize("estimand", ["population", "test-set"])
def test_no_more_seeds_change_nothing(estimand: str) -> None:
    ease = np.random.default_rng(0).normal(0.5, 1, 400)
    rng = np.random.default_rng(1)
    arms = [
        Arm.from_counts(np.stack([right(ease + rng.normal(0, 0.7, 400) > 0) for _ in range(runs)]), METRICS["accuracy"])
        for runs in (3, 5)
    ]
    for evidence in (one_arrow(), variance_components(*arms, Prior(0.001, 4.0))):
        now, same = (
            standard_error(evidence, estimand),
            standard_error(with_more_seeds(evidence, np.array([0.0])), estimand),
        )
        for name in ("gain", "variance", "df", "se_seeds", "se_examples"):
            assert getattr(same, name) == pytest.approx([getattr(now, name)])


def test_more_seeds_are_more_runs_of_both_arms() -> None:
    # The projection against evidence made with that many runs to begin with.
    evidence, more = one_arrow(), 6.0
    later = replace(
        evidence,
        n_pair=9.0,
        n_single=15.0,
        d_pair=evidence.d_pair + 6,
        d_single=evidence.d_single + 10,
        v_examples=1e-6 + evidence.i_pair / 9 + evidence.i_single / 15,
    )
    expected, projected = standard_error(later), standard_error(with_more_seeds(evidence, np.array([more])))
    assert (projected.variance, projected.df) == (pytest.approx([expected.variance]), pytest.approx([expected.df]))


def test_seeds_shrink_their_part_of_the_error_and_leave_the_examples() -> None:
    later = standard_error(with_more_seeds(one_arrow(v_examples=4e-6), np.array([0.0, 3.0, 30.0, 300.0, 1e9])))
    assert (np.diff(later.variance) < 0).all()
    assert later.se_seeds[-1] < 1e-6
    assert later.variance[-1] == pytest.approx(4e-6)


@pytest.mark.parametrize("seed_sd", [0.003, 0.02])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 6])
def test_the_detectable_gain_of_a_t_test_is_that_of_the_noncentral_t(alpha: float, seed_sd: float) -> None:
    evidence = one_arrow(seed_sd=seed_sd)
    error = standard_error(evidence, test="satterthwaite")
    detectable = float(needs(evidence, alpha, test="satterthwaite").mde)
    size, bound = detectable / error.se, stats.t.isf(alpha / 2, error.df)
    assert stats.nct.sf(bound, error.df, size) == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("test", ["behrens-fisher", "satterthwaite"])
@pytest.mark.parametrize(("df", "alpha"), [(1.0, 0.05), (2.0, 0.01), (2.0, 0.001), (4.0, 0.001)])
def test_powers_hold_with_few_degrees_of_freedom(df: float, alpha: float, test: str) -> None:
    """Two runs of either arm and no prior: the noncentral t, and a mean over equally likely standard errors."""
    evidence = replace(one_arrow(), d_pair=df, d_single=df)
    error = standard_error(evidence, "test-set", test)
    found = minimum_detectable(evidence, alpha, Rule(estimand="test-set", test=test)) / error.se
    assert stats.nct.sf(stats.t.isf(alpha / 2, df), df, found) == pytest.approx(0.8, abs=0.005)
    room = float(PoweredTest(2 * alpha, 0.95, two_sided=True).least(error)) / error.se
    estimated = np.sqrt(stats.chi2.ppf((np.arange(50_000) + 0.5) / 50_000, df) / df)
    inside = 2 * stats.norm.cdf(room - stats.t.isf(alpha, df) * estimated) - 1
    assert np.maximum(inside, 0.0).mean() == pytest.approx(0.9, abs=0.008)


@pytest.mark.parametrize("seed_sd", [0.003, 0.02])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 6])
def test_the_detectable_gain_is_called_four_times_in_five(alpha: float, seed_sd: float) -> None:
    evidence = one_arrow(seed_sd=seed_sd)
    called = repetitions(evidence, gain=float(needs(evidence, alpha).mde)).p() <= alpha
    assert called.mean() == pytest.approx(0.8, abs=0.02)


def test_at_the_margin_that_seeds_reach_no_effect_is_called_nine_times_in_ten() -> None:
    evidence = one_arrow()
    more = float(needs(evidence).seeds_to_equivalence)
    later = drop_last_axis(with_more_seeds(evidence, np.array([more])))
    called = repetitions(later, gain=0.0).p_tost(MARGIN) <= 0.05
    assert 0.9 - 0.01 <= called.mean() <= 0.97


def repetitions(evidence: VarianceComponents, gain: float, draws: int = 20_000) -> GainError:
    """Repetitions of a study whose true variances are those of ``evidence``: each estimates its own."""
    rng = np.random.default_rng(0)
    d = min(float(evidence.d_pair), float(evidence.d_single))
    ratio = rng.chisquare(d, draws) / d
    drawn = {name: np.full(draws, value) for name, value in vars(evidence).items() if name != "untested_reason"}
    drawn |= {name: drawn[name] * ratio for name in ("s2_pair", "s2_single")}
    drawn["gain"] = rng.normal(gain, standard_error(evidence).se, draws)
    return standard_error(VarianceComponents(**drawn, untested_reason=""))


@pytest.mark.parametrize("estimand", ["population", "test-set"])
@pytest.mark.parametrize(("gain", "seed_sd"), [(0.01, 0.01), (-0.01, 0.02), (0.02, 0.03), (0.006, 0.02)])
def test_so_many_seeds_reach_a_verdict_and_one_fewer_does_not(gain: float, seed_sd: float, estimand: str) -> None:
    evidence = one_arrow(gain, seed_sd)
    found = needs(evidence, estimand=estimand, test="satterthwaite")

    def significant(error: GainError) -> float:
        return float(stats.nct.sf(stats.t.isf(0.025, error.df), error.df, abs(gain) / error.se)[0])

    def equivalent(error: GainError) -> float:
        """Mean over the estimated standard error of the chance that the gain lies inside."""
        u = (np.arange(20_000) + 0.5) / 20_000
        estimated = error.se[0] * np.sqrt(stats.chi2.ppf(u, error.df[0]) / error.df[0])
        inside = MARGIN - stats.t.isf(0.05, error.df[0]) * estimated
        return float(np.maximum(2 * stats.norm.cdf(inside / error.se[0]) - 1, 0).mean())

    for count, power, goal in (
        (found.seeds_to_significance, significant, 0.8),
        (found.seeds_to_equivalence, equivalent, 0.9),
    ):
        assert 1 < count <= MOST_SEEDS
        for more, reached in ((count, True), (count - 1, False)):
            later = with_more_seeds(evidence, np.array([float(more)]))
            assert (power(standard_error(later, estimand, "satterthwaite")) >= goal - 1e-4) == reached


@pytest.mark.parametrize("test", ["behrens-fisher", "satterthwaite"])
def test_many_arrows_at_once_have_the_numbers_of_each_by_root_finding(test: str) -> None:
    rng = np.random.default_rng(5)
    arrows = stacked(*(one_arrow(*rng.uniform([0.001, 0.004, 1e-7, 0], [0.03, 0.04, 4e-5, 20])) for _ in range(25)))
    alpha, rule = 0.01, Rule(test=test)
    found = power_analysis(arrows, MARGIN, alpha=alpha, alpha_equivalence=alpha, rule=rule)

    def needed(arrow: int, more: float, level: float, power: float, *, two_sided: bool) -> float:
        """What an arrow needs with more seeds, by bisection of each probability."""
        later = with_more_seeds(arrows, np.array([more]))
        error = standard_error(later, test=test).at((arrow, 0))
        half = brentq(lambda at: float(error.upper_tail(at)) - level / 2, 0, 1e3 * error.se, xtol=1e-16, rtol=1e-14)
        scale, weight = error.repeated()

        def exceeds(at: float) -> float:
            chance = stats.norm.cdf((at - half * scale) / error.se)
            return float((np.maximum(chance, 0.5 if two_sided else 0.0) * weight).sum()) - power

        return float(brentq(exceeds, 0, 1e3 * error.se, xtol=1e-16, rtol=1e-14))

    for arrow in range(25):
        assert found.mde[arrow] == pytest.approx(needed(arrow, 0.0, alpha, 0.8, two_sided=False), rel=1e-9)
        for count, goal, choice in (
            (found.seeds_to_significance[arrow], abs(arrows.gain[arrow]), (alpha, 0.8, False)),
            (found.seeds_to_equivalence[arrow], MARGIN, (2 * alpha, 0.95, True)),
        ):
            level, power, two_sided = choice
            fewest = min(count, 1e9)
            if fewest < 1e9:
                assert fewest == MOST_SEEDS + 1 or needed(arrow, fewest, level, power, two_sided=two_sided) <= goal
            if fewest > 1:
                assert needed(arrow, min(fewest, 501) - 1, level, power, two_sided=two_sided) > goal
    assert {math.inf, MOST_SEEDS + 1} < {*found.seeds_to_significance, *found.seeds_to_equivalence, MOST_SEEDS + 1}


def test_seeds_are_searched_only_where_they_are_wanted() -> None:
    arrows = stacked(*(one_arrow(gain) for gain in (0.01, 0.02, 0.03)))
    wanted = np.array([True, False, True])
    options = {"alpha": 0.05, "alpha_equivalence": 0.05, "rule": Rule()}
    every, some = (power_analysis(arrows, MARGIN, wanted=chosen, **options) for chosen in (None, wanted))
    assert np.isnan(some.seeds_to_significance[1])
    for name in ("seeds_to_significance", "seeds_to_equivalence"):
        assert (getattr(some, name)[wanted] == getattr(every, name)[wanted]).all()
    assert (some.mde == every.mde).all()


def test_a_larger_gain_never_needs_more_seeds() -> None:
    arrows = stacked(*(one_arrow(gain, seed_sd=0.02) for gain in np.linspace(0.001, 0.08, 60)))
    found = needs(arrows)
    assert (found.seeds_to_significance[1:] <= found.seeds_to_significance[:-1]).all()
    assert len(set(found.seeds_to_significance)) > 10
    assert len(set(found.seeds_to_equivalence)) == len(set(found.mde)) == 1


def test_noisier_seeds_never_need_fewer() -> None:
    found = needs(stacked(*(one_arrow(0.02, seed_sd) for seed_sd in np.linspace(0.002, 0.1, 40))))
    for counts in (found.seeds_to_significance, found.seeds_to_equivalence):
        assert (np.diff(counts) >= 0).all()
    assert (np.diff(found.mde) > 0).all()


def test_a_gain_and_a_loss_of_one_size_need_the_same() -> None:
    up, down = needs(one_arrow(0.01)), needs(one_arrow(-0.01))
    assert vars(up) == vars(down)


def test_where_the_test_set_is_too_small_no_number_of_seeds_helps() -> None:
    evidence = one_arrow(gain=0.01, v_examples=0.01**2)
    found = needs(evidence)
    assert (found.seeds_to_significance, found.seeds_to_equivalence) == (math.inf, math.inf)
    endless = standard_error(with_more_seeds(evidence, np.array([1e12])))
    assert stats.norm.ppf(0.975) * endless.se > 0.01
    assert describe_power(found, np.array("inconclusive", dtype=object), 800) == (
        "no number of seeds is enough with 800 test examples"
    )
    on_this_set = needs(evidence, estimand="test-set")
    assert on_this_set.seeds_to_significance <= MOST_SEEDS


def test_seeds_that_would_suffice_but_were_not_searched_are_not_called_unreachable() -> None:
    found = needs(one_arrow(gain=0.004, seed_sd=0.1, v_examples=1e-12))
    assert (found.seeds_to_significance, found.seeds_to_equivalence) == (MOST_SEEDS + 1, MOST_SEEDS + 1)
    assert describe_power(found, np.array("inconclusive", dtype=object), 800) == "more than 500 more seeds"


def test_an_arrow_is_the_same_alone_and_among_others() -> None:
    arrows = [one_arrow(0.01), one_arrow(0.03, 0.02), untested("one seed"), one_arrow(0.001, v_examples=1e-3)]
    together = needs(stacked(*arrows))
    for place, arrow in enumerate(arrows):
        alone = needs(arrow)
        for name in vars(alone):
            np.testing.assert_array_equal(getattr(together, name)[place], getattr(alone, name))


@pytest.mark.filterwarnings("error")
def test_nothing_is_needed_of_what_is_not_known() -> None:
    found = needs(untested("one seed").map({"gain": 0.02, "v_examples": 1e-6}))
    assert np.isnan([found.mde, found.seeds_to_significance, found.seeds_to_equivalence]).all()
    assert describe_power(found, np.array("inconclusive", dtype=object), 800) == ""


def test_words_are_for_what_is_inconclusive() -> None:
    found = PowerAnalysis(*np.array([[1.0] * 5, [4, 1, math.inf, 501, 9], [1, 7, 30, math.inf, 9]]))
    verdict = np.array(["inconclusive"] * 4 + ["improves"], dtype=object)
    assert describe_power(found, verdict, np.arange(5)).tolist() == [
        "4 more seeds if the gain is as measured, 1 more seed if the gain is zero",
        "1 more seed if the gain is as measured, 7 more seeds if the gain is zero",
        "no number of seeds if the gain is as measured, 30 more seeds if the gain is zero "
        "(2 test examples are too few)",
        "more than 500 more seeds if the gain is as measured, no number of seeds if the gain is zero "
        "(3 test examples are too few)",
        "",
    ]


@pytest.mark.parametrize("estimand", ["population", "test-set"])
@pytest.mark.parametrize("gain", [0.0, 5e-17, -1e-16])
def test_a_gain_of_zero_is_not_blamed_on_the_test_set(gain: float, estimand: str) -> None:
    found = needs(one_arrow(gain=gain), estimand=estimand)
    assert found.seeds_to_significance == math.inf
    count = f"{found.seeds_to_equivalence:.0f}"
    assert 1 < found.seeds_to_equivalence <= MOST_SEEDS
    assert describe_power(found, np.array("inconclusive", dtype=object), 0) == (
        f"no number of seeds if the gain is as measured, {count} more seeds if the gain is zero "
        "(a gain of 0 is never significant)"
    )


def test_a_gain_of_a_thousandth_of_a_point_can_need_a_larger_test_set() -> None:
    found = needs(one_arrow(gain=1e-5))
    assert (found.seeds_to_significance, bool(found.is_zero)) == (math.inf, False)
    assert "(800 test examples are too few)" in str(describe_power(found, np.array("inconclusive", dtype=object), 800))
    assert needs(one_arrow(gain=1e-5), estimand="test-set").seeds_to_significance == MOST_SEEDS + 1


def test_the_level_for_one_more_arrow_is_benjamini_hochbergs_step() -> None:
    p = np.array([[np.nan, 0.2, 0.3], [0.9, np.nan, np.nan], [0.4, 0.8, np.nan]])
    assert per_comparison_alpha(p, 0.05, 0) == pytest.approx(0.05 / 5)
    assert per_comparison_alpha(p, 0.05, 2) == pytest.approx(0.05 * 3 / 5)
    assert per_comparison_alpha(p, 0.05, 5) == pytest.approx(0.05)
    for decided in range(5):  # with so many found, a p at the level is found too, and one a little above is not
        level = per_comparison_alpha(p, 0.05, decided)
        for one, found in ((level * 0.999, True), (level * 1.001, False)):
            others = [1e-9] * decided + [0.99] * (4 - decided)
            q = stats.false_discovery_control([one, *others])
            assert (q[0] <= 0.05) == found


def test_the_level_with_nothing_measured_is_no_crash() -> None:
    assert per_comparison_alpha(np.full((2, 2), np.nan), 0.05, 0) == 0


def test_a_study_says_what_its_open_arrows_need(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"], seeds_single=range(5))
    store = fill(study, tmp_path, latent_counts({("a", "b"): 0.6, ("c", "b"): 0.06}, n=400, seed_noise=0.1))
    matrix = measure(study, store, Rule(estimand="test-set"))
    for arrow in matrix.arrows:
        assert bool(matrix.recommendation[arrow]) == (matrix.verdict[arrow] == "inconclusive")
    assert matrix.verdict[0, 1] == "improves"
    looser = measure(study, store, Rule(alpha=0.2, estimand="test-set"))
    assert all(looser.mde[arrow] < matrix.mde[arrow] for arrow in matrix.arrows)


def test_a_small_test_set_is_named_as_the_reason(tmp_path: Path) -> None:
    study = make_study(["a", "b"], seeds=range(6))

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        ease = seeded(target).normal(0.5, 1, 40) + seeded("company", target, partners).normal(0, 2, 40)
        return right(ease + seeded(target, partners, seed).normal(0, 0.1, 40) > 0)

    matrix = measure(study, fill(study, tmp_path, counts))
    assert [matrix.recommendation[arrow] for arrow in matrix.arrows] == [
        "no number of seeds is enough with 40 test examples"
    ] * 2
