"""A command without an arm that the folder's study has keeps a finished arm, and is refused if a run is missing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import taskaffinity as ta
from taskaffinity.errors import InputError
from taskaffinity.runs.study import Study

SMALL: dict[str, Any] = {
    "settings": {"num_train_epochs": 1, "max_train_examples": 32, "max_eval_examples": 30},
    "tasks": ["mednli", "shareclefe"],
    "seeds": 2,
    "executor": "local",
}


@pytest.fixture(scope="module")
def with_arms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "results"
    ta.pairwise("clinical", full=True, controls=True, output_dir=folder, **SMALL)
    return folder


@pytest.fixture
def folder(with_arms: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(with_arms, tmp_path / "results"))


def runs_in(folder: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("runs/*/result.json")}


def test_finished_arms_are_kept_and_nothing_is_trained(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    before, edges = runs_in(folder), (folder / "edges.csv").read_text()
    with caplog.at_level("INFO"):
        ta.pairwise("clinical", output_dir=folder, **SMALL)
    assert runs_in(folder) == before
    assert (folder / "edges.csv").read_text() == edges
    study = Study.load(folder)
    assert (study.full, study.controls) == (True, True)
    said = "its study also has the whole set (--full) and the controls (--controls) (kept; --overwrite leaves this out)"
    assert f"{folder}: {said}" in caplog.text


def test_overwrite_leaves_them_out_and_their_runs_stay(folder: Path) -> None:
    before = runs_in(folder)
    ta.pairwise("clinical", output_dir=folder, overwrite=True, **SMALL)
    study = Study.load(folder)
    assert (study.full, study.controls) == (False, False)
    assert runs_in(folder) == before


def test_an_arm_with_a_missing_run_is_refused_with_the_ways_out(folder: Path) -> None:
    whole = next(spec for spec in Study.load(folder).plan if spec.variant == "placebo" or "placebo" in spec.run_id)
    shutil.rmtree(folder / "runs" / whole.run_id)
    ways = "give full and controls, or another output_dir, or overwrite to replace the study (its finished runs stay)"
    with pytest.raises(InputError) as caught:
        ta.pairwise("clinical", output_dir=folder, **SMALL)
    said = "holds a study, and this command leaves out the whole set (full), the controls (controls)"
    assert str(caught.value) == f"{folder}: {said}; {ways}"


def test_fewer_seeds_are_refused_with_the_earlier_options(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"leaves out 1 of its 2 seeds, .*; give seeds 2 and seeds_single 2 and full and contr"
    ):
        ta.pairwise("clinical", output_dir=folder, **{**SMALL, "seeds": 1})
