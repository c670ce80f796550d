"""The measured cost and the precision of a study before it is trained."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest

from taskaffinity.cli import main
from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import FROM_SCRATCH
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.study import Study
from taskaffinity.studies.define import define
from taskaffinity.studies.forecast import measured_cost
from taskaffinity.studies.precision import Precision, fast_precision, recorded_precision, with_precision
from taskaffinity.tasks.catalog import vocabulary
from taskaffinity.tasks.planted import stand_in
from taskaffinity.tasks.suite import Suite
from taskaffinity.training.encoders.load import Encoder, tiny_encoder
from taskaffinity.training.profile.precision import PAYS, Trial

pytestmark = pytest.mark.usefixtures("no_figures")

FEW = replace(FROM_SCRATCH, max_train_examples=64, max_eval_examples=20)
Asked = tuple[Study, Suite, Encoder]
TRYING = "precision: a few updates are tried in fp32 and in bf16"


def test_what_diverges_when_it_is_tried_has_no_forecast_and_its_study_goes_on() -> None:
    suite = stand_in("clinical")
    recipe = replace(FROM_SCRATCH, learning_rate=1e30, max_train_examples=64, max_eval_examples=20)
    study, encoder = define(suite, recipe=recipe)
    assert measured_cost(study, suite, encoder) is None
    calm, _ = define(suite, recipe=replace(recipe, learning_rate=1e-3))
    assert measured_cost(calm, suite, encoder) is not None


@pytest.mark.parametrize("error", [BrokenProcessPool("a process was killed"), OSError("header too large")])
def test_whatever_befalls_a_trial_is_no_end_of_a_study(
    error: Exception, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*spec: object, **places: object) -> None:
        raise error

    monkeypatch.setattr("taskaffinity.studies.forecast.timed", fails)
    monkeypatch.setattr("taskaffinity.studies.precision.times_in_bf16", fails)
    assert measured_cost(*asked) is None
    assert fast_precision(*asked, tmp_path)[0] is None
    error = InputError("--set max_length: more than the encoder takes")
    with pytest.raises(InputError):
        measured_cost(*asked)
    with pytest.raises(InputError):
        fast_precision(*asked, tmp_path / "other")


@pytest.fixture(scope="module")
def asked() -> Asked:
    suite = stand_in("clinical")
    study, encoder = define(suite, recipe=FEW, evaluate_after="finetune", seeds=(0,))
    return study, suite, encoder


class Trials:
    """What ``times_in_bf16`` was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: float | Trial | Exception = 1.0
        self.specs: list[RunSpec] = []
        monkeypatch.setattr("taskaffinity.studies.precision.times_in_bf16", self)
        monkeypatch.setattr("taskaffinity.studies.precision.products_in_bf16", lambda: 2.0)

    def __call__(self, spec: RunSpec, **places: object) -> Trial:
        self.specs.append(spec)
        time.sleep(0.05)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found if isinstance(self.found, Trial) else Trial(self.found, self.found, self.found)


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trials:
    """Trials of bf16 with a given result; the cache is empty."""
    monkeypatch.setattr("taskaffinity.studies.precision.cache_folder", lambda: tmp_path / "cache")
    return Trials(monkeypatch)


@pytest.mark.parametrize(
    ("found", "chosen", "why"),
    [
        (PAYS + 0.6, "bf16", "bf16 was 1.75 times as fast on this machine"),
        (PAYS, "bf16", "1.15 times as fast"),
        (PAYS - 0.01, None, "1.14 times as fast"),
        (0.5, None, "0.50 times as fast"),
        (MemoryError(), None, "no training step could run here"),
        (
            Trial(1.6, 0.29, 1.65, decides=False),
            None,
            "0.29 to 1.65 times as fast; to ask again, start on an idle",
        ),
        (Trial(1.6, 0.29, 1.65), "bf16", "1.60 times as fast on this machine"),
        (Trial(1.0, 1.0, 1.0, gpu_has_bf16=True), "bf16", "this GPU multiplies in bf16"),
        (Trial(9.0, 9.0, 9.0, gpu_has_bf16=False), None, "this GPU has no bf16"),
    ],
)
def test_bf16_is_chosen_where_it_is_faster(
    found: float | Trial | Exception, chosen: Precision, why: str, asked: Asked, trials: Trials, tmp_path: Path
) -> None:
    study, suite, encoder = asked
    trials.found = found
    precision, reason = fast_precision(study, suite, encoder, tmp_path)
    assert precision == chosen
    assert why in reason
    [spec] = trials.specs
    sizes = {task.name: task.sizes["train"] for task in study.tasks}
    assert sizes[spec.task_names[0]] == max(sizes.values())
    assert spec.recipe == study.recipe


@pytest.mark.parametrize("precision", [None, "bf16"])
def test_every_stage_of_a_study_is_in_its_precision(precision: Precision, asked: Asked) -> None:
    study = asked[0]
    settled = with_precision(study, precision)
    assert settled.recipe == replace(study.recipe, precision=precision)
    assert {recipe.precision for recipe in settled.finetune.values()} == {precision}
    assert replace(settled, recipe=study.recipe, finetune=study.finetune) == study


@pytest.mark.parametrize("precision", [None, "bf16"])
def test_a_study_that_was_settled_stays_what_it_is_on_another_machine(
    precision: Precision, asked: Asked, trials: Trials, tmp_path: Path
) -> None:
    study, suite, encoder = asked
    other: Precision = None if precision else "bf16"
    trials.found = 0.5 if precision else 2.0
    settled = (precision, f"from the study in {tmp_path}")
    replace(with_precision(study, precision), seeds=(0, 1)).write(tmp_path)
    assert recorded_precision([study], [tmp_path]) == fast_precision(study, suite, encoder, tmp_path) == settled
    longer = replace(study, recipe=replace(study.recipe, num_train_epochs=3))
    assert recorded_precision([longer], [tmp_path]) == settled  # and is refused there, or takes its place
    with_precision(replace(study, design="full"), other).write(tmp_path)
    assert recorded_precision([study], [tmp_path]) == settled
    with_precision(replace(longer, design="full"), other).write(tmp_path)
    assert recorded_precision([longer], [tmp_path]) == (other, settled[1])  # the one it goes on with comes first
    assert not trials.specs
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(InputError, match="not a study"):
        recorded_precision([study], [tmp_path])


def test_a_study_in_16_bits_goes_on_so_where_they_are_slow_and_it_is_said(
    asked: Asked, trials: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun on another machine, maybe: its runs would take many times as long here."""
    monkeypatch.setattr("taskaffinity.studies.precision.products_in_bf16", lambda: 0.024)
    study = asked[0]
    there = f"from the study in {tmp_path}"
    with_precision(study, None).write(tmp_path)
    assert recorded_precision([study], [tmp_path]) == (None, there)
    with_precision(study, "bf16").write(tmp_path)
    slow = f"{there}, though matrix products in bf16 are 0.02 times as fast as in fp32 on this processor"
    assert recorded_precision([study], [tmp_path]) == ("bf16", slow)


@pytest.mark.parametrize("design", ["pairwise", "full"])
def test_bf16_that_is_asked_for_is_used_and_reported_as_slow_where_it_is(
    design: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("taskaffinity.studies.forecast.measured_cost", lambda *asked: None)
    slow = "precision: bf16, though matrix products in bf16 are 0.02 times as fast as in fp32 on this processor"

    def precision_lines(times: float, setting: str) -> list[str]:
        monkeypatch.setattr("taskaffinity.studies.precision.products_in_bf16", lambda: times)
        given = ["--domain=clinical", "--executor=local", "--dry-run", f"--set={setting}"]
        monkeypatch.setattr(sys, "argv", ["taskaffinity", design, *given])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return [line for line in capsys.readouterr().err.splitlines() if line.startswith("precision")]

    assert precision_lines(0.024, "precision=bf16") == [slow]
    if design == "full":
        assert precision_lines(0.024, "finetune.precision=bf16") == [slow]
    assert not precision_lines(0.024, "precision=none")
    assert not precision_lines(1.7, "precision=bf16")


def test_encoders_are_compared_in_the_precision_that_one_of_them_has(
    asked: Asked, trials: Trials, tmp_path: Path
) -> None:
    study = asked[0]
    newer = replace(study, encoder=EncoderRef("newer", "f" * 64))
    places = [tmp_path / "newer", tmp_path / "older"]
    assert recorded_precision([newer, study], places) is None
    with_precision(study, "bf16").write(places[1])
    assert recorded_precision([newer, study], places) == ("bf16", f"from the study in {places[1]}")
    assert recorded_precision([newer], places[1:]) is None  # of another encoder


def test_of_processes_that_begin_a_study_at_once_one_tries_and_all_do_as_it_found(
    asked: Asked, trials: Trials, tmp_path: Path
) -> None:
    study, suite, encoder = asked

    def begin(found: float | Exception) -> Precision:
        trials.found = found
        return fast_precision(study, suite, encoder, tmp_path / "results")[0]

    with ThreadPoolExecutor(4) as pool:
        chosen = list(pool.map(begin, [2.0, 0.5, MemoryError(), 2.0]))
    assert len(trials.specs) == 1
    assert len(set(chosen)) == 1
    assert not (tmp_path / "results").exists()
    fast_precision(study, suite, encoder, tmp_path / "other")
    assert len(trials.specs) == 2


def test_a_trial_decides_for_others_only_where_a_study_begins_and_while_it_does(
    asked: Asked, trials: Trials, tmp_path: Path
) -> None:
    study, suite, encoder = asked

    def begin(found: float | Exception, *, stores: bool = True) -> Precision:
        trials.found = found
        return fast_precision(study, suite, encoder, tmp_path / "results", stores=stores)[0]

    assert begin(MemoryError(), stores=False) is None  # a dry run where there is no GPU
    assert begin(2.0) == "bf16"
    assert begin(MemoryError()) == "bf16"
    [kept] = (tmp_path / "cache" / "precision").glob("*.json")
    for damaged in ("{", "{}", "[]", '{"times_in_bf16": 2.0}', '{"trial": {"times": "x"}}', '{"trial": 2}'):
        kept.write_text(damaged)
        assert begin(2.0) == "bf16"
    kept.unlink()
    assert begin(MemoryError()) is None
    assert begin(2.0) is None  # a study that begins elsewhere in 32 bits
    os.utime(kept, (0, 0))
    assert begin(2.0) == "bf16"
    with_precision(study, None).write(tmp_path / "results")
    assert begin(2.0) is None  # it has begun


def test_nothing_is_tried_of_what_is_refused(
    trials: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tiny_encoder(vocabulary(stand_in("clinical")), tmp_path).folder
    given = ["--domain=clinical", f"--encoder={folder}", "--executor=local", "--set=max_length=512"]
    monkeypatch.setattr(sys, "argv", ["taskaffinity", "pairwise", *given])
    with pytest.raises(SystemExit):
        main()
    assert "the encoder has 128 positions" in capsys.readouterr().err
    assert not trials.specs


@pytest.mark.slow
@pytest.mark.parametrize("design", ["pairwise", "full"])
def test_the_machine_chooses_the_precision_of_a_study_unless_the_user_sets_it(
    design: str, trials: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The runs that are planned are those of ``bf16`` where that pays, else those of no precision."""
    monkeypatch.chdir(tmp_path)
    folder = tiny_encoder(vocabulary(stand_in("clinical")), tmp_path).folder

    def planned(*options: str) -> tuple[list[str], list[str]]:
        before = len(trials.specs) + ("--quiet" in options)
        few = ["--set=max_train_examples=64", "--executor=local", "--dry-run"]
        monkeypatch.setattr(sys, "argv", ["taskaffinity", design, "--domain=clinical", *few, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert not ended.value.code, err
        lines = [line for line in err.splitlines() if line.startswith("precision")]
        assert (TRYING in lines) == (len(trials.specs) > before)
        lines = [line for line in lines if line != TRYING]
        return [line for line in out.splitlines() if line.startswith("to do")], lines

    monkeypatch.setattr("taskaffinity.studies.forecast.measured_cost", lambda *asked: None)
    mine = f"--encoder={folder}"
    by_hand = {None: planned(mine, "--set=precision=none")[0], "bf16": planned(mine, "--set=precision=bf16")[0]}
    assert by_hand[None] != by_hand["bf16"]
    of_tiny, of_paper = planned()[0], planned(mine, "--protocol=paper")[0]
    assert not trials.specs
    for trials.found, precision, word in ((2.0, "bf16", "bf16"), (0.5, None, "fp32")):
        why = f"bf16 was {trials.found:.2f} times as fast on this machine; training tries it again when it starts"
        lines = [f"precision: {word} ({why})"]
        place = f"--results=of-{word}"
        assert planned(mine, place) == planned(mine, place, "--set=precision=auto") == (by_hand[precision], lines)
        assert planned(mine, place, "--quiet") == (by_hand[precision], [])
        assert planned() == (of_tiny, [])
        assert planned(mine, "--protocol=paper") == (of_paper, [])
        assert planned("--set=precision=auto", place)[1] == lines
