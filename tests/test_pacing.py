"""What a machine makes of a study before it is trained: its pace, and whether 16 bits pay."""

from __future__ import annotations

import sys
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from taskaffinity.cli import main
from taskaffinity.definition import define
from taskaffinity.pacing import forecast_of, in_fast_precision, pace_of
from taskaffinity.runs.pace import PAYS, Pace
from taskaffinity.runs.spec import FROM_SCRATCH
from taskaffinity.runs.study import Study
from taskaffinity.tasks.planted import stand_in
from taskaffinity.tasks.task import BadInput, Suite
from taskaffinity.training.encoders import Encoder

FEW = replace(FROM_SCRATCH, max_train_examples=64, max_eval_examples=20)
PACE = Pace({}, {}, {}, load=1.0, steps=4, scored={}, parameters=1, memory_mib=1.0, attention="packed", device="cpu")
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
    error: Exception, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*spec: object, **places: object) -> None:
        raise error

    monkeypatch.setattr("taskaffinity.pacing.timed", fails)
    assert forecast_of(*asked) is None
    with pytest.raises(type(error)):  # where a setting hangs on it
        pace_of(*asked)
    error = BadInput("--set max_length: more than the encoder takes")
    with pytest.raises(BadInput):
        forecast_of(*asked)


@pytest.fixture(scope="module")
def asked() -> Asked:
    suite = stand_in("clinical")
    study, encoder = define(suite, recipe=FEW, stage="finetune", seeds=(0,))
    return study, suite, encoder


@pytest.mark.parametrize(
    ("times", "chosen", "why"),
    [
        (PAYS + 0.6, "bf16", "updates in 16 bits went 1.75 times as fast here"),
        (PAYS, "bf16", "1.15 times as fast"),
        (PAYS - 0.01, None, "1.14 times as fast"),
        (0.5, None, "0.50 times as fast"),
        (None, None, "no steps could be tried"),
    ],
)
def test_sixteen_bits_are_chosen_where_they_pay(
    times: float | None,
    chosen: Literal["bf16"] | None,
    why: str,
    asked: Asked,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study, suite, encoder = asked
    pace = None if times is None else replace(PACE, times_in_bf16=times)
    monkeypatch.setattr("taskaffinity.pacing.pace_of", lambda *study, tries_bf16: pace)
    settled, told = in_fast_precision(study, suite, encoder, tmp_path)
    assert why in told
    assert settled.recipe == replace(study.recipe, precision=chosen)
    assert {recipe.precision for recipe in settled.finetune.values()} == {chosen}
    assert replace(settled, recipe=study.recipe, finetune=study.finetune) == study


@pytest.mark.parametrize("precision", [None, "bf16"])
def test_a_study_that_was_settled_stays_what_it_is_on_another_machine(
    precision: Literal["bf16"] | None, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, suite, encoder = asked
    other = replace(PACE, times_in_bf16=0.5 if precision else 2.0)
    monkeypatch.setattr("taskaffinity.pacing.pace_of", lambda *study, tries_bf16: other)
    replace(study, recipe=replace(study.recipe, precision=precision), seeds=(0, 1)).write(tmp_path)
    settled, told = in_fast_precision(study, suite, encoder, tmp_path)
    assert settled.recipe.precision == precision
    assert told == f"as the study in {tmp_path} has it"
    longer = replace(study, recipe=replace(study.recipe, num_train_epochs=3))
    assert in_fast_precision(longer, suite, encoder, tmp_path)[0].recipe.precision != precision
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(BadInput, match="not a study"):
        in_fast_precision(study, suite, encoder, tmp_path)


def test_both_precisions_are_tried_for_real(asked: Asked) -> None:
    study, suite, encoder = asked
    pace = pace_of(study, suite, encoder, tries_bf16=True)
    assert pace is not None
    assert pace.times_in_bf16 is not None
    assert 0.01 < pace.times_in_bf16 < 100


@pytest.mark.parametrize("design", ["pairwise", "full"])
def test_precision_auto_is_the_study_that_the_machine_chooses(
    design: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The runs that are planned are those of ``bf16`` where that pays, else those of no precision."""
    monkeypatch.chdir(tmp_path)

    def planned(*options: str) -> tuple[list[str], str]:
        few = ["--set=max_train_examples=64", "--executor=local", "--dry-run"]
        monkeypatch.setattr(sys, "argv", ["taskaffinity", design, "--domain=clinical", *few, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert not ended.value.code, err
        return [line for line in out.splitlines() if line.startswith("to do")], err

    by_hand = {None: planned()[0], "bf16": planned("--set=precision=bf16")[0]}
    assert by_hand[None] != by_hand["bf16"]
    for times, precision, word in ((2.0, "bf16", "bf16"), (0.5, None, "32 bits")):
        pace = replace(PACE, times_in_bf16=times)
        monkeypatch.setattr("taskaffinity.pacing.pace_of", lambda *study, tries_bf16, pace=pace: pace)
        monkeypatch.setattr("taskaffinity.cli.forecast.in_words", lambda *study, keep_models: [])
        runs, told = planned("--set=precision=auto")
        assert runs == by_hand[precision]
        assert told == f"precision: {word} (updates in 16 bits went {times:.2f} times as fast here)\n"
        assert planned("--set=precision=auto", "--quiet") == (runs, "")
