"""``full`` and ``table`` by the command line, on a study that is small but trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import LOCAL, SMALL, Done, command, results_of, rows

STAGED = ["full", "--domain=clinical", *LOCAL, *SMALL, "--set=finetune.num_train_epochs=1", "--seeds=2", "--quiet"]
N_RUNS = 4 * 2 + 2 + 4 * 2
"""Four single-task runs, one multi-task run and four fine-tuned runs, times two seeds."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("full")


@pytest.fixture(scope="module")
def first(home: Path) -> Done:
    return command(*STAGED, cwd=home)


@pytest.fixture(scope="module")
def finished(home: Path, first: Done) -> Path:
    assert first.returncode == 0, first.stderr
    return home / "results" / "clinical"


def test_three_rows_of_scores_and_what_they_are(first: Done, finished: Path) -> None:
    assert len(results_of(finished)) == N_RUNS
    for words in ("single-task", "multi-task", "fine-tuned", "Synthetic text: not real data."):
        assert words in first.stdout
    assert "paper" not in first.stdout  # synthetic text never stands beside the paper's numbers
    assert "SYNTHETIC TEXT" in first.stderr
    assert f"{N_RUNS} runs: {N_RUNS} trained now" in first.stderr
    full = rows(finished / "stages.csv")
    assert [(row["stage"], row["seeds"]) for row in full] == [(s, "2") for s in ("single", "refine", "finetune")] * 4
    assert len(rows(finished / "stages_scores.csv")) == 4 * 3 * 2 * 2
    asked = json.loads((finished / "full.json").read_text())
    assert (asked["design"], asked["recipe"]["learning_rate"]) == ("full", 2e-3)
    assert {(how["learning_rate"], how["max_train_examples"]) for how in asked["finetune"].values()} == {(5e-4, 64)}


def test_the_slope_chart_is_drawn_and_drawn_again(finished: Path, home: Path) -> None:
    before = (finished / "stages.svg").read_bytes()
    assert b"synthetic text" in before
    assert (finished / "stages.png").is_file()
    (finished / "stages.svg").unlink()
    drawn = command("graph", "results/clinical", "--figures=stages", "--format=svg,pdf", cwd=home)
    assert drawn.returncode == 0, drawn.stderr
    assert "stages.svg" in drawn.stdout
    assert "SYNTHETIC TEXT" in drawn.stderr
    assert (finished / "stages.svg").read_bytes() == before
    assert (finished / "stages.pdf").is_file()


def test_the_same_command_again_trains_nothing(first: Done, finished: Path, home: Path) -> None:
    before = results_of(finished)
    again = command(*STAGED, cwd=home)
    assert again.returncode == 0, again.stderr
    assert results_of(finished) == before
    assert again.stdout == first.stdout


def test_a_study_of_pairs_in_the_same_folder_shares_the_single_task_runs(finished: Path, home: Path) -> None:
    pairs = ["pairwise", "--domain=clinical", *LOCAL, *SMALL, "--seeds=2", "--seeds-single=2", "--full", "--dry-run"]
    shown = command(*pairs, cwd=home)
    assert f"{8 + 12 + 2} runs, {8 + 2} done" in shown.stdout, shown.stderr


def test_a_setting_of_fine_tuning_changes_only_fine_tuning(finished: Path, home: Path) -> None:
    refused = command(*STAGED, "--set=finetune.learning_rate=1e-4", "--dry-run", cwd=home)
    assert refused.returncode == 2
    assert "holds a study with finetune.learning_rate=0.0005 (now 0.0001)" in refused.stderr
    shown = command(*STAGED, "--set=finetune.learning_rate=1e-4", "--dry-run", "--overwrite", cwd=home)
    assert f"{N_RUNS} runs, {8 + 2} done" in shown.stdout, shown.stderr
    both = command(*STAGED, "--set=batch_size=8", "--dry-run", "--overwrite", cwd=home)
    assert f"{N_RUNS} runs, 0 done" in both.stdout, both.stderr


def test_the_table_is_drawn_again_in_every_form(first: Done, finished: Path, home: Path) -> None:
    folder = "results/clinical"
    text = command("table", "2", folder, cwd=home)
    assert text.returncode == 0, text.stderr
    assert text.stdout.rstrip() in first.stdout
    assert command("table", "2", folder, "--format=csv", cwd=home).stdout == (finished / "stages.csv").read_text()
    assert "| multi-task |" in command("table", "2", folder, "--format=markdown", cwd=home).stdout
    assert r"\begin{tabular}{lrrrrr}" in command("table", "2", folder, "--format=latex", cwd=home).stdout


def test_encoders_stand_below_one_another(finished: Path, home: Path) -> None:
    shown = command("table", "4", "results/clinical", cwd=home)
    assert shown.returncode == 0, shown.stderr
    assert "fine-tuned, tiny BERT 2x64, from scratch" in shown.stdout
    assert "paper" not in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["table", "3", "results/clinical"], "of suite biomedical, but results/clinical holds suite clinical"),
        (["table", "7", "results/clinical"], "expected one of edges, 1, 2, 3, 4, 5, 6"),
        (["table", "1", "results/clinical", "--format=csv"], "expected text, the only format of table 1"),
        (["table", "2", "results/clinical", "results/clinical"], "2 folders; expected one"),
        (["table", "2", "nowhere"], "no such folder; it is made by `taskaffinity full`"),
        ([*STAGED, "--set=finetune.learning_rat=1"], "did you mean learning_rate?"),
        ([*STAGED, "--protocol=paper"], "give --data, or an --encoder"),
        ([*STAGED, "--baseline=paper-single"], "not with --protocol honest; give --protocol paper too"),
        ([*STAGED, "--set=released_classes=true"], "released_classes: a setting of --protocol paper; leave it out"),
        ([*STAGED, "--set=reversed_pairs=maybe"], "expected true or false or none"),
        (["table", "departures", "nowhere"], "no such folder; it is made by `taskaffinity full`"),
        ([*STAGED, "--set=finetune.max_length=4"], "max_length is 4; it must be at least 8"),
    ],
    ids=[
        "another suite",
        "no such table",
        "sizes as a file",
        "two folders",
        "no results",
        "unknown setting",
        "paper's protocol",
        "paper's baseline",
        "paper's setting",
        "neither true nor false",
        "departures of nothing",
        "value out of range",
    ],
)
def test_bad_usage_is_one_line(arguments: list[str], said: str, finished: Path, home: Path) -> None:
    refused = command(*arguments, cwd=home)
    assert refused.returncode == 2, refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert said in refused.stderr
