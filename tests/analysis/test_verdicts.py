from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study

from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.statistics.gain_error import GainError
from taskaffinity.analysis.statistics.verdicts import CORRECTIONS, Decision, adjust, decide, verdicts
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

P = np.array([[np.nan, 0.01, 0.04], [0.03, np.nan, np.nan], [0.5, 0.001, np.nan]])
TIED = np.array([[np.nan, 0.02, 0.02], [0.5, np.nan, 0.013], [0.02, 0.9, np.nan]])

COLOURS = ("improves", "degrades")


def many_arrows(size: int = 6) -> GainError:
    """Gains of every kind, from none to many standard errors, down and up; the diagonal is NaN."""
    rng = np.random.default_rng(2)
    gain, se = rng.normal(0, 0.03, (size, size)), rng.uniform(0.002, 0.02, (size, size))
    np.fill_diagonal(gain, np.nan)
    np.fill_diagonal(se, np.nan)
    return GainError(gain, se, 0 * se, se**2, np.where(np.isnan(se), np.nan, rng.uniform(4, 40, (size, size))))


def call(error: GainError, correction: str, margin: float = 0.01) -> Decision:
    """What a correction says of arrows that share half their variance with the others into their target."""
    size = len(error.gain)

    def covariance(t: int) -> np.ndarray:
        return (0.5 + 0.5 * np.eye(size)) * np.outer(error.se[:, t], error.se[:, t])

    return decide(error, np.full(size, margin), Rule(correction=correction), covariance)


@pytest.mark.parametrize("p", [P, TIED], ids=["distinct", "tied"])
@pytest.mark.parametrize("method", ["bh", "by"])
def test_q_is_the_least_rate_at_which_an_arrow_would_be_found(p: np.ndarray, method: str) -> None:
    q = adjust(p, method)
    known = [value for value in p.ravel() if not np.isnan(value)]
    harmonic = sum(1 / k for k in range(1, len(known) + 1)) if method == "by" else 1
    for value in known:  # the definition, by loops
        rates = []
        for bound in known:
            if bound >= value:
                found = sum(other <= bound for other in known)
                rates.append(len(known) * harmonic * bound / found)
        np.testing.assert_allclose(q[p == value], min(*rates, 1))
    assert (np.isnan(q) == np.isnan(p)).all()


@pytest.mark.parametrize("p", [P, TIED], ids=["distinct", "tied"])
def test_holm_steps_down_and_stops_at_the_first_that_fails(p: np.ndarray) -> None:
    q = adjust(p, "holm")
    known = sorted(value for value in p.ravel() if not np.isnan(value))
    for alpha in (0.005, 0.01, 0.05, 0.06, 0.1, 0.2, 0.6):
        rejected = []
        for place, value in enumerate(known):  # the procedure as Holm gives it
            if value > alpha / (len(known) - place):
                break
            rejected.append(value)
        assert sorted(p[q <= alpha + 1e-12]) == rejected
    assert (np.isnan(q) == np.isnan(p)).all()


@pytest.mark.parametrize("method", ["bh", "by", "holm"])
def test_q_rises_with_p_and_lies_between_p_and_one(method: str) -> None:
    p = np.random.default_rng(0).uniform(0, 1, 40) ** 3
    q = adjust(p, method)
    assert (np.diff(q[np.argsort(p)]) >= 0).all()
    assert ((p <= q) & (q <= 1)).all()
    assert adjust(p[:1], method) == pytest.approx(p[:1])


@pytest.mark.parametrize("method", ["bh", "by", "holm"])
def test_what_was_never_measured_does_not_count(method: str) -> None:
    padded = np.append(P.ravel(), np.full(20, np.nan))
    np.testing.assert_array_equal(adjust(padded, method)[: P.size], adjust(P, method).ravel())
    assert np.isnan(adjust(np.full((2, 2), np.nan), method)).all()


def test_stricter_corrections_have_larger_q() -> None:
    p = np.random.default_rng(1).uniform(0, 1, 30) ** 4
    assert (adjust(p, "by") >= adjust(p, "bh")).all()
    assert (adjust(p, "holm") >= adjust(p, "bh")).all()


def test_verdicts_take_equivalence_first() -> None:
    gain = np.array([2.0, -2.0, 0.3, -0.3, 0.1, 2.0, np.nan])
    q = np.array([0.01, 0.01, 0.01, 0.01, 0.9, 0.06, np.nan])
    q_tost = np.array([0.9, 0.9, 0.02, 0.05, 0.01, 0.9, np.nan])
    expected = ["improves", "degrades", "no effect", "no effect", "no effect", "inconclusive", "inconclusive"]
    assert verdicts(gain, q, q_tost, 0.05).tolist() == expected


@pytest.mark.parametrize("strict", ["by", "holm"])
def test_stricter_corrections_never_find_more(strict: str) -> None:
    # The margin is negligible: an arrow may be "no effect" by the lax correction and significant by the strict one.
    significant, lax = (np.isin(call(many_arrows(), name, 1e-9).verdict, COLOURS) for name in (strict, "bh"))
    assert not (significant & ~lax).any()
    assert 0 < significant.sum() < lax.sum()


@pytest.mark.parametrize("strict", ["by", "holm"])
def test_stricter_corrections_never_find_more_no_effects(strict: str) -> None:
    equal, lax = (call(many_arrows(), name, 0.06).verdict == "no effect" for name in (strict, "bh"))
    assert not (equal & ~lax).any()
    assert 0 < equal.sum() < lax.sum()


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_only_dunnetts_intervals_are_wider_than_one_arrows_own(correction: str) -> None:
    error = many_arrows(4)
    said, (low, high) = call(error, correction), error.interval(0.05)
    arrows = ~np.eye(len(low), dtype=bool)
    if correction == "dunnett":
        assert (said.low[arrows] < low[arrows]).all()
        assert (said.high[arrows] > high[arrows]).all()
    else:
        np.testing.assert_array_equal(said.low, low)
        np.testing.assert_array_equal(said.high, high)
    np.testing.assert_array_equal(said.p, error.p())
    np.testing.assert_allclose((said.low + said.high)[arrows], 2 * error.gain[arrows])


def test_dunnett_colours_where_its_intervals_leave_out_zero() -> None:
    said = call(many_arrows(), "dunnett", 1e-9)
    near = abs(said.q - 0.05) < 2e-3  # both are numerical integrals
    apart, arrows = (said.low > 0) | (said.high < 0), ~np.isnan(said.q)
    assert (apart == np.isin(said.verdict, COLOURS))[arrows & ~near].all()
    assert 0 < apart.sum() < arrows.sum()


def test_dunnett_corrects_one_target_at_a_time() -> None:
    error = many_arrows(4)
    elsewhere = error.gain.copy()
    elsewhere[:, 1:] = 0.5
    whole = call(error, "dunnett")
    part = call(GainError(elsewhere, error.se_seeds, error.se_examples, error.variance, error.df), "dunnett")
    for name in ("low", "high", "q", "q_tost"):
        np.testing.assert_array_equal(getattr(whole, name)[:, 0], getattr(part, name)[:, 0])
    np.testing.assert_array_equal(whole.q_tost[:, 0], adjust(whole.p_tost[:, 0], "holm"))


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_swapping_up_and_down_swaps_the_colours(correction: str) -> None:
    error = many_arrows(4)
    mirrored = GainError(-error.gain, error.se_seeds, error.se_examples, error.variance, error.df)
    one, other = call(error, correction), call(mirrored, correction)
    swapped = {"improves": "degrades", "degrades": "improves"}
    assert [swapped.get(word, word) for word in one.verdict.ravel()] == other.verdict.ravel().tolist()
    np.testing.assert_allclose(one.low, -other.high)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("correction", CORRECTIONS)
def test_a_study_is_read_under_every_correction(toy: tuple[Study, RunStore], correction: str) -> None:
    matrix = measure(*toy, Rule(correction=correction))
    plain = measure(*toy)
    assert (np.isfinite(matrix.q) == np.isfinite(matrix.p)).all()
    assert (matrix.q >= matrix.p)[np.isfinite(matrix.p)].all()
    np.testing.assert_array_equal(matrix.p, plain.p)
    assert set(matrix.select(*COLOURS)) <= set(plain.select(*COLOURS))
    b, a, _ = range(3)
    assert matrix.verdict[a, b] == "improves"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("correction", CORRECTIONS)
def test_arrows_without_a_test_stay_out_of_every_correction(tmp_path: Path, correction: str) -> None:
    study = make_study(["a", "b", "c"])
    counts = latent_counts({("a", "b"): 0.6}, n=300)
    matrix = measure(
        study,
        fill(study, tmp_path, counts, skip=lambda spec: spec.task_names == ("b", "c")),
        Rule(correction=correction),
    )
    a, b, c = range(3)
    assert np.isnan([matrix.q[b, c], matrix.q[c, b], matrix.low[b, c], matrix.q_tost[c, b]]).all()
    assert np.isfinite([matrix.q[a, b], matrix.q[a, c], matrix.q[b, a], matrix.q[c, a]]).all()
    if correction == "dunnett":  # b and c have one arrow left
        assert matrix.q[a, b] == pytest.approx(matrix.p[a, b])
        assert matrix.q[a, c] == pytest.approx(matrix.p[a, c])
        assert matrix.q[b, a] > matrix.p[b, a]


@pytest.mark.parametrize(
    "setting",
    [
        {"alpha": 0.0},
        {"alpha": 1.0},
        {"margin": 0.0},
        {"margin": -1.0},
        {"margins": {"accuracy": 0.0}},
        {"margins": {"bleu": 1.0}},
        {"correction": "none"},
        {"estimand": "all"},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|no such metric|there are"):
        Rule(**setting)


def test_a_metric_may_have_a_margin_of_its_own() -> None:
    rule = Rule(margin=1.5, margins={"pearson": 2.5})
    assert [rule.margin_of(metric) for metric in ("accuracy", "pearson")] == [1.5, 2.5]


def test_arrows_of_no_effect_do_not_make_others_significant() -> None:
    # forty-nine gains are real but negligible; one wide null has p .04, which is not significant after correction
    gain, se = np.full((1, 50), 0.002), np.full((1, 50), 0.0002)
    gain[0, 0], se[0, 0] = 0.041, 0.02
    error = GainError(gain, se, se, se**2, np.full((1, 50), 1000.0))
    call = decide(error, np.full(50, 0.01), Rule(), lambda t: np.zeros((1, 1)))
    assert call.p[0, 0] < 0.05
    assert (call.p[0, 1:] < 1e-9).all()
    assert call.q[0, 0] > 0.05
