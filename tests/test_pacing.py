"""What a machine makes of a study before it is trained: its pace, and whether 16 bits pay."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest

from taskaffinity.cli import main
from taskaffinity.definition import define
from taskaffinity.pacing import Precision, fast_precision, in_precision, pace_of
from taskaffinity.runs.spec import FROM_SCRATCH, RunSpec
from taskaffinity.runs.study import Study
from taskaffinity.tasks.catalog import vocabulary
from taskaffinity.tasks.planted import stand_in
from taskaffinity.tasks.task import BadInput, Suite
from taskaffinity.training.encoders import Encoder, tiny_encoder
from taskaffinity.training.precision import PAYS

FEW = replace(FROM_SCRATCH, max_train_examples=64, max_eval_examples=20)
Asked = tuple[Study, Suite, Encoder]


def test_what_diverges_when_it_is_tried_has_no_forecast_and_its_study_goes_on() -> None:
    suite = stand_in("clinical")
    recipe = replace(FROM_SCRATCH, learning_rate=1e30, max_train_examples=64, max_eval_examples=20)
    study, encoder = define(suite, recipe=recipe)
    assert pace_of(study, suite, encoder) is None
    calm, _ = define(suite, recipe=replace(recipe, learning_rate=1e-3))
    assert pace_of(calm, suite, encoder) is not None


@pytest.mark.parametrize("error", [BrokenProcessPool("a process was killed"), OSError("header too large")])
def test_whatever_befalls_a_trial_is_no_end_of_a_study(
    error: Exception, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*spec: object, **places: object) -> None:
        raise error

    monkeypatch.setattr("taskaffinity.pacing.timed", fails)
    monkeypatch.setattr("taskaffinity.pacing.times_in_bf16", fails)
    assert pace_of(*asked) is None
    assert fast_precision(*asked, tmp_path)[0] is None
    error = BadInput("--set max_length: more than the encoder takes")
    with pytest.raises(BadInput):
        pace_of(*asked)
    with pytest.raises(BadInput):
        fast_precision(*asked, tmp_path)


@pytest.fixture(scope="module")
def asked() -> Asked:
    suite = stand_in("clinical")
    study, encoder = define(suite, recipe=FEW, stage="finetune", seeds=(0,))
    return study, suite, encoder


class Trials:
    """What ``times_in_bf16`` was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: float | Exception = 1.0
        self.specs: list[RunSpec] = []
        monkeypatch.setattr("taskaffinity.pacing.times_in_bf16", self)

    def __call__(self, spec: RunSpec, **places: object) -> float:
        self.specs.append(spec)
        time.sleep(0.05)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trials:
    """Trials of 16 bits that find what they are told to; the cache is empty, and knows the encoder alone."""
    monkeypatch.setattr("taskaffinity.pacing.cache_folder", lambda: tmp_path / "cache")
    return Trials(monkeypatch)


@pytest.mark.parametrize(
    ("found", "chosen", "why"),
    [
        (PAYS + 0.6, "bf16", "updates in 16 bits went 1.75 times as fast here"),
        (PAYS, "bf16", "1.15 times as fast"),
        (PAYS - 0.01, None, "1.14 times as fast"),
        (0.5, None, "0.50 times as fast"),
        (MemoryError(), None, "no steps could be tried"),
    ],
)
def test_sixteen_bits_are_chosen_where_they_pay(
    found: float | Exception, chosen: Precision, why: str, asked: Asked, trials: Trials, tmp_path: Path
) -> None:
    study, suite, encoder = asked
    trials.found = found
    precision, told = fast_precision(study, suite, encoder, tmp_path)
    assert precision == chosen
    assert why in told
    [spec] = trials.specs
    sizes = {task.name: task.sizes["train"] for task in study.tasks}
    assert sizes[spec.task_names[0]] == max(sizes.values())
    assert spec.recipe == study.recipe


@pytest.mark.parametrize("precision", [None, "bf16"])
def test_every_stage_of_a_study_is_in_its_precision(precision: Precision, asked: Asked) -> None:
    study = asked[0]
    settled = in_precision(study, precision)
    assert settled.recipe == replace(study.recipe, precision=precision)
    assert {recipe.precision for recipe in settled.finetune.values()} == {precision}
    assert replace(settled, recipe=study.recipe, finetune=study.finetune) == study


@pytest.mark.parametrize("precision", [None, "bf16"])
def test_a_study_that_was_settled_stays_what_it_is_on_another_machine(
    precision: Precision, asked: Asked, trials: Trials, tmp_path: Path
) -> None:
    study, suite, encoder = asked
    trials.found = 0.5 if precision else 2.0
    replace(in_precision(study, precision), seeds=(0, 1)).write(tmp_path)
    assert fast_precision(study, suite, encoder, tmp_path) == (precision, f"as the study in {tmp_path} has it")
    longer = replace(study, recipe=replace(study.recipe, num_train_epochs=3))
    assert fast_precision(longer, suite, encoder, tmp_path)[0] == precision  # and is refused there, or takes its place
    in_precision(replace(study, design="full"), "bf16").write(tmp_path)
    assert fast_precision(study, suite, encoder, tmp_path)[0] == precision
    in_precision(replace(longer, design="full"), None if precision else "bf16").write(tmp_path)
    assert fast_precision(longer, suite, encoder, tmp_path)[0] != precision  # the one it goes on with comes first
    assert not trials.specs
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(BadInput, match="not a study"):
        fast_precision(study, suite, encoder, tmp_path)


def test_of_processes_that_begin_a_study_at_once_one_tries_and_all_do_as_it_found(
    asked: Asked, trials: Trials, tmp_path: Path
) -> None:
    study, suite, encoder = asked

    def begin(found: float) -> Precision:
        trials.found = found
        return fast_precision(study, suite, encoder, tmp_path / "results")[0]

    with ThreadPoolExecutor(4) as pool:
        chosen = list(pool.map(begin, [2.0, 0.5, 2.0, 0.5]))
    assert len(trials.specs) == 1
    assert len(set(chosen)) == 1
    assert not (tmp_path / "results").exists()
    fast_precision(study, suite, encoder, tmp_path / "other")
    assert len(trials.specs) == 2


def test_a_machine_that_cannot_try_decides_for_no_other(asked: Asked, trials: Trials, tmp_path: Path) -> None:
    study, suite, encoder = asked
    for found, chosen in ((MemoryError(), None), (2.0, "bf16"), (MemoryError(), "bf16")):
        trials.found = found
        assert fast_precision(study, suite, encoder, tmp_path)[0] == chosen


@pytest.mark.parametrize("design", ["pairwise", "full"])
def test_the_machine_chooses_the_precision_of_a_study_unless_it_is_told(
    design: str, trials: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The runs that are planned are those of ``bf16`` where that pays, else those of no precision."""
    monkeypatch.chdir(tmp_path)
    folder = tiny_encoder(vocabulary(stand_in("clinical")), tmp_path).folder

    def planned(*options: str) -> tuple[list[str], list[str]]:
        few = ["--set=max_train_examples=64", "--executor=local", "--dry-run"]
        monkeypatch.setattr(sys, "argv", ["taskaffinity", design, "--domain=clinical", *few, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert not ended.value.code, err
        told = [line for line in err.splitlines() if line.startswith("precision")]
        return [line for line in out.splitlines() if line.startswith("to do")], told

    monkeypatch.setattr("taskaffinity.pacing.pace_of", lambda *asked: None)
    mine = f"--encoder={folder}"
    by_hand = {None: planned(mine, "--set=precision=none")[0], "bf16": planned(mine, "--set=precision=bf16")[0]}
    assert by_hand[None] != by_hand["bf16"]
    of_tiny, of_paper = planned()[0], planned(mine, "--protocol=paper")[0]
    assert not trials.specs
    for trials.found, precision, word in ((2.0, "bf16", "bf16"), (0.5, None, "32 bits")):
        told = [f"precision: {word} (updates in 16 bits went {trials.found:.2f} times as fast here)"]
        place = f"--results=of-{word}"
        assert planned(mine, place) == planned(mine, place, "--set=precision=auto") == (by_hand[precision], told)
        assert planned(mine, place, "--quiet") == (by_hand[precision], [])
        assert planned() == (of_tiny, [])
        assert planned(mine, "--protocol=paper") == (of_paper, [])
        assert planned("--set=precision=auto", place)[1] == told
