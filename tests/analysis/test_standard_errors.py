from __future__ import annotations

import math

import numpy as np
import pytest
from fake_studies import right
from one_arrow import gain_error
from scipy import stats

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.gain_error import GainError
from taskaffinity.analysis.statistics.standard_errors import (
    standard_error,
    variance_components,
)
from taskaffinity.tasks.metrics import GIVEN_SCORE, METRICS, Metric

ACCURACY = METRICS["accuracy"]


def mention_counts(rng: np.random.Generator, runs: int, ease: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """(runs, n_examples, 3): mentions found, invented and missed, easier in some sentences than in others."""
    chance = 1 / (1 + np.exp(-(ease + shift + rng.normal(0, 0.3, (runs, 1)))))
    gold = np.broadcast_to(np.arange(len(ease)) % 4, chance.shape)
    found = rng.binomial(gold, chance)
    return np.stack([found, rng.poisson(0.4, chance.shape), gold - found], axis=-1).astype(np.float64)


def pearson_counts(rng: np.random.Generator, runs: int, gold: np.ndarray, noise: float) -> np.ndarray:
    predicted = gold + rng.normal(0, noise, (runs, len(gold))) + rng.normal(0, 0.2, (runs, 1)) * gold**2
    return np.stack([METRICS["pearson"].tally(gold, run, ()) for run in predicted])


def example_arms(metric: str, n_pair: int = 4, n_single: int = 3, n: int = 150) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    if metric == "pearson":
        gold = rng.normal(0, 1, n)
        return pearson_counts(rng, n_pair, gold, 0.8), pearson_counts(rng, n_single, gold, 1.0)
    ease = rng.normal(0.5, 1, n)
    if metric == "answer_f1":  # a share of each answer
        found = (1 / (1 + np.exp(-ease - rng.normal(0, 1, (runs, n)))) for runs in (n_pair, n_single))
        pair, single = (np.stack([share, np.ones_like(share)], axis=-1) for share in found)
        return pair, single
    if metric in ("accuracy", "exact_match"):
        pair, single = (ease + rng.normal(0, 1, (runs, n)) > 0 for runs in (n_pair, n_single))
        return np.stack([right(run) for run in pair]), np.stack([right(run) for run in single])
    pair, single = mention_counts(rng, n_pair, ease, 0.2), mention_counts(rng, n_single, ease)
    if metric == "macro_f1":
        return np.concatenate([pair, pair[:, ::-1]], axis=-1), np.concatenate([single, single[:, ::-1]], axis=-1)
    return pair, single


def naive(pair: np.ndarray, single: np.ndarray, metric: Metric) -> GainError:
    """The module's formulas as plain loops over runs and examples."""
    arms, n = {"pair": list(pair), "single": list(single)}, pair.shape[1]
    scores = {arm: [float(metric.score(run.sum(axis=0))) for run in runs] for arm, runs in arms.items()}
    psi = {arm: [list(metric.influence(run)) for run in runs] for arm, runs in arms.items()}
    means = {arm: sum(values) / len(values) for arm, values in scores.items()}
    s2 = {arm: sum((value - means[arm]) ** 2 for value in values) / (len(values) - 1) for arm, values in scores.items()}
    item = {arm: [sum(run[i] for run in runs) / len(runs) for i in range(n)] for arm, runs in psi.items()}
    differences = [a - b for a, b in zip(item["pair"], item["single"], strict=True)]
    centre = sum(differences) / n
    v_examples = sum((x - centre) ** 2 for x in differences) / (n - 1) / n
    v_interaction = 0.0
    for arm, runs in psi.items():
        grand = sum(item[arm]) / n
        squares = sum(
            (run[i] - sum(run) / n - item[arm][i] + grand) ** 2 for run in runs for i in range(n)
        )  # the residual of the two-way layout
        v_interaction += squares / ((len(runs) - 1) * (n - 1)) / len(runs) / n
    v_seeds = s2["pair"] / len(pair) + s2["single"] / len(single)
    total = max(v_seeds + v_examples - v_interaction, v_seeds, v_examples)
    is_example = metric.name in ("accuracy", "exact_match", "answer_f1", "pearson")
    items = [1.0 if is_example else float(sum(row[0::3] + row[2::3])) for row in pair[0]]
    effective = sum(w**2 for w in items) ** 2 / sum(w**4 for w in items)
    df = total**2 / (v_seeds**2 / (min(len(pair), len(single)) - 1) + v_examples**2 / (effective - 1))
    gain = means["pair"] - means["single"]
    return GainError(gain, math.sqrt(v_seeds), math.sqrt(v_examples), total, df)


@pytest.mark.parametrize("metric", [name for name in METRICS if name != GIVEN_SCORE])
def test_the_two_way_error_is_the_plain_loop(metric: str) -> None:
    pair, single = example_arms(metric)
    ours, loop = gain_error(pair, single, METRICS[metric]), naive(pair, single, METRICS[metric])
    for name in ("gain", "se_seeds", "se_examples", "variance", "df"):
        assert getattr(ours, name) == pytest.approx(getattr(loop, name), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("metric", [name for name in METRICS if name != GIVEN_SCORE])
def test_swapping_the_arms_flips_the_sign_and_nothing_else(metric: str) -> None:
    pair, single = example_arms(metric)
    one, other = gain_error(pair, single, METRICS[metric]), gain_error(single, pair, METRICS[metric])
    assert one.gain == pytest.approx(-other.gain)
    assert (one.variance, one.df, one.p()) == pytest.approx((other.variance, other.df, other.p()))


@pytest.mark.parametrize("metric", [name for name in METRICS if name != GIVEN_SCORE])
def test_the_examples_part_is_what_a_paired_bootstrap_over_examples_gives(metric: str) -> None:
    pair, single = example_arms(metric, n=400)
    score = METRICS[metric].score

    def gain(index: np.ndarray) -> float:
        return float(score(pair[:, index].sum(axis=1)).mean() - score(single[:, index].sum(axis=1)).mean())

    resampled = stats.bootstrap(
        (np.arange(400),), gain, vectorized=False, n_resamples=400, method="basic", rng=np.random.default_rng(0)
    )
    assert gain_error(pair, single, METRICS[metric]).se_examples == pytest.approx(resampled.standard_error, rel=0.15)


def test_seeds_and_examples_together_are_what_resampling_both_gives() -> None:
    pair, single = example_arms("span_f1", 20, 20, 300)
    rng, score = np.random.default_rng(1), METRICS["span_f1"].score
    gains = []
    for _ in range(600):
        items = rng.integers(0, 300, 300)
        arms = [arm[rng.integers(0, 20, 20)][:, items].sum(axis=1) for arm in (pair, single)]
        gains.append(score(arms[0]).mean() - score(arms[1]).mean())
    # Resampling both counts the seed x example part twice, as V_seed + V_ex does.
    parts = variance_components(Arm.from_counts(pair, METRICS["span_f1"]), Arm.from_counts(single, METRICS["span_f1"]))
    assert np.std(gains) == pytest.approx(math.sqrt(standard_error(parts).variance + parts.v_interaction), rel=0.12)


@pytest.mark.parametrize("estimand", ["population", "test-set"])
def test_without_noise_of_examples_it_is_welchs_t_with_the_fewer_degrees_of_freedom(estimand: str) -> None:
    pair, single = np.array([0.71, 0.74, 0.70]), np.array([0.64, 0.69, 0.66, 0.65])
    counts = [np.stack([right(np.full(50, score)) for score in arm]) for arm in (pair, single)]
    error, welch = gain_error(*counts, ACCURACY, estimand), stats.ttest_ind(pair, single, equal_var=False)
    assert error.df == pytest.approx(2)
    assert error.t == pytest.approx(welch.statistic)
    assert error.p() >= welch.pvalue


def test_over_seeds_only_it_orders_shifts_as_permuting_the_runs_does() -> None:
    rng = np.random.default_rng(4)
    pair, single = rng.normal(0.7, 0.02, 6), rng.normal(0.7, 0.02, 6)
    ours, permuted = [], []
    for shift in np.arange(-0.05, 0.051, 0.01) - pair.mean() + single.mean() + 0.002:
        scores = pair + shift, single
        counts = [np.stack([right(np.full(500, score)) for score in arm]) for arm in scores]  # no noise of examples
        ours.append(float(gain_error(*counts, ACCURACY).p()))
        by_runs = stats.permutation_test(
            scores, lambda x, y: x.mean() - y.mean(), permutation_type="independent", n_resamples=np.inf
        )
        permuted.append(float(by_runs.pvalue))
    assert (np.diff(np.array(permuted)[np.argsort(ours)]) >= 0).all()
    np.testing.assert_allclose(ours, permuted, atol=0.05)
    assert min(permuted) < 0.01 < 0.5 < max(permuted)


def test_on_this_test_set_the_examples_are_no_error() -> None:
    pair, single = example_arms("accuracy")
    error = gain_error(pair, single, ACCURACY, "test-set")
    scores = [arm[..., 0].mean(axis=1) for arm in (pair, single)]
    assert error.t == pytest.approx(stats.ttest_ind(*scores, equal_var=False).statistic)
    assert error.variance < gain_error(pair, single, ACCURACY).variance


@pytest.mark.parametrize("metric", ["accuracy", "span_f1", "pearson", "macro_f1"])
def test_copies_of_an_example_in_one_document_tell_no_more_than_the_example(metric: str) -> None:
    pair, single = example_arms(metric, n=600)
    n = pair.shape[1]
    once = standard_error(variance_components(*(Arm.from_counts(arm, METRICS[metric]) for arm in (pair, single))))
    copied, documents = [np.tile(arm, (1, 5, 1)) for arm in (pair, single)], np.tile(np.arange(n), 5)
    by_document = standard_error(
        variance_components(*(Arm.from_counts(arm, METRICS[metric], documents) for arm in copied))
    )
    for name in ("gain", "se_seeds", "se_examples", "se", "df"):
        assert getattr(by_document, name) == pytest.approx(getattr(once, name), rel=1e-6), name
    as_if_apart = standard_error(variance_components(*(Arm.from_counts(arm, METRICS[metric]) for arm in copied)))
    assert as_if_apart.se_examples == pytest.approx(once.se_examples / math.sqrt(5), rel=0.01)


def test_documents_of_one_example_each_are_none() -> None:
    pair, single = example_arms("span_f1")
    alone = [Arm.from_counts(arm, METRICS["span_f1"], np.arange(arm.shape[1])) for arm in (pair, single)]
    plain = [Arm.from_counts(arm, METRICS["span_f1"]) for arm in (pair, single)]
    assert standard_error(variance_components(*alone)).se == pytest.approx(
        standard_error(variance_components(*plain)).se
    )


def test_one_document_is_no_sample() -> None:
    arms = [
        Arm.from_counts(np.stack([right(np.arange(9) < 5)] * 3), ACCURACY, np.zeros(9, dtype=int)) for _ in range(2)
    ]
    assert variance_components(*arms).untested_reason == "one test document"
    alone = variance_components(*(a.of_runs(range(3)) for a in arms), estimand="test-set")
    assert alone.untested_reason == ""
    assert standard_error(alone, "test-set").p() == 1


@pytest.mark.parametrize(
    ("documents", "reason"),
    [
        (np.minimum(np.arange(300), 298) // 298, "1.00 effective test documents"),  # 298 rows and 2
        (np.arange(300) // 75, "4.00 effective test documents"),
        (np.arange(299) // 60, "4.99 effective test documents"),
        (np.arange(300) // 60, ""),
        (np.arange(4), "4.00 effective test examples"),
        (None, ""),
    ],
)
def test_few_effective_documents_are_no_sample_of_a_population(documents: np.ndarray | None, reason: str) -> None:
    n = 300 if documents is None else len(documents)
    worse, better = (np.stack([right(np.arange(n) < share * n)] * 3) for share in (0.5, 0.75))
    arms = [Arm.from_counts(counts, ACCURACY, documents) for counts in (better, worse)]
    assert variance_components(*arms).untested_reason == reason
    assert variance_components(*arms, estimand="test-set").untested_reason == ""


def test_where_documents_move_together_only_errors_by_document_keep_their_level() -> None:
    """No gain in the population; each document is easier for one arm or for the other by chance."""
    rng, documents, called = np.random.default_rng(10), np.repeat(np.arange(80), 12), {True: 0, False: 0}
    for _ in range(300):
        ease, tilt = rng.normal(0.5, 1, 960), rng.normal(0, 0.5, 80)[documents]
        arms = [
            np.stack([right(ease + sign * tilt / 2 + rng.normal(0, 1, 960) > 0) for _ in range(4)]) for sign in (1, -1)
        ]
        for known in called:
            found = [Arm.from_counts(arm, ACCURACY, documents if known else None) for arm in arms]
            called[known] += bool(standard_error(variance_components(*found)).p() < 0.05)
    assert called[True] <= 28  # 15 of 300 expected; above 28 once in a thousand
    assert called[False] > 28


def test_equivalence_is_two_one_sided_tests() -> None:
    error = GainError(0.004, 0.0, 0.0, 0.003**2, 8.0)
    upper, lower = stats.t.cdf((0.004 - 0.01) / 0.003, 8), stats.t.sf((0.004 + 0.01) / 0.003, 8)
    assert error.p_tost(0.01) == pytest.approx(max(upper, lower))


@pytest.mark.filterwarnings("error")
def test_no_variance_at_all_meets_the_floor() -> None:
    same = np.stack([right(np.arange(100) < 80)] * 3)
    error = gain_error(same, same, ACCURACY)
    assert error.gain == 0
    assert error.se_seeds == pytest.approx(0.01 * math.sqrt(2 / 3))
    assert error.p() == 1
    better = np.stack([right(np.arange(100) < 81)] * 3)
    assert gain_error(better, same, ACCURACY).p() > 0.05  # one example of a hundred is no certainty


@pytest.mark.filterwarnings("error")
def test_f1s_floor_counts_the_examples_that_carry_mentions() -> None:
    counts = np.zeros((2, 100, 3))
    counts[:, :10, 0] = 1
    assert variance_components(*[Arm.from_counts(counts, METRICS["span_f1"])] * 2).s2_pair == pytest.approx(1 / 10**2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("n_pair", "n_single", "n_examples", "reason"),
    [(1, 1, 9, "one seed"), (1, 3, 9, "one pair run"), (3, 1, 9, "one single run"), (3, 3, 1, "one test example")],
)
def test_what_cannot_be_tested_has_a_reason_and_still_a_gain(
    n_pair: int, n_single: int, n_examples: int, reason: str
) -> None:
    pair, single = (np.stack([right(np.ones(n_examples))] * runs) for runs in (n_pair, n_single))
    error = gain_error(pair, single, ACCURACY)
    assert (
        variance_components(Arm.from_counts(pair, ACCURACY), Arm.from_counts(single, ACCURACY)).untested_reason
        == reason
    )
    assert error.gain == 0
    assert math.isnan(error.p())
    assert all(math.isnan(end) for end in error.interval(0.05))


@pytest.mark.filterwarnings("error")
def test_a_test_set_without_any_mention_has_a_reason() -> None:
    nothing = Arm.from_counts(np.zeros((3, 9, 3)), METRICS["span_f1"])
    assert variance_components(nothing, nothing).untested_reason == "no test example counts"


@pytest.mark.parametrize(
    ("n", "runs", "replications"),
    [
        (300, (3, 5), 250),
        pytest.param(300, (3, 3), 800, marks=pytest.mark.slow),
        pytest.param(300, (3, 5), 800, marks=pytest.mark.slow),
        pytest.param(1000, (5, 5), 800, marks=pytest.mark.slow),
    ],
)
def test_true_nulls_are_significant_at_the_stated_rate(n: int, runs: tuple[int, int], replications: int) -> None:
    tests = ("satterthwaite", "behrens-fisher")
    rng, significant, covered = np.random.default_rng(11), dict.fromkeys(tests, 0), dict.fromkeys(tests, 0)
    error_of_rate = math.sqrt(0.05 * 0.95 / replications)
    for _ in range(replications):
        ease = rng.normal(rng.normal(1.5, 0.5), 2, n)
        arms = []
        for size in runs:
            latent = ease + rng.normal(0, 0.4, n) + rng.normal(0, 0.15, (size, 1)) + rng.normal(0, 0.7, (size, n))
            arms.append(np.stack([right(run > 0) for run in latent]))
        for test in tests:
            error = gain_error(*arms, ACCURACY, test=test)
            significant[test] += error.p() <= 0.05
            low, high = error.interval(0.05)
            covered[test] += low <= 0 <= high
    assert significant["satterthwaite"] / replications == pytest.approx(0.05, abs=4 * error_of_rate)
    # Without a prior two degrees of freedom are all that is known: the default test is careful, and it is not blind.
    assert 0 < significant["behrens-fisher"] < significant["satterthwaite"]
    assert min(covered.values()) / replications >= 0.95 - 4 * error_of_rate
