"""Options of the functions that read a results folder: types, ranges, and options that the folder has no use for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import command

import taskaffinity as ta
from taskaffinity.analysis.publish import publish_retrained
from taskaffinity.errors import InputError
from taskaffinity.runs.study import Study
from taskaffinity.studies.further_runs import FurtherRuns
from taskaffinity.studies.listener import LogListener

EXAMPLE = Path(__file__).parents[2] / "notebooks" / "example_results"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("study") / "copy")


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({"margin": "20"}, {"margin": 20}),
        ({"margin": "micro_f1=40"}, {"margin": {"micro_f1": 40}}),
        ({"margin": ["20", "micro_f1=40"], "alpha": 0.2}, {"margin": ["micro_f1=40", "20"], "alpha": 0.2}),
    ],
)
def test_load_and_compare_read_one_rule(options: dict[str, Any], same: dict[str, Any], copy: Path) -> None:
    expected = ta.load(EXAMPLE, **same).verdict
    assert not expected.equals(ta.load(EXAMPLE).verdict)
    assert ta.load(EXAMPLE, **options).verdict.equals(expected)
    arrows = ta.compare(EXAMPLE, copy, **options).to_frame().set_index(["source", "target"])
    assert all(arrows.verdict_first[arrow] == expected.loc[arrow] for arrow in arrows.index)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"margin": [2]}, "margin: found a list of 1; expected a number of points"),
        ({"margin": True}, "margin: found True; expected a number of points"),
        ({"margin": "f1=2"}, "no such metric"),
        ({"alpha": "0.1"}, "alpha is '0.1'; it must be a number"),
        ({"correction": "none"}, "no correction 'none'"),
    ],
)
def test_load_and_compare_refuse_a_rule_in_one_line(options: dict[str, Any], said: str, copy: Path) -> None:
    for call in (lambda: ta.load(EXAMPLE, **options), lambda: ta.compare(EXAMPLE, copy, **options)):
        with pytest.raises(InputError, match=said) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("design", ["full", "train"])
def test_a_rule_is_refused_where_no_pairs_are_read(design: Any, tmp_path: Path, tiny_study: Any) -> None:
    study: Study = tiny_study(design=design).study
    study.write(tmp_path)
    ta.load(tmp_path)
    with pytest.raises(InputError, match="only verdicts of pairs have a rule"):
        ta.load(tmp_path, alpha=0.2)


def test_graph_refuses_a_rule_for_figures_of_stages(tmp_path: Path, tiny_study: Any) -> None:
    tiny_study(design="full").study.write(tmp_path)
    done = command("graph", ".", "--figures=stages", "--alpha=0.2", "--margin=accuracy=2", cwd=tmp_path)
    assert done.returncode == 2
    assert "only figures of pairs have one" in done.stderr
    assert not (tmp_path / "stages.png").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seeds": 0}, "seeds: found '0'; expected a whole number from 1 to 1000"),
        ({"seeds": -1}, "seeds: found '-1'"),
        ({"seeds": True}, "seeds: found 'True'"),
        ({"seeds": 2.5}, "seeds: found '2.5'"),
        ({"seeds": 1001}, "seeds: found '1001'"),
        ({"seeds": "3x"}, "seeds: found '3x'"),
        ({"executor": "slurm"}, "executor: found 'slurm'; expected ray or local"),
    ],
)
def test_retrain_refuses_an_option_before_it_writes(options: dict[str, Any], said: str, copy: Path) -> None:
    chosen = ta.group(copy, groups=2, draws=0)
    with pytest.raises(InputError, match=said):
        ta.retrain(chosen, **{"seeds": 2, "executor": "local"} | options)  # type: ignore[arg-type]
    assert not (copy / "retrained.csv").exists()


def test_retrain_says_what_this_machine_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study.load(EXAMPLE)
    plan = replace(study, seeds=(100,), seeds_single=(100,)).plan
    monkeypatch.setattr("taskaffinity.training.execute.gpus", lambda: 0)
    monkeypatch.setattr("taskaffinity.studies.further_runs.usable_cpus", lambda: 4)
    for change, said in (
        ({"device": "cuda"}, "retrain: the study was trained on a GPU, and this machine has none"),
        ({"threads": 5}, "runs of the study have 5 threads, and this command may use 4 cores; give --executor local"),
    ):
        changed = replace(study, recipe=replace(study.recipe, **change))
        changed.write(tmp_path)
        with pytest.raises(InputError, match=said):
            FurtherRuns(changed, tmp_path, LogListener()).train(plan)
    study.write(tmp_path)
    with pytest.raises(InputError, match="now holds another study; choose the groups or helpers again"):
        FurtherRuns(changed, tmp_path, LogListener())


def test_no_groups_are_written_for_a_study_whose_groups_cannot_be_trained(tmp_path: Path) -> None:
    root = shutil.copytree(EXAMPLE, tmp_path / "copy")
    replace(Study.load(root), baseline="compute-matched").write(root)
    done = command("group", "copy", "--groups=2", "--draws=0", "--retrain=2", cwd=tmp_path)
    assert done.returncode == 2
    assert "retrain: the study has baseline compute-matched" in done.stderr
    assert not (root / "groups.csv").exists()


def test_what_was_trained_for_a_study_is_not_written_beside_another_one(tmp_path: Path) -> None:
    root = shutil.copytree(EXAMPLE, tmp_path / "copy")
    chosen = ta.group(root, groups=2, draws=0)
    study = Study.load(root)
    replace(study, recipe=replace(study.recipe, num_train_epochs=99)).write(root)
    with pytest.raises(InputError, match="now belongs to another study"):
        publish_retrained(chosen.chosen, (), root)  # type: ignore[union-attr]
    assert not (root / "retrained.csv").exists()
