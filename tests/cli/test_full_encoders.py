"""``full --encoders``: a study of each in a folder of its own, and one table."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from command_line import LOCAL, SMALL, Done, command, results_of, rows

from taskaffinity.analysis.joint_results import EncoderResults, StagesResults
from taskaffinity.errors import InputError
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.studies.check_options import encoder_names
from taskaffinity.studies.folders import encoder_folders
from taskaffinity.studies.options import FullOptions

pytestmark = pytest.mark.usefixtures("no_figures")

FULL = ["full", "--domain=clinical", *LOCAL, *SMALL, "--set=finetune.num_train_epochs=1", "--seeds=1"]
N_RUNS = 4 + 1 + 4


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds two encoders, ``Wide`` and ``x/narrow``."""
    from taskaffinity.tasks.planted import VOCABULARY
    from taskaffinity.training.encoders.load import tiny_encoder

    home = tmp_path_factory.mktemp("encoders")
    for name, width in (("Wide", 16), ("x/narrow", 8)):
        shutil.copytree(tiny_encoder(VOCABULARY, home / "cache", layers=1, width=width).folder, home / name)
    return home


@pytest.fixture(scope="module")
def first(home: Path) -> Done:
    return command(*FULL, "--encoders=Wide, x/narrow", cwd=home)


@pytest.fixture(scope="module")
def places(home: Path, first: Done) -> list[Path]:
    """The results folder of each, narrow's first."""
    assert first.returncode == 0, first.stderr
    return sorted(place for place in (home / "results" / "clinical").iterdir() if place.is_dir())


@pytest.mark.slow
def test_each_encoder_has_a_study_in_a_folder_of_its_own(first: Done, places: list[Path]) -> None:
    assert [place.name.rpartition("-")[0] for place in places] == ["narrow", "wide"]
    for place in places:
        assert len(results_of(place)) == N_RUNS
        assert len(rows(place / "stages.csv")) == 4 * 3
        assert (place / "stages_scores.csv").is_file()
    assert "encoder 1 of 2: Wide" in first.stderr
    assert first.stderr.count(f"{N_RUNS} runs: {N_RUNS} trained now") == 2


@pytest.mark.slow
def test_one_table_has_a_row_an_encoder_in_the_order_given(home: Path, first: Done, places: list[Path]) -> None:
    lines = [line.split() for line in first.stdout.splitlines() if "fine-tuned," in line]
    assert [words[1] for words in lines] == ["Wide", "narrow", "narrow,"]
    assert lines[2][2:6] == ["gain", "over", "the", "first"]
    of_all = rows(home / "results" / "clinical" / "encoders.csv")
    assert len(of_all) == 3 * 4 * 3  # each over single-task training, and the second over the first
    assert [row["encoder"].split()[0] for row in of_all if row["over"].startswith("Wide")] == ["narrow"] * 12
    assert "paper" not in first.stdout  # scores on synthetic text are never shown beside the paper's
    above, cautions, _ = " ".join(first.stdout.split()).partition("Runs use a sample of the examples")
    assert cautions  # those of the studies, each of which may name its single-task runs
    assert "single-task" not in above  # one table, not one a study


@pytest.mark.slow
def test_the_folder_above_them_gives_the_table_again(home: Path, places: list[Path]) -> None:
    above = command("table", "4", "results/clinical", "--format=csv", cwd=home)
    assert above.returncode == 0, above.stderr
    each = command("table", "4", *map(str, reversed(places)), "--format=csv", cwd=home)  # as they were given
    assert above.stdout == each.stdout
    assert len(above.stdout.splitlines()) == 1 + 3 * 4 * 3


@pytest.mark.slow
def test_one_more_encoder_leaves_the_others_as_they_are(home: Path, places: list[Path]) -> None:
    """By another path, in another order: the same encoders, so the same folders."""
    shutil.copytree(home / "Wide", home / "again")
    before = {place: results_of(place) for place in places}
    shown = command(*FULL, "--encoders=x/narrow,again", "--quiet", cwd=home)
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr.count("0 trained now") == 2
    assert {place: results_of(place) for place in places} == before
    assert {place for place in (home / "results" / "clinical").iterdir() if place.is_dir()} == {*places}


@pytest.mark.slow
def test_a_dry_run_prints_every_plan(home: Path, places: list[Path]) -> None:
    shown = command(*FULL, "--encoders=Wide,x/narrow", "--seeds=2", "--dry-run", cwd=home)
    assert shown.stdout.count(f"{2 * N_RUNS} runs, {N_RUNS} done, {N_RUNS} to train") == 2, shown.stderr
    assert f"narrow, in {places[0].relative_to(home)}:" in shown.stdout


@pytest.mark.slow
def test_an_encoder_that_was_compared_is_not_left_out_without_a_word(home: Path, places: list[Path]) -> None:
    table = home / "results" / "clinical" / "encoders.csv"
    before = table.read_bytes()
    refused = command(*FULL, "--encoders=x/narrow", "--dry-run", cwd=home)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    said = "results/clinical/encoders.csv: also compares (Wide|again), and this command leaves it out; give all"
    assert re.search(said, refused.stderr), refused.stderr
    assert table.read_bytes() == before
    for broken, options in ((before, ["--overwrite"]), (before[:40], [])):
        table.write_bytes(broken)
        allowed = command(*FULL, "--encoders=x/narrow", "--dry-run", *options, cwd=home)
        assert allowed.returncode == 0, allowed.stderr
    table.write_bytes(before)


def test_advice_names_the_encoder_unless_all_studies_have_it(tmp_path: Path) -> None:
    lines = {"Wide": ["2 runs collapsed", "few updates"], "narrow": ["few updates"], "third": ["few updates", "a leak"]}
    studies = [
        cast("StagesResults", SimpleNamespace(advice=advice, study=SimpleNamespace(encoder=SimpleNamespace(name=name))))
        for name, advice in lines.items()
    ]
    found = EncoderResults(tmp_path, studies).advice
    assert found == ["Wide: 2 runs collapsed", "few updates", "third: a leak"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--encoders=Wide,nowhere"], "nowhere: no such folder"),
        (["--encoders=Wide,x/narrow", "--encoder=Wide"], "give one of the two options"),
        (["--encoders=Wide,"], "expected names or folders, joined by commas"),
        (["--encoders=Wide,./Wide"], "Wide is the same encoder as one before it"),
        (["--encoders=Wide,x/narrow", "--set=max_length=512"], "the encoder has 128 positions"),
        (["--encoders=Wide,blunt"], "blunt: no tokenizer in this folder"),
    ],
    ids=["unknown", "both options", "empty name", "twice", "too long an input", "no tokenizer"],
)
def test_what_cannot_be_trained_is_refused_before_anything_is(arguments: list[str], said: str, home: Path) -> None:
    blunt = home / "blunt"
    blunt.mkdir(exist_ok=True)
    shutil.copy(home / "Wide" / "config.json", blunt)
    refused = command(*FULL, *arguments, "--results=elsewhere", "--quiet", cwd=home)
    assert refused.returncode == 2, refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert said in refused.stderr
    assert not (home / "elsewhere").exists()


def test_names_that_are_no_names_of_folders_become_some(tmp_path: Path) -> None:
    refs = [EncoderRef("../My BERT (v2)", "a" * 16), EncoderRef("My BERT (v2)", "b" * 16), EncoderRef("…", "c" * 16)]
    names = [place.name for place in encoder_folders(tmp_path, refs)]
    assert names == ["my-bert-v2-aaaaaaaa", "my-bert-v2-bbbbbbbb", "encoder-cccccccc"]


def test_without_either_option_the_suite_names_its_own() -> None:
    assert encoder_names(FullOptions()) == [None]
    assert encoder_names(FullOptions(encoder="BioBERT")) == ["BioBERT"]
    assert encoder_names(FullOptions(encoders=["BioBERT", " BlueBERT-P"])) == ["BioBERT", "BlueBERT-P"]
    with pytest.raises(InputError):
        encoder_names(FullOptions(encoders=[""]))
