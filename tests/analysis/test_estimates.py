"""Estimates from probes: their value, error and interval, and how they are compared with measured gains."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_studies import make_study
from scipy.linalg import helmert
from scipy.stats import multivariate_normal, norm

from taskaffinity.analysis.estimates.log_evidence import label_evidence, log_evidence
from taskaffinity.analysis.estimates.probes import Estimate, Probed, estimates, estimates_frame
from taskaffinity.analysis.estimates.validation import (
    agreement,
    auroc,
    estimator_scores,
    scores_of_estimators,
    within_target,
)
from taskaffinity.analysis.estimates.words import estimate_cautions
from taskaffinity.analysis.tables.frames import as_csv
from taskaffinity.errors import InputError
from taskaffinity.runs.probe_result import ProbeResult, ProbeScores
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, Probe, RunSpec

PARENT = RunSpec((("t", "ft"),), EncoderRef("tiny", "e"), 0, Recipe())
SPEC = replace(PARENT, variant="probe", parent=PARENT, partner=("s", "fs"), probe=Probe(20, 60, source_goal=0.5))


def result(right: list[np.ndarray[Any, Any]], source: float = 0.9) -> ProbeResult:
    """A probe whose target is right where the two arrays say so: with the last weights, and with averaged ones."""
    last, averaged = (np.column_stack([one, np.ones(len(one))]).astype(float) for one in right)
    scores = ProbeScores(SPEC.run_id, "accuracy", last[:, 0].mean(), averaged[:, 0].mean(), 1, source)
    return ProbeResult(SPEC, scores, last, averaged)


def drawn(rng: np.random.Generator, rate: float, n: int = 400) -> list[np.ndarray[Any, Any]]:
    first = rng.random(n) < rate
    return [first, first ^ (rng.random(n) < 0.05)]


@pytest.fixture
def pair() -> list[Probed]:
    rng = np.random.default_rng(0)
    return [Probed("s", "t", result(drawn(rng, 0.8)), result(drawn(rng, 0.7))) for _ in range(2)]


def test_an_estimate_is_the_mean_difference_of_the_two_scores(pair: list[Probed]) -> None:
    (row,) = estimates(pair)
    by_hand = [
        np.mean([one.with_source.last[:, 0].mean(), one.with_source.averaged[:, 0].mean()])
        - np.mean([one.target_only.last[:, 0].mean(), one.target_only.averaged[:, 0].mean()])
        for one in pair
    ]
    assert row.probe == pytest.approx(100 * np.mean(by_hand))
    assert row.repeats == 2


def test_its_error_is_that_of_drawing_the_dev_examples_again(pair: list[Probed]) -> None:
    one = pair[0]
    rng = np.random.default_rng(1)
    signed = sum(
        sign * counts[:, 0] / 2
        for sign, found in ((1, one.with_source), (-1, one.target_only))
        for counts in (found.last, found.averaged)
    )
    draws = [rng.choice(signed, len(signed)).mean() for _ in range(4000)]
    (row,) = estimates([one])
    assert row.se == pytest.approx(100 * 1.25 * np.std(draws), rel=0.05)


def test_seeds_that_disagree_add_to_the_error_of_every_arrow_into_the_target(pair: list[Probed]) -> None:
    """The variance over seeds is pooled over the arrows into a target."""
    far = replace(pair[0], source="other")
    near = replace(pair[1], source="other", with_source=pair[1].target_only)
    alone = {row.source: row for row in estimates(pair)}
    both = {row.source: row for row in estimates([*pair, far, near])}
    of_seeds = [
        np.var([one.with_source.scores.readout - one.target_only.scores.readout for one in two], ddof=1)
        for two in (pair, [far, near])
    ]
    added = (both["s"].se ** 2 - alone["s"].se ** 2) / (100 * 1.25) ** 2
    assert added == pytest.approx((np.mean(of_seeds) - of_seeds[0]) / 2)


@pytest.mark.parametrize(
    ("probe", "se", "interval", "sign"),
    [
        (10.0, 2.0, (10 - 3.29, 6 * (10 + 3.29)), "positive"),
        (-10.0, 2.0, (6 * (-10 - 3.29), -10 + 3.29), "negative"),
        (1.0, 2.0, (6 * (1 - 3.29), 6 * (1 + 3.29)), "unclear"),
    ],
)
def test_a_gain_is_one_to_six_times_its_probe(probe: float, se: float, interval: Any, sign: str) -> None:
    row = Estimate("s", "t", probe, se)
    assert row.interval == pytest.approx(interval)
    assert row.sign == sign
    assert replace(row, source_learned=False).sign == "unclear"


def test_an_arrow_whose_source_was_not_learned_has_no_sign() -> None:
    rng = np.random.default_rng(0)
    (row,) = estimates([Probed("s", "t", result(drawn(rng, 0.9), source=0.4), result(drawn(rng, 0.5)))])
    assert not row.source_learned
    assert row.sign == "unclear"


def test_probes_with_the_same_predictions_have_no_interval_and_no_sign() -> None:
    same = result(drawn(np.random.default_rng(2), 0.8, n=12))
    (row,) = estimates([Probed("s", "t", same, same)])
    assert (row.probe, row.sign, row.reason) == (0.0, "unclear", "")
    assert math.isnan(row.se)
    assert all(map(math.isnan, row.interval))


def test_equal_probes_have_no_interval_beside_an_arrow_whose_seeds_disagree(pair: list[Probed]) -> None:
    same = [replace(one, source="other", with_source=one.target_only) for one in pair]
    known, equal = estimates([*pair, *same])
    assert known.se > 0
    assert (equal.source, equal.probe, equal.sign, equal.repeats) == ("other", 0.0, "unclear", 2)
    assert math.isnan(equal.se)
    assert all(map(math.isnan, equal.interval))


def test_the_table_has_arrows_without_an_estimate_and_why(pair: list[Probed]) -> None:
    frame = estimates_frame(estimates(pair, {("t", "s"): "a probe is missing"}), ["s", "t"])
    assert list(zip(frame.source, frame.target, frame.reason, strict=True)) == [
        ("t", "s", "a probe is missing"),
        ("s", "t", ""),
    ]
    assert math.isnan(frame.probe[0])
    assert frame.sign.tolist() == ["", "positive"]


def test_the_area_under_the_curve_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    scores, is_one = rng.integers(0, 5, 40).astype(float), rng.random(40) < 0.3
    pairs = list(product(scores[is_one], scores[~is_one]))
    by_hand = sum(one > zero for one, zero in pairs) + sum(one == zero for one, zero in pairs) / 2
    assert auroc(scores, is_one) == pytest.approx(by_hand / len(pairs))
    assert math.isnan(auroc(scores, np.ones(40, dtype=bool)))


def test_an_estimate_that_is_the_gain_agrees_with_it() -> None:
    gains = [5.0, -4.0, 0.1, -0.2, 3.0, -3.0]
    arrows = pd.DataFrame(
        {"source": ["mednli", "clinicalsts"] * 3, "target": ["clinicalsts", "mednli"] * 3, "gain": gains}
    )
    arrows["probe"] = arrows.gain / 2
    arrows["low"], arrows["high"] = arrows.gain - 1, arrows.gain + np.array([1, 1, 1, 1, 1, -0.5])
    improves, degrades = (arrows.gain > 2).to_numpy(), (arrows.gain < -2).to_numpy()
    found = agreement(arrows, "probes", arrows.probe.to_numpy(), improves, degrades)
    assert (found.auroc_positive, found.auroc_negative, found.sign_accuracy, found.sign_base) == (1, 1, 1, 0.5)
    assert found.within_target == pytest.approx(1.0)
    assert found.coverage == pytest.approx(5 / 6)
    turned = agreement(arrows, "another", -arrows.probe.to_numpy(), improves, degrades)
    assert (turned.auroc_positive, turned.auroc_negative, turned.sign_accuracy) == (0, 0, 0)
    assert math.isnan(turned.coverage)  # it has no intervals


def test_an_arrow_without_a_score_is_left_out() -> None:
    gains = np.array([5.0, -4.0, 0.1, 9.0])
    arrows = pd.DataFrame({"source": list("abcd"), "target": "t", "gain": gains, "low": gains, "high": gains})
    scores = np.array([1.0, -1.0, 0.0, np.nan])
    found = agreement(arrows, "another", scores, gains > 2, gains < -2)
    assert (found.arrows, found.auroc_positive, found.auroc_negative, found.sign_accuracy) == (3, 1, 1, 1)


def test_stored_scores_stand_beside_the_probes_and_the_sizes(tmp_path: Path) -> None:
    study = make_study(["s", "t"])
    sizes = {"s": 100, "t": 50}
    study = replace(study, tasks=tuple(replace(task, sizes={"train": sizes[task.name]}) for task in study.tasks))
    frame = estimates_frame([Estimate("s", "t", probe=2.0, se=1.0)], ["s", "t"])
    assert list(estimator_scores(frame, study, tmp_path)) == ["probes", "log size ratio"]
    stored = scores_of_estimators({"vocabulary coverage": np.array([[np.nan, 0.25], [np.nan, np.nan]])}, ["s", "t"])
    (tmp_path / "estimators.csv").write_text(as_csv(stored))
    found = estimator_scores(frame, study, tmp_path)
    assert {name: scores.get(("s", "t")) for name, scores in found.items()} == {
        "probes": 2.0,
        "log size ratio": pytest.approx(math.log(2)),
        "vocabulary coverage": 0.25,
    }
    assert found["log size ratio"]["t", "s"] == pytest.approx(-math.log(2))
    (tmp_path / "estimators.csv").write_text("estimator,source,target,score\nx,s,t,much\n")
    with pytest.raises(InputError, match=r"row 1: score is 'much'; expected .*; run `taskaffinity estimate --base"):
        estimator_scores(frame, study, tmp_path)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "no row"),
        ("x,s,t,1\nx,s,u,1\n", "task 'u', which the study does not have (estimator 'x')"),
        ("x,s,s,1\n", "an arrow from s to itself (estimator 'x')"),
        ("x,s,t,1\ny,s,t,1\nx,s,t,2\n", "two rows from s to t (estimator 'x')"),
        ("probes,s,t,-9\n", "scores of probes, which have their own file"),
    ],
)
def test_stored_scores_that_no_command_writes_are_refused(rows: str, said: str, tmp_path: Path) -> None:
    study = make_study(["s", "t"])
    frame = estimates_frame([Estimate("s", "t", probe=2.0, se=1.0)], ["s", "t"])
    path = tmp_path / "estimators.csv"
    path.write_text(f"estimator,source,target,score\n{rows}")
    with pytest.raises(InputError) as fault:
        estimator_scores(frame, study, tmp_path)
    way_out = "run `taskaffinity estimate --baselines` again, or move the file away"
    assert str(fault.value) == f"{path}: {said}; {way_out}"


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("left", [0.0, 1e-7, 1e-3])
def test_features_that_say_nothing_leave_the_evidence_of_a_normal_density(scale: float, left: float) -> None:
    """``left`` is the share of what the features explain by chance that stays in the targets."""
    rng = np.random.default_rng(0)
    for n_features in (0, 1, 5):
        features, targets = scale * rng.normal(size=(40, n_features)), rng.normal(size=40)
        features, targets = features - features.mean(axis=0), targets - targets.mean()
        directions, _ = np.linalg.qr(features)
        targets -= (1 - left) * directions @ (directions.T @ targets)
        found, _, beta = log_evidence(features, targets)
        variance = float(targets @ targets) / 39  # the mean is taken off
        assert found == pytest.approx(norm.logpdf(0, scale=variance**0.5) - 0.5, abs=1e-6)
        assert beta == pytest.approx(1 / variance, rel=1e-4)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6, 1e9])
@pytest.mark.parametrize("width", [1, 5, 20])
def test_features_that_are_orthogonal_to_the_targets_to_the_last_bit_say_nothing(width: int, scale: float) -> None:
    targets = np.repeat([1.0, -1.0], 40)
    features = np.zeros((80, width))
    for column in range(width):  # two examples of one class, so that every product with the targets is exactly 0
        features[[2 * column, 2 * column + 1], column] = scale, -scale
    found, alpha, beta = log_evidence(features, targets)
    variance = 80 / 79
    assert found == pytest.approx(norm.logpdf(0, scale=variance**0.5) - 0.5, abs=1e-9)
    assert beta == pytest.approx(1 / variance)
    assert np.isfinite(alpha)


def test_the_log_evidence_is_the_largest_density_of_the_targets() -> None:
    """By the density of the targets themselves: normal, with the errors and the weights integrated out."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 6)) * [3, 1, 1, 0.2, 1, 1]
    features -= features.mean(axis=0)
    targets = features @ rng.normal(size=6) + rng.normal(size=40)
    targets -= targets.mean()
    contrasts = helmert(40)  # without the mean
    evidence, alpha, beta = log_evidence(features, targets)

    def density(a: float, b: float) -> float:
        covariance = contrasts @ (np.eye(40) / b + features @ features.T / a) @ contrasts.T
        return float(multivariate_normal(np.zeros(39), covariance).logpdf(contrasts @ targets)) / 39

    assert evidence == pytest.approx(density(alpha, beta), abs=1e-6)
    for a, b in product((0.8, 1.0, 1.25), repeat=2):
        assert density(alpha * a, beta * b) <= evidence + 1e-6
    features = np.column_stack([features, rng.normal(size=(40, 60))])
    features -= features.mean(axis=0)  # more features than examples
    wide, alpha, beta = log_evidence(features, targets)
    assert wide == pytest.approx(density(alpha, beta), abs=1e-5)


@pytest.mark.parametrize(
    ("n", "width", "seed"), [(30, 384, 17), (30, 384, 29), (30, 384, 31), (30, 50, 1), (300, 5, 3)]
)
def test_the_log_evidence_is_the_largest_where_its_updates_are_slow(n: int, width: int, seed: int) -> None:
    """Features without relation to the targets; against a search over the ratio of both precisions."""
    rng = np.random.default_rng(seed)
    features, targets = rng.normal(size=(n, width)), rng.normal(size=n)
    features, targets = features - features.mean(axis=0), (targets - targets.mean()) / targets.std()
    contrasts = helmert(n)  # without the mean
    spread, vectors = np.linalg.eigh(contrasts @ features @ features.T @ contrasts.T)
    along = vectors.T @ contrasts @ targets

    def density(log_ratio: float) -> float:
        relative = 1 + np.maximum(spread, 0.0) / math.exp(log_ratio)
        variance = float((along**2 / relative).mean())  # the most likely one of errors
        return -(math.log(2 * math.pi * variance) + float(np.log(relative).mean()) + 1) / 2

    best = max(density(log_ratio) for log_ratio in np.linspace(-5, 25, 3000))
    assert log_evidence(features, targets)[0] == pytest.approx(best, abs=2e-5)


def test_features_that_hold_the_labels_have_more_evidence_whatever_the_scale_of_scores() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 200).astype(float)
    noise = rng.normal(size=(200, 4))
    informed = np.column_stack([noise, labels == 1, labels == 2]).astype(float)
    assert label_evidence(informed, labels, is_score=False) > label_evidence(noise, labels, is_score=False) + 0.5
    scores = noise[:, 0] + 0.1 * rng.normal(size=200)
    assert label_evidence(noise, 100 * scores, is_score=True) == pytest.approx(
        label_evidence(noise, scores, is_score=True)
    )
    assert math.isnan(label_evidence(noise, np.ones(200), is_score=False))


def test_targets_with_few_sources_are_not_ranked() -> None:
    targets = np.array(["a", "a", "a", "b", "b"])
    assert within_target(targets, np.array([1.0, 2, 3, 9, 8]), np.array([1.0, 2, 3, 1, 2])) == pytest.approx(1.0)


def test_the_caution_quotes_what_was_measured_on_small_suites() -> None:
    found = pd.read_csv(Path(__file__).parents[1] / "benchmarks/results/estimates.csv").query("estimator == 'probes'")
    shares = []
    for budget, studies in (("10%", 12), ("20%", 4)):
        of_budget = found[found.budget == budget]
        four, eight = of_budget[of_budget.arrows == 12], of_budget[of_budget.arrows == 56]
        assert (len(four), len(eight)) == (studies, 2)
        shares.append(four.nulls_with_sign.sum() / four.nulls.sum())
        assert (eight.nulls_with_sign / eight.nulls).max() < shares[-1]
    [line] = estimate_cautions(4, [True] * 12)
    one, two = shares
    assert f"{one:.0%} of the arrows without an effect had a sign from one probe, and {two:.0%} from two" in line
    page = (Path(__file__).parents[2] / "docs/explanation/estimates.md").read_text("utf-8")
    areas = found[(found.budget == "10%") & (found.arrows == 12)].auroc_negative
    assert (
        f"area is {areas.mean():.2f} on average and below 0.95 in {['no', 'one', 'two'][(areas < 0.95).sum()]}" in page
    )
    assert line.endswith("So train the 6 pairs with `taskaffinity pairwise`.")
    assert estimate_cautions(8, [True] * 56) == []


def test_the_page_quotes_the_estimates_of_named_entities() -> None:
    root = Path(__file__).parents[2]
    folder = root / "notebooks/real_ner_sequential"
    arrows = pd.read_csv(folder / "edges.csv").merge(pd.read_csv(folder / "estimates.csv"), on=["source", "target"])
    page = (root / "docs/explanation/estimates.md").read_text("utf-8")
    areas = []
    for verdict, sign in (("improves", 1), ("degrades", -1)):
        is_it = arrows.verdict == verdict
        ranked = [sign * (one - other) for one in arrows.probe[is_it] for other in arrows.probe[~is_it]]
        areas.append(sum(1.0 if rise > 0 else 0.5 * (rise == 0) for rise in ranked) / len(ranked))
    assert f"| probes | {areas[0]:.2f} | {areas[1]:.2f} " in page
    assert (arrows.source_learned == False).sum() == 5  # noqa: E712
    assert "In five probes the source was not learned." in page
    widths = arrows.high_y - arrows.low_y
    assert f"which are {widths.min():.0f} to {widths.max():.0f} points wide" in page
    assert ((arrows.gain > arrows.low_y) & (arrows.gain < arrows.high_y)).all()
    assert set(arrows.sign[arrows.verdict == "degrades"]) == {"unclear"}
    assert arrows[arrows.sign == "positive"].verdict.tolist() == ["improves"]


def test_the_page_quotes_the_estimates_of_open_clinical_tasks() -> None:
    root = Path(__file__).parents[2]
    folder = root / "notebooks/real_open_clinical"
    arrows = pd.read_csv(folder / "edges.csv").merge(pd.read_csv(folder / "estimates.csv"), on=["source", "target"])
    page = " ".join((root / "docs/explanation/estimates.md").read_text("utf-8").replace("−", "-").split())
    assert set(arrows.verdict) == {"inconclusive"}
    ranks = arrows.groupby("target")[["probe", "gain"]].rank()
    mean = np.mean([of.corr(method="pearson").loc["probe", "gain"] for _, of in ranks.groupby(arrows.target)])
    assert f"rank correlation of probes and gains is {mean:.2f} on average" in page
    assert (arrows.source_learned == False).sum() == 9  # noqa: E712
    [one] = arrows[arrows.sign.isin(["positive", "negative"])].itertuples()
    assert (one.source, one.target, one.sign) == ("rqe", "ehr-rel", "negative")
    assert f"a gain of {one.gain:+.1f} ({one.low_x:.1f} to {one.high_x:.1f})" in page
    inside = ((arrows.gain > arrows.low_y) & (arrows.gain < arrows.high_y)).sum()
    widths = arrows.high_y - arrows.low_y
    assert (
        f"{inside} of the 12 gains lie in their intervals, which are {widths.min():.0f} to {widths.max():.0f}" in page
    )
    into = arrows[arrows.target == "rqe"]
    assert f"large, {into.probe.min():+.1f} to {into.probe.max():+.1f}. The gains are {into.gain.min():.1f} to " in page


def test_probes_that_learn_no_source_are_a_caution() -> None:
    learned = pd.read_csv(Path(__file__).parents[2] / "notebooks/real_biomedical_600/estimates.csv").source_learned
    assert (~learned).sum() == 9
    line = estimate_cautions(8, learned.tolist())[0]
    assert line.startswith("Caution: the probes are too short: in 9 of 12 arrows the source was not learned. So train")
    assert estimate_cautions(8, [True] * 7 + [False] * 6) == []
    assert estimate_cautions(8, []) == []
