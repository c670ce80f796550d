"""What the words on chosen groups say of training: true for single tasks, trained pairs and untrained groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study, write_estimates

from taskaffinity.analysis.estimates.of_matrix import with_estimates
from taskaffinity.analysis.groups.chosen import ChosenGroups, chosen_groups, group_gains
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.tables.groups import describe_groups, describe_helpers
from taskaffinity.analysis.tables.predictions import describe_predictions
from taskaffinity.errors import InputError
from taskaffinity.grouping.grouping import Grouping
from taskaffinity.grouping.helpers import select_helpers
from taskaffinity.runs.recipe import FINETUNE
from taskaffinity.runs.spec import EXTERNAL
from taskaffinity.studies.further_runs import check_design

NAMES = ("a", "b", "c", "d")
UNKNOWN = "a group can still differ from their mean. How far is unknown"


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> ChosenGroups:
    study = make_study(NAMES)
    store = fill(study, tmp_path_factory.mktemp("study"), latent_counts({}))
    return chosen_groups(measure(study, store), None, models=4, draws=0)


def words(chosen: ChosenGroups, *groups: tuple[int, ...]) -> str:
    serves = tuple(next(n for n, group in enumerate(groups) if task in group) for task in range(4))
    return " ".join(describe_predictions(replace(chosen, grouping=Grouping(groups, serves, "exact"))))


def test_trained_pairs_and_single_tasks_are_not_called_untrained(chosen: ChosenGroups) -> None:
    for groups in (((0,), (1,), (2,), (3,)), ((0, 1), (2, 3)), ((0, 1), (2,), (3,))):
        said = words(chosen, *groups)
        assert "did not train" not in said
        assert UNKNOWN not in said
    assert "its gain in the pair" in words(chosen, (0, 1), (2, 3))
    assert "no gain is predicted" in words(chosen, (0,), (1,), (2,), (3,))


def test_an_untrained_group_of_three_is_named_and_its_error_is_unknown(chosen: ChosenGroups) -> None:
    said = words(chosen, (0,), (1, 2, 3))
    assert UNKNOWN in said
    assert "The study did not train model 2: train the chosen ones" in said
    assert "The study did not train the groups: train" in words(chosen, (0, 1, 2, 3))


@pytest.mark.parametrize(
    "design",
    [
        {},
        {"encoder": EXTERNAL},
        {"baseline": "compute-matched"},
        {"baseline": "paper-single"},
        {"evaluate_after": "finetune", "finetune": dict.fromkeys(NAMES, FINETUNE)},
        {"init_from": "multitask"},
    ],
    ids=str,
)
def test_retrain_is_advised_exactly_where_it_is_accepted(design: dict[str, Any], chosen: ChosenGroups) -> None:
    study = replace(chosen.matrix.study, **design)
    said = words(replace(chosen, matrix=replace(chosen.matrix, study=study)), (0,), (1, 2, 3))
    assert "The study did not train model 2: train the chosen ones" in said
    try:
        check_design(study)
    except InputError:
        assert "retrain" not in said
    else:
        assert "(--retrain)" in said


@pytest.mark.parametrize(
    ("design", "why"),
    [
        ({"baseline": "compute-matched", "full": True}, "baseline compute-matched, and only studies with single do"),
        ({"baseline": "paper-single", "full": True}, "baseline paper-single, and only studies with single do"),
        ({"init_from": "multitask"}, "init_from multitask, and only studies with encoder do"),
        (
            {"evaluate_after": "finetune", "finetune": dict.fromkeys(NAMES, FINETUNE), "full": True},
            "evaluate_after finetune, and only studies with joint do",
        ),
        ({"baseline": "compute-matched"}, None),
    ],
    ids=["compute-matched", "paper-single", "multitask", "finetune", "not trained"],
)
def test_a_group_that_the_study_trains_without_a_gain_is_not_called_untrained(
    design: dict[str, Any], why: str | None, chosen: ChosenGroups
) -> None:
    study = replace(chosen.matrix.study, **design)
    whole = [spec for spec in study.plan if len(spec.tasks) == 4 and spec.variant == "plain"]
    assert bool(whole) == (why is not None)
    said = words(replace(chosen, matrix=replace(chosen.matrix, study=study)), (0, 1, 2, 3))
    assert ("did not train" in said) == (why is None)
    assert why is None or f"The study trains model 1, but measures no gain of it: it has {why}." in said


def test_the_reason_of_an_estimate_is_the_one_in_the_table(tmp_path: Path) -> None:
    """The arrow from c to b has no test, and a and d have no pair."""
    study = make_study(NAMES)
    store = fill(study, tmp_path, latent_counts({}), skip=lambda spec: spec.task_names == ("a", "d"))
    write_estimates(tmp_path, {(s, t): {} for s in NAMES for t in NAMES if s != t}, study)
    matrix = measure(study, store)
    matrix.untested_reason[2, 1] = "nothing learned"
    matrix.se[2, 1] = matrix.error.variance[2, 1] = np.nan
    both = with_estimates(matrix, tmp_path)
    gains = group_gains(both, 0.05)
    assert np.argwhere(gains.estimated).tolist() == [[0, 3], [2, 1], [3, 0]]
    [line] = [line for line in describe_groups(chosen_groups(both, None, models=4, draws=0)) if line.startswith("~")]
    assert "3 of 12 gains come from estimates.csv (2 not measured, 1 without a test: nothing learned)." in line
    helpers = select_helpers(gains, 1)
    assert "1 gain from estimates.csv (1 without a test: nothing learned)." in " ".join(
        describe_helpers(both, gains, 1, helpers, 0.05)
    )
