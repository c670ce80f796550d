"""Predicted gains of groups in a study that trained all tasks together, against gains and exponents by hand."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study
from scipy import stats

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.figure_options import FigureOptions
from taskaffinity.analysis.figures.groups import describe_figure
from taskaffinity.analysis.group_arrows import measure_group_arrows
from taskaffinity.analysis.groups import predictions
from taskaffinity.analysis.groups.chosen import ChosenGroups, chosen_groups
from taskaffinity.analysis.groups.measured import measured_groups, model_of
from taskaffinity.analysis.groups.predictions import Predictor
from taskaffinity.analysis.groups.results import HelperResults
from taskaffinity.analysis.groups.retrained import describe_retrained, retrain_plan, retrained
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.publish import publish
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.tables.groups import describe_groups, describe_helpers, groups_frame, groups_table
from taskaffinity.analysis.tables.predictions import describe_all_together
from taskaffinity.grouping.grouping import Grouping
from taskaffinity.runs.group_arrows import GroupArrow
from taskaffinity.runs.plan import multitask_runs
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.studies import group as command

NAMES = ("a", "b", "c", "d")
COUNTS = latent_counts({("a", "b"): 0.3, ("a", "c"): 0.3, ("d", "b"): 0.25, ("b", "c"): 0.2, ("c", "d"): -0.3}, n=1500)
WHOLE = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, RunStore]:
    """Effects on the latent scale add up, so groups gain about the sum of their pairs."""
    study = make_study(NAMES, seeds_single=range(5), full=True)
    return study, fill(study, tmp_path_factory.mktemp("trained"), COUNTS)


@pytest.fixture(scope="module")
def matrix(trained: tuple[Study, RunStore]) -> AffinityMatrix:
    return measure(*trained)


@pytest.fixture(scope="module")
def predictor(trained: tuple[Study, RunStore], matrix: AffinityMatrix) -> Predictor:
    return chosen(matrix, trained[1]).predictor


def chosen(matrix: AffinityMatrix, store: RunStore, models: int = 2, *, draws: int = 0) -> ChosenGroups:
    measured = measured_groups(matrix, store)
    return chosen_groups(matrix, None, models=models, draws=draws, compare=["all-in-one"], measured=measured)


def of_three(found: ChosenGroups) -> ChosenGroups:
    """The same with another choice: a model of three tasks that the study did not train."""
    return replace(found, grouping=Grouping(((0, 1, 2), (3,)), (0, 0, 0, 1), "exact"), shares=None)


def mean_score(target: str, partners: str, seeds: range) -> float:
    return float(np.mean([100 * COUNTS(target, partners, seed)[:, 0].mean() for seed in seeds]))


def gain_by_hand(target: str, partners: str) -> float:
    return mean_score(target, partners, range(3)) - mean_score(target, "", range(5))


def test_the_gains_of_all_tasks_together_are_differences_of_means(predictor: Predictor) -> None:
    for task, name in enumerate(NAMES):
        found = predictor.predict(WHOLE, task)
        assert found.gain == pytest.approx(gain_by_hand(name, "+".join(other for other in NAMES if other != name)))
        assert found.low < found.gain < found.high
        assert (found.basis, found.model_error) == ("measured", 0)


def test_the_exponent_is_the_best_of_a_grid_and_near_the_sum(predictor: Predictor) -> None:
    gains = []
    for name in NAMES:
        others = [other for other in NAMES if other != name]
        mean = float(np.mean([gain_by_hand(name, other) for other in others]))
        gains.append((mean, gain_by_hand(name, "+".join(others))))
    residuals = [sum((gain - mean * 3**one) ** 2 for mean, gain in gains) for one in np.linspace(0, 1, 1001)]
    model = predictor.model
    assert model.exponent == pytest.approx(np.argmin(residuals) / 1000, abs=1e-3)
    assert model.exponent > 0.7
    assert model.error == pytest.approx(math.sqrt(min(residuals) / 3), rel=1e-3)


def test_the_noise_of_the_model_is_that_of_the_runs_behind_its_residuals(
    trained: tuple[Study, RunStore], matrix: AffinityMatrix, predictor: Predictor
) -> None:
    """The runs of all tasks, of three pairs, and the single-task runs that both gains share."""
    [whole] = measured_groups(matrix, trained[1]).values()
    arms, factor = read_arms(*trained).evidence, 3**predictor.model.exponent
    pairs, single = 1e4 * arms.s2_pair / arms.n_pair, 1e4 * arms.s2_single / arms.n_single
    noise = []
    for task in WHOLE:
        others = [other for other in WHOLE if other != task]
        of_mean = sum(pairs[other, task] for other in others) / 3**2
        noise.append(whole.variance[task] + factor**2 * of_mean + (factor - 1) ** 2 * single[others[0], task])
    assert predictor.model.noise == pytest.approx(np.mean(noise))


def test_a_group_of_three_is_predicted_by_hand_and_a_pair_is_measured(
    predictor: Predictor, matrix: AffinityMatrix
) -> None:
    model = predictor.model
    for group in ((0, 1, 2), (0, 1, 3)):
        found, others = predictor.predict(group, 1), [other for other in group if other != 1]
        mean, se = matrix.gain[others, 1].mean(), matrix.se[others, 1].mean()
        assert found.gain == pytest.approx(mean * 2**model.exponent)
        own = (se * 2**model.exponent) ** 2
        variance = max(model.error**2 + own - model.noise, model.error**2, own)
        half = stats.t(min(3, *matrix.df[others, 1])).ppf(0.975) * math.sqrt(variance)
        assert (found.low, found.high) == pytest.approx((found.gain - half, found.gain + half))
        assert (found.basis, found.exponent, found.model_error) == ("pairs", model.exponent, model.error)
    pair = predictor.predict((0, 1), 1)
    assert (pair.gain, pair.low, pair.high) == pytest.approx([x[0, 1] for x in (matrix.gain, matrix.low, matrix.high)])
    assert pair.model_error == 0
    assert predictor.predict((2,), 2).gain == 0


def test_the_choice_counts_means_and_measured_gains_whatever_the_exponent(
    trained: tuple[Study, RunStore], matrix: AffinityMatrix
) -> None:
    store = trained[1]
    [measured] = measured_groups(matrix, store).values()
    for models in (1, 2, 3):
        plain, fitted = chosen_groups(matrix, None, models=models, draws=0), chosen(matrix, store, models)
        assert plain.gain.tolist() == pytest.approx(plain.pair_mean.tolist())  # without all tasks: as before
        values = []
        for grouping in (plain.grouping, fitted.grouping):
            bounds = [
                measured.bound(0.05)[task]
                if grouping.groups[group] == WHOLE
                else sum(fitted.gains.bound[other, task] for other in grouping.groups[group] if other != task)
                / max(len(grouping.groups[group]) - 1, 1)
                for task, group in enumerate(grouping.serves)
            ]
            values.append(sum(bounds))
        assert fitted.bound.sum() == pytest.approx(values[1])
        assert values[1] >= values[0] - 1e-9  # the best by this measure, which the exponent is not part of
    assert measured.bound(matrix.rule.alpha / 2)[0] == pytest.approx(measured.low[0])
    assert measured.bound(None).tolist() == measured.gain.tolist()


def test_without_tested_gains_of_all_tasks_the_mean_stays_and_its_error_is_unknown(tmp_path: Path) -> None:
    for seeds in (0, 1):
        study = make_study(NAMES, full=True)
        store = fill(study, tmp_path / str(seeds), COUNTS, skip=lambda s, n=seeds: len(s.tasks) > 2 and s.seed >= n)
        matrix = measure(study, store)
        found = chosen(matrix, store, 1)
        assert found.gain.tolist() == pytest.approx([np.nanmean(matrix.gain[:, task]) for task in range(4)])
        frame = groups_frame(found)
        assert frame[["low", "high", "model_error"]].isna().all(axis=None)
        assert (frame["exponent"] == 0).all()
        assert (
            "is unknown without tested gains of all tasks together: `pairwise --full` trains"
            in describe_groups(found)[-1]
        )
        assert "95% interval" not in {column.header for column in groups_table(found).columns}


def test_two_tasks_have_pairs_only(tmp_path: Path) -> None:
    study = make_study(NAMES[:2], full=True)
    store = fill(study, tmp_path, COUNTS)
    matrix = measure(study, store)
    assert measured_groups(matrix, store) == {}
    found = chosen(matrix, store, 1)
    assert not found.predictor.model.is_fitted
    assert groups_frame(found)["low"].tolist() == pytest.approx([matrix.low[1, 0], matrix.low[0, 1]])
    assert "unknown" not in describe_groups(found)[-1]


def test_gains_of_pairs_with_another_baseline_have_no_measured_groups(tmp_path: Path) -> None:
    study = make_study(NAMES[:3], full=True, baseline="compute-matched")
    store = fill(study, tmp_path, COUNTS)
    assert measured_groups(measure(study, store), store) == {}


def test_runs_of_all_tasks_count_whichever_command_trained_them(
    trained: tuple[Study, RunStore], matrix: AffinityMatrix, tmp_path: Path
) -> None:
    study = replace(trained[0], full=False)
    store = fill(study, tmp_path, COUNTS)
    assert measured_groups(measure(study, store), store) == {}
    whole = multitask_runs(study.refs, study.encoder, study.recipe, study.seeds)
    fill(cast("Study", SimpleNamespace(tasks=study.tasks, plan=whole)), tmp_path, COUNTS)
    assert model_of(matrix, measured_groups(measure(study, store), store)) == model_of(
        matrix, measured_groups(matrix, trained[1])
    )


def test_groups_of_group_arrows_are_measured_too(tmp_path: Path) -> None:
    study = make_study(NAMES, groups=(GroupArrow(("a", "d"), "b"),))
    store = fill(study, tmp_path, COUNTS)
    matrix = measure(study, store)
    found = measured_groups(matrix, store)
    assert list(found) == [(0, 1, 3)]
    arrow = measure_group_arrows(study, store)
    assert (found[0, 1, 3].gain[1], found[0, 1, 3].low[1]) == pytest.approx(
        (arrow.gain[0], 100 * arrow.decision.low[0])
    )
    assert not model_of(matrix, found).is_fitted


def test_helpers_of_a_task_count_a_set_that_the_study_trained(tmp_path: Path) -> None:
    """On the latent scale effects add up, so a and d together help b more than each alone."""
    study = make_study(NAMES, seeds_single=(0, 1, 2, 3, 4), groups=(GroupArrow(("a", "d"), "b"),))
    study.write(tmp_path)
    fill(study, tmp_path, COUNTS)
    found = command.group(tmp_path, for_task="b")
    assert isinstance(found, HelperResults)
    assert found.chosen == ["a", "d"]
    frame = found.to_frame()
    assert frame["set_gain"][1] == pytest.approx(gain_by_hand("b", "a+d"))
    assert frame["set_bound"][0] < frame["set_bound"][1] < frame["set_gain"][1]
    assert frame["set_measured"].tolist() == [True, True, False]
    means = [gain_by_hand("b", name) for name in ("a", "d", "c")]
    assert frame["set_gain"][2] == pytest.approx(float(np.mean(means)))
    [line] = describe_helpers(found.matrix, found.gains, found.target, found.helpers, found.risk)
    assert "the mean of the gains in pairs; measured for A + D. Only" in line
    pairs = replace(study, groups=())
    pairs.write(tmp_path)
    again = command.group(tmp_path, for_task="b")
    assert isinstance(again, HelperResults)
    assert again.chosen == ["a"]
    assert (
        "so a second helper never raises it"
        in describe_helpers(again.matrix, again.gains, again.target, again.helpers, again.risk)[0]
    )


def test_text_table_and_figure_say_how_gains_are_predicted(
    trained: tuple[Study, RunStore], matrix: AffinityMatrix
) -> None:
    found = of_three(chosen(matrix, trained[1]))
    words = "\n".join(describe_groups(found))
    assert f"times n^{found.predictor.model.exponent:.2f}" in words
    assert "all-in-one: 1 model" in words
    assert "4 tasks with a measured gain" in words
    assert {"95% interval", "lower bound"} <= {str(column.header) for column in groups_table(found).columns}
    assert f"multiplied by n^{found.predictor.model.exponent:.2f}" in describe_figure(found)
    whole = chosen(matrix, trained[1], 1)
    assert describe_groups(whole)[-1] == "The study trained model 1: the gains are measured."
    frame = groups_frame(whole)
    assert frame["basis"].tolist() == ["measured"] * 4
    assert frame["gain"].tolist() == pytest.approx([one.gain for one in whole.predictions])
    assert frame["pair_mean"].tolist() == pytest.approx([np.nanmean(matrix.gain[:, task]) for task in range(4)])


def test_the_difference_from_a_realised_gain_has_the_error_of_the_model(
    trained: tuple[Study, RunStore], matrix: AffinityMatrix, tmp_path: Path
) -> None:
    widths = []
    for found in map(of_three, (chosen_groups(matrix, None, models=2, draws=0), chosen(matrix, trained[1]))):
        study = SimpleNamespace(tasks=matrix.study.tasks, plan=retrain_plan(found, 3))
        again = retrained(found, fill(cast("Study", study), tmp_path, COUNTS), 3)
        widths.append([one.difference_high - one.difference_low for one in again if len(one.group) > 2])
        for one in again:
            task = NAMES.index(one.task)
            assert one.predicted == found.gain[task]
            assert one.pair_sum == pytest.approx(one.pair_mean * (len(one.group) - 1))
            assert one.difference == pytest.approx(one.realised - one.predicted)
        error = {one.model_error for one in again if len(one.group) > 2}
        covers = "and that of predicting a group from pairs" in describe_retrained(again)[0]
        assert covers == (not any(math.isnan(value) for value in error))
    assert len(widths[0]) == 3
    assert all(more > less for less, more in zip(*widths, strict=True))


def test_the_gains_of_all_tasks_together_are_said(
    trained: tuple[Study, RunStore], matrix: AffinityMatrix, tmp_path: Path
) -> None:
    [line] = describe_all_together(matrix, trained[1])
    for name in NAMES:
        others = "+".join(other for other in NAMES if other != name)
        assert f"{name.upper()} {gain_by_hand(name, others):+.1f} [" in line
    publish(trained[0], trained[1], tmp_path, figure_options=FigureOptions(("heatmap",), ("svg",)))
    assert line in (tmp_path / "affinity.txt").read_text().splitlines()
    of_pairs = make_study(NAMES[:3])
    assert describe_all_together(measure(of_pairs, store := fill(of_pairs, tmp_path / "pairs", COUNTS)), store) == []


def test_gains_without_degrees_of_freedom_give_none_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(predictions._least_known([math.nan, math.nan]))
        assert predictions._least_known([math.nan, 3.0, math.inf]) == 3.0
