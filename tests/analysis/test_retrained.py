"""Chosen groups after training with fresh seeds: which runs, and realised against predicted gains by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from fake_studies import Counts, fill, latent_counts, make_study, right, write_estimates
from scipy import stats

from taskaffinity.analysis.estimates.of_matrix import with_estimates
from taskaffinity.analysis.groups.chosen import ChosenGroups, chosen_groups
from taskaffinity.analysis.groups.retrained import (
    RETRAINED_COLUMNS,
    describe_retrained,
    realised_gain,
    retrain_plan,
    retrained,
    retrained_table,
)
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.publish import publish_retrained
from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.errors import InputError
from taskaffinity.grouping.grouping import Grouping
from taskaffinity.runs.limits import RETRAIN_SEEDS
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS

COUNTS = latent_counts({("a", "b"): 0.6, ("c", "b"): -0.6})


@pytest.fixture
def chosen(toy: tuple[Study, RunStore]) -> ChosenGroups:
    return chosen_groups(measure(*toy), None, models=2, draws=0)


def trained(chosen: ChosenGroups, root: Path, n_seeds: int, **how: Any) -> RunStore:
    """A store with the runs of the chosen groups, which never trained."""
    study = SimpleNamespace(tasks=chosen.matrix.study.tasks, plan=retrain_plan(chosen, n_seeds))
    return fill(cast("Study", study), root, COUNTS, **how)


def test_the_runs_are_the_groups_and_their_single_task_runs_with_fresh_seeds(chosen: ChosenGroups) -> None:
    plan = retrain_plan(chosen, 2)
    assert {spec.seed for spec in plan} == {RETRAIN_SEEDS, RETRAIN_SEEDS + 1}
    assert not {spec.run_id for spec in plan} & {spec.run_id for spec in chosen.matrix.study.plan}
    together = [group for group in chosen.grouping.groups if len(group) > 1]
    served = {task for task, group in enumerate(chosen.grouping.serves) if chosen.grouping.groups[group] in together}
    sets = {tuple(sorted(chosen.names(group))) for group in together} | {chosen.names((task,)) for task in served}
    assert {spec.task_names for spec in plan} == sets
    assert len(plan) == 2 * len(sets)
    assert {spec.recipe for spec in plan} == {chosen.matrix.study.recipe}


def test_a_realised_gain_is_the_difference_of_means(chosen: ChosenGroups, tmp_path: Path) -> None:
    store = trained(chosen, tmp_path, 3)
    found = retrained(chosen, store, 3)
    for one in found:
        others = "+".join(name for name in sorted(one.group) if name != one.task)
        seeds = range(RETRAIN_SEEDS, RETRAIN_SEEDS + 3)
        means = [100 * np.mean([COUNTS(one.task, who, seed)[:, 0].mean() for seed in seeds]) for who in (others, "")]
        assert one.realised == pytest.approx(means[0] - means[1])
        assert one.low < one.realised < one.high
        assert one.difference == pytest.approx(one.realised - one.predicted)
        assert one.difference_high - one.difference_low > one.high - one.low  # the errors of both
    cells = [[str(cell) for cell in column.cells] for column in retrained_table(chosen, found).columns]
    for place, one in enumerate(found):
        predicted, realised, low, high = (f"{x:+z.1f}" for x in (one.predicted, one.realised, one.low, one.high))
        change, least, most = (f"{x:+z.1f}" for x in (one.difference, one.difference_low, one.difference_high))
        expected = [one.task.upper(), predicted, realised, f"[{low}, {high}]", change, f"[{least}, {most}]"]
        assert [column[place] for column in cells] == expected
    [b] = [one for one in found if one.task == "b"]
    assert (b.group, b.seeds) == (("b", "a"), 3)
    assert b.realised > 5
    assert describe_retrained(found)[0].startswith(f"{len(found)} of {len(found)} realised gain")
    publish_retrained(chosen, found, tmp_path)
    header, *rows = (tmp_path / "retrained.csv").read_text().splitlines()
    assert (header, len(rows)) == (",".join(RETRAINED_COLUMNS), len(found))


def test_without_noise_of_examples_the_interval_is_welchs_with_the_fewer_degrees_of_freedom() -> None:
    scores = {("t", "pair", "group"): (0.71, 0.74, 0.70), ("t", "single", ""): (0.64, 0.69, 0.66)}
    arms = {
        key: Arm.from_counts(np.stack([right(np.full(50, score)) for score in values]), METRICS["accuracy"])
        for key, values in scores.items()
    }
    rule = Rule(alpha=0.1, test="satterthwaite", estimand="test-set")
    found = realised_gain(arms, "t", rule)
    pair, single = (100 * np.array(values) for values in scores.values())
    se = math.sqrt(pair.var(ddof=1) / 3 + single.var(ddof=1) / 3)
    half = stats.t.isf(0.05, 2) * se
    gain = pair.mean() - single.mean()
    assert (found.gain, found.low, found.high) == pytest.approx((gain, gain - half, gain + half))
    assert (found.se, found.df, found.seeds) == (pytest.approx(se), pytest.approx(2), 3)


def test_the_difference_from_a_prediction_by_a_pair_has_the_errors_of_both_gains(
    chosen: ChosenGroups, tmp_path: Path
) -> None:
    found = [one for one in retrained(chosen, trained(chosen, tmp_path, 3), 3) if len(one.group) == 2]
    seeds, arms, matrix = range(RETRAIN_SEEDS, RETRAIN_SEEDS + 3), {}, chosen.matrix
    for one in found:
        for kind, partner in (("pair", "group"), ("single", "")):
            others = "".join(name for name in one.group if name != one.task) * (kind == "pair")
            counts = np.stack([COUNTS(one.task, others, seed) for seed in seeds])
            arms[one.task, kind, partner] = Arm.from_counts(counts, METRICS["accuracy"])
    assert found
    for one in found:
        again = realised_gain(arms, one.task, matrix.rule)
        [source] = [matrix.tasks.index(name) for name in one.group if name != one.task]
        arrow = source, matrix.tasks.index(one.task)
        quantile = stats.t.isf(0.025, min(again.df, matrix.df[arrow]))
        half = quantile * math.hypot(again.se, matrix.se[arrow])
        assert (one.difference_low, one.difference_high) == pytest.approx(
            (one.difference - half, one.difference + half)
        )


def test_the_sum_of_gains_in_pairs_stands_beside_their_mean(chosen: ChosenGroups, tmp_path: Path) -> None:
    whole = chosen_groups(chosen.matrix, None, models=1, draws=0)
    found = retrained(whole, trained(whole, tmp_path, 2), 2)
    gain, closer = chosen.matrix.gain, 0
    for one in found:
        task = chosen.tasks.index(one.task)
        into = [float(gain[source, task]) for source in range(3) if source != task]
        assert (one.predicted, one.pair_sum) == pytest.approx((sum(into) / 2, sum(into)))
        closer += abs(one.realised - sum(into)) < abs(one.realised - sum(into) / 2)
    assert f"closer than their mean to {closer} of 3 realised gains" in describe_retrained(found)[1]
    unknown = replace(found[0], pair_mean=math.nan, pair_sum=math.nan)  # a pair was not measured
    few = describe_retrained((unknown, *found[1:]))[1]
    assert few.endswith("of 2 realised gains.")
    pairs = tuple(replace(one, group=one.group[:2]) for one in found)
    assert not any("sum of the gains" in line for line in describe_retrained(pairs))


def test_a_model_with_other_examples_than_its_baseline_is_named(chosen: ChosenGroups, tmp_path: Path) -> None:
    study = SimpleNamespace(tasks=chosen.matrix.study.tasks, plan=retrain_plan(chosen, 2))

    def fewer(target: str, partners: str, seed: int) -> Counts:
        counts = COUNTS(target, partners, seed)
        return counts[: len(counts) - bool(partners)]

    with pytest.raises(InputError, match=r"its test examples of \w are not those of"):
        retrained(chosen, fill(cast("Study", study), tmp_path, fewer), 2)


def test_without_an_error_of_the_prediction_the_realised_gains_still_have_intervals(tmp_path: Path) -> None:
    """Pairs of one seed have gains without an error; the chosen models have two fresh seeds."""
    study = make_study(["b", "a", "c"], seeds=(0,))
    store = fill(study, tmp_path / "study", COUNTS)
    one_seed = chosen_groups(measure(study, store), None, models=1, draws=0, risk=None)
    found = retrained(one_seed, trained(one_seed, tmp_path / "again", 2), 2)
    assert not np.isnan([one.low for one in found]).any()
    assert np.isnan([one.difference_low for one in found]).all()
    first, *others = describe_retrained(found)
    assert first.startswith("Whether a realised gain agrees with its prediction cannot be tested")
    assert "sum of the gains in pairs" in others[0]


def test_models_of_one_task_are_not_trained_again(chosen: ChosenGroups, tmp_path: Path) -> None:
    single = replace(chosen, grouping=Grouping(((0,), (1,), (2,)), (0, 1, 2), "exact"))
    found = retrained(single, trained(single, tmp_path, 2), 2)
    assert describe_retrained(found) == [
        "Every task has a model of its own, so nothing was trained and there is no gain."
    ]


def test_an_estimate_does_not_agree_with_a_realised_gain(tmp_path: Path) -> None:
    study = make_study(["b", "a", "c"])
    store = fill(study, tmp_path / "study", COUNTS, skip=lambda spec: spec.task_names == ("a", "b"))
    write_estimates(tmp_path / "study", {("a", "b"): {}, ("b", "a"): {}}, study)
    matrix = with_estimates(measure(study, store), store.root)
    whole = chosen_groups(matrix, None, models=1, draws=0)
    found = {one.task: one for one in retrained(whole, trained(whole, tmp_path / "again", 2), 2)}
    assert {name: one.estimated for name, one in found.items()} == {"b": True, "a": True, "c": False}
    for one in found.values():
        assert np.isnan([one.difference_low, one.difference_high]).all() == one.estimated
    lines = describe_retrained(tuple(found.values()))
    agrees = found["c"].difference_low <= 0 <= found["c"].difference_high
    assert lines[0].startswith(f"{int(agrees)} of 1 realised gain agree{'s' * agrees} with")
    both = describe_retrained((found["a"], found["b"]))
    assert both[0].startswith("Whether a realised gain agrees with its prediction cannot be tested")
    assert both[-1].startswith("~ predicted with estimates")


def test_what_was_not_trained_has_no_gain_and_says_why(chosen: ChosenGroups, tmp_path: Path) -> None:
    store = trained(chosen, tmp_path, 1, skip=lambda spec: len(spec.task_names) > 1)
    [b] = [one for one in retrained(chosen, store, 1) if one.task == "b"]
    assert np.isnan([b.realised, b.low, b.difference_low]).all()
    assert (b.seeds, bool(b.untested_reason)) == (0, True)
    assert describe_retrained((b,)) == ["No realised gain has an interval: train two seeds or more."]
    seeds_do_not_help = replace(b, untested_reason="nothing learned"), replace(b, untested_reason="one test document")
    said = ["No realised gain has an interval: nothing learned, one test document."]
    assert describe_retrained(seeds_do_not_help) == said
