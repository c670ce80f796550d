"""``tune`` on the real command: a better recipe than a bad default's, in a file that a study accepts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import LOCAL, Done, command

import taskaffinity
from taskaffinity.runs.recipe_file import read_recipe

pytestmark = pytest.mark.usefixtures("no_figures")

SMALL = ["--set=max_train_examples=300", "--set=max_eval_examples=60", "--set=num_train_epochs=3"]
TUNE = ["tune", "--domain=clinical", "--recipe=slow.yaml", *SMALL, "--n-trials=4", "--finalists=1", "--confirm-seeds=1"]
SLOW = "learning_rate: 4e-4\nfinetune:\n  num_train_epochs: 2\n"
"""A default that is too slow for three epochs."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tune")
    (folder / "slow.yaml").write_text(SLOW)
    return folder


@pytest.fixture(scope="module")
def tuned(home: Path) -> Done:
    done = command(*TUNE, *LOCAL, cwd=home)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def recipe(home: Path, tuned: Done) -> Path:
    return home / "results" / "clinical" / "recipe.yaml"


def confirmed(out: str) -> dict[str, float]:
    """Mean of each finalist over the fresh seeds, by its label in the table."""
    plain = out.replace(" collapsed", "")
    rows = re.findall(r"^ [* ] (default|\d+) +(\S+) +(-?\d+\.\d)(?: +-?\d+\.\d){4} ", plain, re.MULTILINE)
    return {label: float(mean) for label, _, mean in rows}


@pytest.mark.slow
def test_the_chosen_recipe_is_at_least_the_defaults_and_here_better(tuned: Done, recipe: Path) -> None:
    [chosen] = re.findall(r"^ \* (default|\d+) ", tuned.stdout, re.MULTILINE)
    means = confirmed(tuned.stdout)
    assert set(means) == {"default", chosen}
    assert means[chosen] > means["default"]
    settings = read_recipe(recipe).settings
    assert settings["learning_rate"] > 4e-4
    assert settings["max_train_examples"] == 300
    assert read_recipe(recipe).finetune == {"num_train_epochs": 2}
    assert "threads" not in recipe.read_text()


@pytest.mark.slow
def test_a_study_takes_the_recipe_and_set_has_the_last_word(recipe: Path, home: Path) -> None:
    short = ["--seeds=1", "--seeds-single=1", "--set=num_train_epochs=1", f"--recipe={recipe}", "--results=study"]
    done = command("pairwise", "--domain=clinical", *LOCAL, *short, "--quiet", cwd=home)
    assert done.returncode == 0, done.stderr
    of_study = json.loads((home / "study" / "study.json").read_text())["recipe"]
    expected = {**read_recipe(recipe).settings, "num_train_epochs": 1}
    assert {name: of_study[name] for name in expected} == expected


@pytest.mark.slow
def test_fine_tuning_has_its_own_settings_from_the_file(recipe: Path, home: Path) -> None:
    done = command("full", "--domain=clinical", *LOCAL, f"--recipe={recipe}", "--seeds=1", "--dry-run", cwd=home)
    assert done.returncode == 0, done.stderr
    other = home / "other.yaml"
    other.write_text(recipe.read_text().replace("  num_train_epochs: 2", "  num_train_epochs: 3"))
    again = command("full", "--domain=clinical", *LOCAL, f"--recipe={other}", "--seeds=1", "--dry-run", cwd=home)
    runs, changed = (set(re.findall(r"\S+-s0-\S+", out.stdout)) for out in (done, again))
    assert {run.split("-")[0] for run in runs - changed} == {"finetune"}


@pytest.mark.slow
def test_the_same_command_again_trains_nothing_and_writes_the_same(tuned: Done, recipe: Path, home: Path) -> None:
    before = recipe.read_bytes()
    again = command(*TUNE, *LOCAL, "--quiet", cwd=home)
    assert "0 epochs of each task trained now" in again.stdout
    assert confirmed(again.stdout) == confirmed(tuned.stdout)
    assert recipe.read_bytes() == before
    assert "trials done" in tuned.stderr
    assert "trials done" not in again.stderr


def test_a_table_that_cannot_be_printed_costs_no_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(found: object) -> None:
        raise OSError(28, "No space left on device", "standard output")

    monkeypatch.setattr("taskaffinity.cli.tune.print_found", full_disk)
    few = ["--tasks=mednli", "--n-trials=1", "--finalists=1", "--confirm-seeds=1", "--results=found"]
    done = command("tune", "--domain=clinical", *few, *SMALL, *LOCAL, "--quiet", cwd=tmp_path)
    assert done.returncode == 2
    assert "standard output: No space left on device" in done.stderr
    assert (tmp_path / "found" / "recipe.yaml").is_file()


def test_a_folder_that_cannot_be_made_ends_it_before_the_first_trial(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command("tune", "--domain=clinical", "--out=file/recipe.yaml", *LOCAL, "--quiet", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "file/tune: cannot be created (Not a directory)" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("out", ["--out=slow.yaml", "--results=."])
def test_the_recipe_that_it_reads_is_not_written_over(out: str, tmp_path: Path) -> None:
    name = "slow.yaml" if out.startswith("--out") else "recipe.yaml"
    (tmp_path / name).write_text(SLOW)
    done = command("tune", "--domain=clinical", f"--recipe=./{name}", out, *LOCAL, "--dry-run", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--recipe {name}: the search would overwrite it; give another --out" in done.stderr


def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(home: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    done = command(*TUNE, *LOCAL, "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^ +\d: ", done.stdout, re.MULTILINE)) == 4
    assert "at most 21 epochs of each of 4 tasks" in done.stdout  # 5 candidates and 2 again, of 3 epochs
    assert [path.name for path in tmp_path.iterdir()] == ["slow.yaml"]
    rates = [float(rate) for rate in re.findall(r"^ +\d: learning_rate (\S+),", done.stdout, re.MULTILINE)]
    assert "default: learning_rate 0.0004," in done.stdout
    assert len(set(rates)) > 1  # the settings of the file are the default, and searched
    assert all(4e-4 / 5 <= rate <= 4e-4 * 5 for rate in rates)
    fixed = command(*TUNE, *LOCAL, "--dry-run", "--set=learning_rate=4e-4", cwd=tmp_path)
    assert len(re.findall(r"^ +\d: ", fixed.stdout, re.MULTILINE)) == 4, fixed.stderr
    assert "learning_rate" not in fixed.stdout


def test_the_help_says_that_a_recipe_file_is_searched_around() -> None:
    said = " ".join(command("tune", "--help", cwd=Path.cwd()).stdout.replace("│", " ").split())
    assert "the default that the candidates vary" in said
    assert "the default that the recipes of the search vary" in " ".join((taskaffinity.tune.__doc__ or "").split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tune", "--recipe=broken.yaml"], "broken.yaml: line 2: found unknown key 'batch_sise'; expected one of "),
        (["pairwise", "--recipe=broken.yaml"], "did you mean batch_size?"),
        (["full", "--recipe=broken.yaml"], "broken.yaml: line 2: "),
        (["pairwise", "--recipe=missing.yaml"], "--recipe missing.yaml: no such file"),
        (["pairwise", "--recipe=broken.yaml", "--protocol=paper"], "not with --protocol paper"),
        (["tune", "--set=finetune.learning_rate=1"], "a search does not fine-tune"),
        (["tune", "--set=precision=auto"], "--set precision=auto: only a study measures"),
        (["full", "--set=finetune.precision=auto"], "it is for every stage; leave finetune.precision out"),
        (["tune", "--out=."], "--out .: a folder; expected a file"),
        (["tune", "--dry-run", "--set=max_length=4000"], "--set max_length=4000: the encoder has 128 positions"),
        (["tune", "--dry-run", "--encoder=nowhere"], "nowhere"),
        (["tune", "--set=learning_rat=1"], "did you mean learning_rate?"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_written(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.yaml").write_text("learning_rate: 1e-3\nbatch_sise: 8\n")
    done = command(*arguments, "--domain=clinical", *LOCAL, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["broken.yaml"]
