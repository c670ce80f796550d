"""Numbers and words that a reader compares: rounding at a bound, shares, the runs behind a mean, titles of groups."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_studies import arrows, fill, latent_counts, make_study, seeded, write_estimates
from matplotlib.text import Text
from rich.console import Console
from scipy.stats import spearmanr

from taskaffinity.analysis.estimates.admission import admit, list_admission
from taskaffinity.analysis.estimates.probes import Estimate, estimates_frame
from taskaffinity.analysis.estimates.stored import read_estimates
from taskaffinity.analysis.estimates.validation import agreement, log_size_ratios, noise_ceiling
from taskaffinity.analysis.figure_options import FigureOptions
from taskaffinity.analysis.figures.gallery import draw_figure
from taskaffinity.analysis.figures.slopes import stages_described
from taskaffinity.analysis.groups.chosen import chosen_groups
from taskaffinity.analysis.groups.measured import measured_groups
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.paper.stages import STAGES, StageScore, stages_table
from taskaffinity.analysis.report.groups import group_arrows_sheet
from taskaffinity.analysis.report.page import report
from taskaffinity.analysis.secondary_metrics import describe_secondary_metrics
from taskaffinity.analysis.style import percent, probability
from taskaffinity.analysis.tables.frames import as_csv, scores_frame
from taskaffinity.analysis.tables.groups import describe_evidence
from taskaffinity.analysis.tables.printed import arrow_table, edge_table
from taskaffinity.grouping.grouping import Grouping
from taskaffinity.runs.group_arrows import GroupArrow
from taskaffinity.runs.recipe import FINETUNE


def test_a_probability_is_not_rounded_to_the_other_side_of_its_level() -> None:
    assert [probability(p, 0.05) for p in (0.0499, 0.05, 0.0504, 0.05004, 0.0516)] == [
        *("0.050", "0.050", "0.0504", "0.05004", "0.052")
    ]
    assert [probability(p, 0.01) for p in (0.0504, 0.0102, 0.0001, np.nan)] == ["0.050", "0.0102", "<.001", ""]


def test_a_table_shows_why_an_arrow_just_above_the_level_is_inconclusive(tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    matrix = measure(study, fill(study, tmp_path, latent_counts({})))
    matrix = replace(
        matrix, q=np.full_like(matrix.q, 0.0504), verdict=np.where(matrix.verdict == "", "", "inconclusive")
    )
    assert list(arrow_table(matrix)["p adj"]) == ["0.0504"] * 2
    console = Console(width=120)
    with console.capture() as shown:
        console.print(edge_table(matrix))
    assert shown.get().count("0.0504") == 2


def test_a_deferred_pair_is_not_shown_at_the_number_that_admits(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"])
    probes = {arrow: {"probe": 0.96, "se": 1.0} for arrow in arrows("ab")}
    write_estimates(tmp_path, probes | {arrow: {"probe": 1.04, "se": 1.0} for arrow in arrows("ac")}, study)
    found = read_estimates(tmp_path, ("a", "b", "c"))
    assert found is not None
    study = replace(study, interim_seeds=(2, 3), admission=admit(("a", "b", "c"), found, 1.0))
    assert list_admission(study) == ["admitted: A + C (1.0 SE), B + C (no estimate)", "deferred: A + B (0.96 SE)"]


def test_a_share_of_draws_is_100_percent_only_if_all_agree() -> None:
    assert [percent(share) for share in (0, 0.004, 0.006, 0.5, 0.995, 0.996, 1)] == [
        *("0%", "<1%", "1%", "50%", ">99%", ">99%", "100%")
    ]


def test_booleans_of_estimates_are_true_and_false_beside_arrows_without_an_estimate() -> None:
    rows = [Estimate("a", "b", 1.0, 0.2), Estimate("b", "a", reason="no probe")]
    written = pd.read_csv(pd.io.common.StringIO(as_csv(estimates_frame(rows, ["a", "b"]))), dtype=str)
    assert list(written.source_learned.fillna("")) == ["", "true"]


@pytest.mark.parametrize(
    "design", [{"baseline": "compute-matched"}, {"interim_seeds": (2, 3)}], ids=["matched", "sequential"]
)
def test_the_page_counts_the_runs_behind_the_single_task_score(design: dict[str, object], tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"], seeds_single=(0, 1, 2, 3, 4), **design)
    store = fill(study, tmp_path, latent_counts({("a", "b"): 1.5}))
    page = report(measure(study, store), store)
    scores = scores_frame(study, store)
    single = scores[(scores.arm == "single") & (scores.split == "test")].groupby("target").score
    assert set(single.size()) == {5}
    said = re.findall(r"single-task (\d+\.\d) \((\d) runs\)", page)
    assert said == [(f"{100 * mean:.1f}", "5") for mean in single.mean()]


def test_the_noise_ceiling_is_that_of_the_gains_over_matched_runs(tmp_path: Path) -> None:
    """Matched runs vary by partner, so ranks of sources are not those over single-task runs."""
    names, seeds = [*"abcde"], range(6)
    study = make_study(names, baseline="compute-matched", seeds=seeds)

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        mean = seeded("mean", target, partners).uniform(0.4, 0.9)
        right = seeded("run", target, partners, seed).random(200) < mean
        return np.stack([right.astype(float), np.ones(200)], axis=1)

    store = fill(study, tmp_path, counts)
    scores = scores_frame(study, store).query("split == 'test'").set_index(["arm", "target", "source", "seed"]).score
    correlations = []
    for target in names:
        halves = [
            [
                np.mean([scores["pair", target, s, k] - scores["matched", target, s, k] for k in half])
                for s in names
                if s != target
            ]
            for half in (seeds[::2], seeds[1::2])
        ]
        correlations.append(spearmanr(*halves).statistic)
    r = np.mean(correlations)
    assert noise_ceiling(study, store) == pytest.approx(np.sqrt(2 * r / (1 + r)))


def test_the_base_rate_is_of_the_arrows_whose_signs_are_compared() -> None:
    gains = np.array([5.0, 6.0, 7.0, -4.0])
    frame = pd.DataFrame({"source": list("abcd"), "target": "t", "gain": gains, "low": gains, "high": gains})
    found = agreement(frame, "another", np.array([0.0, 0.0, 1.0, -1.0]), gains > 2, gains < -2)
    assert (found.sign_accuracy, found.sign_base) == (1.0, 0.5)


def test_a_measured_group_that_helps_is_no_reason_to_train_every_task_by_itself(tmp_path: Path) -> None:
    """The group of a, b and c was trained and helps; the pair of d and e is inconclusive."""
    study = make_study([*"abcde"], groups=(GroupArrow(("a", "b"), "c"),))
    gains = {(s, t): 0.5 for s in "abc" for t in "abc" if s != t}
    store = fill(study, tmp_path, latent_counts(gains))
    matrix = measure(study, store)
    found = chosen_groups(matrix, None, models=2, draws=0, measured=measured_groups(matrix, store))
    found = replace(found, grouping=Grouping(((0, 1, 2), (3, 4)), (0, 0, 0, 1, 1), "exact"))
    assert [one.basis for one in found.predictions] == [*["measured"] * 3, *["pair"] * 2]
    [line] = describe_evidence(found)
    assert "improves" not in line
    without = replace(found, predictor=replace(found.predictor, measured={}))
    assert "improves" in describe_evidence(without)[0]


def test_the_page_shows_groups_by_their_titles(tmp_path: Path) -> None:
    study = make_study(
        [*"abc"], titles={"a": "Task A", "b": "Task B", "c": "Task C"}, groups=(GroupArrow(("a", "b"), "c"),)
    )
    store = fill(study, tmp_path, latent_counts({}))
    sheet = group_arrows_sheet(measure(study, store), store)
    assert sheet is not None
    cells = dict(zip([name for name, _ in sheet.columns], sheet.rows[0], strict=True))
    assert (cells["sources"].raw, cells["sources"].shown, cells["target"].shown) == ("a+b", "Task A + Task B", "Task C")
    assert (cells["given"].raw, cells["given"].shown) == ("", "")


def test_a_score_that_rounds_to_zero_has_no_sign(tmp_path: Path) -> None:
    """Correlations can be just below zero."""
    study = make_study(["a", "b"])
    store = fill(study, tmp_path, latent_counts({}))
    matrix = replace(measure(study, store), single_mean=np.array([-0.04, -0.04]))
    for name in ("graph", "targets", "seeds"):
        figure = draw_figure(name, matrix, store, FigureOptions()).get_figure(root=True)
        words = [line for text in figure.findobj(Text) for line in text.get_text().splitlines()]
        assert "0.0" in words
        assert "-0.0" not in words
    assert "single-task 0.0 (3 runs)" in report(matrix, store)
    stages = [StageScore("a", stage, "pearson", (-0.04, -0.04)) for stage in STAGES]
    full = make_study(["a"], design="full", finetune={"a": FINETUNE})
    assert list(stages_table(full, tuple(stages)).loc["multi-task"]) == ["0.0 (0.0)", "0.0"]
    assert "-0.0" not in stages_described(full, stages)
    assert "-0.0" not in describe_secondary_metrics(full, stages)


def test_the_size_ratio_is_of_the_examples_that_a_run_reads() -> None:
    study = make_study(["a", "b", "c"])
    cards = [replace(card, sizes={"train": size}) for card, size in zip(study.tasks, (1000, 500, 50), strict=True)]
    study = replace(study, tasks=tuple(cards), recipe=replace(study.recipe, max_train_examples=200))
    ratios = log_size_ratios(study)
    assert (ratios[0, 1], ratios[0, 2], ratios[2, 1]) == pytest.approx((0.0, np.log(4), -np.log(4)))


def test_a_column_that_is_empty_in_some_rows_is_not_called_the_same_in_every_row(tmp_path: Path) -> None:
    """The level that was spent is unknown for the pair of b and c, which estimates deferred."""
    study = make_study(["a", "b", "c"], seeds=(0, 1, 2, 3))
    probes = {arrow: {"probe": 5.0, "se": 1.0} for arrow in arrows("abc")}
    write_estimates(tmp_path, probes | {arrow: {"probe": 0.2, "se": 1.0} for arrow in arrows("bc")})
    found = read_estimates(tmp_path, ("a", "b", "c"))
    assert found is not None
    study = replace(study, interim_seeds=(2, 4), admission=admit(("a", "b", "c"), found, 1.0))
    store = fill(study, tmp_path, latent_counts({}))
    page = report(measure(study, store), store)
    [same] = re.findall(r"Columns with one value in every row:([^<]*)", page)
    assert "margin 1" in same
    assert "alpha_spent" not in same
    assert 'data-column="alpha_spent"' in page


def test_whole_numbers_beside_unknown_ones_have_all_their_digits() -> None:
    frame = pd.DataFrame({"n_test": [1234567.0, np.nan], "score": [0.123456789, 1e-7]})
    assert as_csv(frame).splitlines() == ["n_test,score", "1234567,0.123457", ",1e-07"]
