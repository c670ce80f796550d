"""``train`` in both faces: one model of all tasks per seed, which ``export`` and ``predict`` read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from command_line import LOCAL, SMALL, Done, command, results_of, rows

import taskaffinity as ta
from taskaffinity.errors import InputError
from taskaffinity.runs.best_model import best_model
from taskaffinity.runs.study import Study
from taskaffinity.studies.listener import LogListener
from taskaffinity.studies.options import FullOptions
from taskaffinity.studies.steps import plan_full
from taskaffinity.tasks.user.template import example_files

TASKS = ["shareclefe", "mednli"]  # in the suite's order
TRAIN = ["train", "--domain=clinical", "--tasks=mednli,shareclefe", "--seeds=2", *LOCAL, *SMALL, "--out=joint"]
SETTINGS = {"num_train_epochs": 1, "max_train_examples": 64, "max_eval_examples": 50}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def done(home: Path) -> Done:
    trained = command(*TRAIN, "--quiet", cwd=home)
    assert trained.returncode == 0, trained.stderr
    return trained


def outcomes(root: Path) -> dict[str, dict[str, Any]]:
    found = {path.parent.name: json.loads(path.read_text()) for path in root.glob("runs/*/result.json")}
    return {name: content["outcomes"] for name, content in found.items()}


def test_the_runs_are_those_of_all_tasks_in_a_study_in_stages(done: Done, home: Path) -> None:
    options = FullOptions(tasks=TASKS, settings=SETTINGS, executor="local", output_dir=home / "full", seeds=2)
    [planned] = plan_full("clinical", options, LogListener(), dry_run=True)
    together = {spec.run_id for spec in planned.plan if spec.stage == "refine"}
    assert set(outcomes(home / "joint")) == together
    assert len(together) == 2
    assert "SYNTHETIC TEXT" in done.stderr


def test_scores_are_means_over_seeds_in_points(done: Done, home: Path) -> None:
    found = list(outcomes(home / "joint").values())
    table = rows(home / "joint/train.csv")
    assert [row["task"] for row in table] == TASKS
    for row in table:
        one, other = (100 * run[row["task"]]["test"] for run in found)
        assert float(row["mean"]) == pytest.approx((one + other) / 2, rel=1e-5)
        assert float(row["sd"]) == pytest.approx(abs(one - other) / math.sqrt(2), rel=1e-5)
        assert (row["split"], row["seeds"], row["stage"]) == ("test", "2", "refine")
        assert f"{(one + other) / 2:.1f} ({abs(one - other) / math.sqrt(2):.1f})" in done.stdout
    assert len(rows(home / "joint/train_scores.csv")) == 2 * 2 * 2


def test_the_same_command_trains_nothing_and_prints_the_scores_as_json(done: Done, home: Path) -> None:
    before = results_of(home / "joint")
    again = command(*TRAIN, "--json", "--quiet", cwd=home)
    assert again.returncode == 0, again.stderr
    assert results_of(home / "joint") == before
    content = json.loads(again.stdout)
    assert set(content) == {"results", "scores", "failed", "advice"}
    for row, stored in zip(content["scores"], rows(home / "joint/train.csv"), strict=True):
        assert row["mean"] == pytest.approx(float(stored["mean"]), rel=1e-5)
    assert ta.load(home / "joint").to_frame()["task"].tolist() == TASKS


def test_more_seeds_extend_it_and_other_tasks_are_another_model(done: Done, home: Path) -> None:
    more = command(*TRAIN, "--seeds=3", "--dry-run", cwd=home)
    assert "3 runs, 2 done, 1 to train" in more.stdout, more.stderr
    fewer = command(*TRAIN, "--tasks=mednli", cwd=home)
    assert fewer.returncode == 2
    assert "joint: holds a study with tasks shareclefe, mednli (now mednli); give another" in fewer.stderr
    status = command("status", "joint", cwd=home)
    assert status.stdout.startswith("joint/train.json: 2 tasks of clinical"), status.stderr


def test_export_and_predict_read_the_folder(done: Done, home: Path) -> None:
    exported = command("export", "joint", "--task=shareclefe", "--out=model", cwd=home)
    assert exported.returncode == 0, exported.stderr
    assert "the best on dev of 2 with a stored model" in exported.stdout
    (home / "notes.txt").write_text("one two three\nfour\n")
    by_export = command("predict", "model", "notes.txt", "--quiet", cwd=home)
    by_folder = command("predict", "joint", "notes.txt", "--task=shareclefe", "--quiet", cwd=home)
    assert by_folder.stdout == by_export.stdout != ""
    for arguments, said in (
        ([], "no taskaffinity.json here; expected a folder that `taskaffinity export` wrote, or a results folder and"),
        (["--task=mednl"], "task mednl: no such task in joint; there are shareclefe, mednli; did you mean mednli?"),
        (["--run=refine"], "--run refine: chooses a run of a results folder; give --task too"),
    ):
        refused = command("predict", "joint", "notes.txt", *arguments, cwd=home)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
        assert said in refused.stderr


@pytest.mark.slow
def test_fine_tuned_models_are_the_ones_to_export(tmp_path: Path) -> None:
    settings = {**SETTINGS, "finetune.num_train_epochs": 1}
    small = {"tasks": TASKS, "settings": settings, "executor": "local", "evaluate_after": "finetune"}
    result = ta.train("clinical", output_dir=tmp_path, **small)
    assert result.failed == {}
    assert result.to_frame()[["task", "stage"]].values.tolist() == [
        [task, stage] for task in TASKS for stage in ("refine", "finetune")
    ]
    assert {best_model(tmp_path, task).spec.stage for task in TASKS} == {"finetune"}
    with pytest.raises(InputError, match=r"settings finetune\.num_train_epochs: nothing is fine-tuned"):
        ta.train("clinical", output_dir=tmp_path, **{**small, "evaluate_after": "joint"})


def without_test(folder: Path) -> Path:
    """The suite of ``init`` without the test parts of two of its three tasks."""
    for name, content in example_files("suite.yaml").items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (folder / "mentions/test.conll").unlink()
    suite = folder / "suite.yaml"
    suite.write_text(suite.read_text().replace("      test: entailment/test.jsonl\n", ""))
    return suite


def test_a_task_without_a_test_part_is_scored_on_dev_and_this_is_said(tmp_path: Path) -> None:
    from taskaffinity.tasks.planted import VOCABULARY
    from taskaffinity.training.encoders.load import tiny_encoder

    suite = without_test(tmp_path)
    encoder = tiny_encoder(VOCABULARY, tmp_path / "encoder", layers=1, width=16).folder
    common = [f"--suite={suite}", f"--encoder={encoder}", *LOCAL, "--set=num_train_epochs=1", "--set=precision=none"]
    refused = command("pairwise", *common, cwd=tmp_path)
    assert (refused.returncode, "found no test split; expected test: 20%" in refused.stderr) == (2, True)
    trained = command("train", *common, "--out=joint", "--quiet", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.count("no test part") == 2
    assert "Without a test part, so only the dev score is known: " in trained.stdout
    lacks = {"entailment", "mentions"}
    for row in rows(tmp_path / "joint/train.csv"):
        assert row["split"] == ("dev" if row["task"] in lacks else "test")
        assert (row["mean"] == row["dev"]) == (row["task"] in lacks)
    of_test = {row["target"] for row in rows(tmp_path / "joint/train_scores.csv") if row["split"] == "test"}
    assert of_test == {"negation"}
    assert {card.name: sorted(card.sizes) for card in Study.load(tmp_path / "joint", "train").tasks} == {
        name: ["dev", "train"] if name in lacks else ["dev", "test", "train"] for name in ("negation", *sorted(lacks))
    }
    exported = command("export", "joint", "--task=mentions", "--out=model", cwd=tmp_path)
    assert "on dev, no test part" in exported.stdout, exported.stderr
    assert "so no score of this model is free of selection" in (tmp_path / "model/README.md").read_text()
    inspected = command("data", "inspect", "suite.yaml", cwd=tmp_path)
    assert (
        "note: mentions: no test part: `pairwise` refuses this task, and `train` reports dev scores" in inspected.stdout
    ), inspected.stderr
    assert "leak" not in inspected.stdout
    paper = command("train", *common, "--protocol=paper", "--out=paper", cwd=tmp_path)
    assert "--protocol paper: trains on the dev part, and entailment has no test part" in paper.stderr


def test_a_suite_in_memory_may_lack_a_test_part_if_asked_to(tmp_path: Path) -> None:
    reviews = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(8)]
    data = {name: ({"train": reviews, "dev": reviews[:4]}, {}) for name in ("one", "two")}
    suite = ta.Suite.from_datasets(data, needs_test=False)
    assert [(task.has_test, task.splits) for task in suite] == [(False, ("train", "dev"))] * 2
    with pytest.raises(InputError, match="found no test split"):
        ta.Suite.from_datasets(data)
    with pytest.raises(InputError, match="task one: no test part; expected one: only `taskaffinity train` does"):
        ta.pairwise(suite, executor="local", output_dir=tmp_path)
