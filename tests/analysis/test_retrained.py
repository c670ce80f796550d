"""Chosen groups after training with fresh seeds: which runs, and realised against predicted gains by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from fake_studies import Counts, fill, latent_counts

from taskaffinity.analysis.groups.chosen import ChosenGroups, chosen_groups
from taskaffinity.analysis.groups.retrained import RETRAINED_COLUMNS, describe_retrained, retrain_plan, retrained
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.publish import publish_retrained
from taskaffinity.errors import InputError
from taskaffinity.runs.limits import RETRAIN_SEEDS
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

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
    [b] = [one for one in found if one.task == "b"]
    assert (b.group, b.seeds) == (("b", "a"), 3)
    assert b.realised > 5
    assert describe_retrained(found)[0].startswith(f"{len(found)} of {len(found)} realised gain")
    publish_retrained(chosen, found, tmp_path)
    header, *rows = (tmp_path / "retrained.csv").read_text().splitlines()
    assert (header, len(rows)) == (",".join(RETRAINED_COLUMNS), len(found))


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
    pairs = tuple(replace(one, group=one.group[:2]) for one in found)
    assert not any("sum of the gains" in line for line in describe_retrained(pairs))


def test_a_model_with_other_examples_than_its_baseline_is_named(chosen: ChosenGroups, tmp_path: Path) -> None:
    study = SimpleNamespace(tasks=chosen.matrix.study.tasks, plan=retrain_plan(chosen, 2))

    def fewer(target: str, partners: str, seed: int) -> Counts:
        counts = COUNTS(target, partners, seed)
        return counts[: len(counts) - bool(partners)]

    with pytest.raises(InputError, match=r"its test examples of \w are not those of"):
        retrained(chosen, fill(cast("Study", study), tmp_path, fewer), 2)


def test_what_was_not_trained_has_no_gain_and_says_why(chosen: ChosenGroups, tmp_path: Path) -> None:
    store = trained(chosen, tmp_path, 1, skip=lambda spec: len(spec.task_names) > 1)
    [b] = [one for one in retrained(chosen, store, 1) if one.task == "b"]
    assert np.isnan([b.realised, b.low, b.difference_low]).all()
    assert (b.seeds, bool(b.untested_reason)) == (0, True)
    assert describe_retrained((b,)) == ["No realised gain has an interval: train two seeds or more."]
