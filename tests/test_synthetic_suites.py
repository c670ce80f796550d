"""The verdicts on the synthetic suites, whose arrows are planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_suites import run_study

import taskaffinity as ta


@pytest.mark.slow
def test_of_two_tasks_the_planted_arrow_is_found_and_only_it(tmp_path: Path) -> None:
    clinical = ta.load_suite("clinical")
    two = replace(clinical, tasks=tuple(task for task in clinical if task.name in ("shareclefe", "mednli")))
    results = ta.pairwise(two, output_dir=tmp_path, executor="local")
    verdicts = {(row.source, row.target): row.verdict for row in results.to_frame().itertuples()}
    assert verdicts.pop(("shareclefe", "mednli")) == "improves"  # by 15.5 points: tasks/planted_truth.csv
    assert set(verdicts.values()) <= {"inconclusive", "no effect"}


@pytest.mark.ray
@pytest.mark.long
@pytest.mark.parametrize("domain", ["clinical", "biomedical"])
def test_the_main_command_finds_the_planted_arrows_and_spends_its_time_on_training(domain: str, tmp_path: Path) -> None:
    study = run_study(domain, 0, tmp_path / domain)
    assert study["planted"] == 4
    assert (study["missed"], study["reversed"], study["wrongly_significant"]) == (0, 0, 0)
    assert study["runs"] == 42
    assert study["share_not_training_once_begun"] <= 0.12
    assert study["share_not_training"] < 0.25  # with imports before and figures after
