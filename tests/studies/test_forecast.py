"""Forecasts match sums by hand, and say how the encoder is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule import run as schedule
from taskaffinity.schedule.progress import Progress, Report
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.run import run
from taskaffinity.schedule.worker import Finished
from taskaffinity.studies import forecast, planned, start_up
from taskaffinity.studies.forecast import PADDED, describe_forecast, padding_notice
from taskaffinity.studies.listener import LogListener
from taskaffinity.studies.options import PairwiseOptions, make_options
from taskaffinity.studies.resources import resolve_resources
from taskaffinity.studies.start_up import StartUp, measured_start_up
from taskaffinity.studies.steps import plan_pairwise
from taskaffinity.training import execute
from taskaffinity.training.encoders.load import Encoder
from taskaffinity.training.profile.hardware import share_of_gpu

pytestmark = pytest.mark.usefixtures("no_figures")

COST = CostModel(
    epoch={"a": 10.0, "b": 3.0},
    dev={"a": 1.0, "b": 0.5},
    test={"a": 2.0, "b": 0.25},
    load=4.0,
    steps=6,
    scored={"a": 100, "b": 10},
    parameters=1_000_000,
    memory_mib=300.0,
    attention="packed",
    device="cpu",
)
A = RunSpec((("a", "f1"),), EncoderRef("tiny", "e1"), 0, Recipe(num_train_epochs=5))
PAIR = replace(A, tasks=(("a", "f1"), ("b", "f2")))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (A, 4 + 5 * (10 + 1) + 2),
        (PAIR, 4 + 5 * (13 + 1.5) + 2.25),
        (replace(A, recipe=Recipe(num_train_epochs=5, protocol="paper")), 4 + 5 * 10 + 1 + 2),
        (replace(A, variant="matched", partner=("b", "f2")), 4 + 5 * (13 + 1) + 2),
        (replace(A, variant="half"), 4 + 5 * (5 + 1) + 2),
        (replace(A, variant="placebo"), 4 + 5 * (14 + 1) + 2),
    ],
)
def test_seconds_of_a_run(spec: RunSpec, expected: float) -> None:
    assert COST.seconds(spec) == pytest.approx(expected)


def test_stored_models_count_in_the_disk_space() -> None:
    results = COST.disk([A, PAIR], [])
    assert results == 2 * 6_000 + 20 * (100 + 110)  # bytes of a run and of an example
    probabilities = replace(COST, probabilities={"b": 30}).disk([A, PAIR], [])
    assert probabilities == results + 6 * 30  # task a has none
    assert COST.disk([A, PAIR], [PAIR]) == results + 2 * 4_000_000


def test_without_predictions_the_counts_need_disk_space_only() -> None:
    counts = 2 * 6_000 + 2 * (100 + 110)
    with_probabilities = replace(COST, probabilities={"b": 30})
    assert with_probabilities.disk([A, PAIR], [], keep_predictions=False) == counts
    many = [replace(A, seed=seed) for seed in range(1000)]  # 8 MB; 6.2 MB without predictions
    kept, left_out = (
        describe_forecast(many, COST, Resources(), keep_models=False, keep_predictions=keep)[0]
        for keep in (True, False)
    )
    assert kept.endswith(" 8 MB on disk")
    assert left_out.endswith(" 6 MB on disk")


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "usable_cpus", lambda: 4)


def test_the_forecast_line_adds_up() -> None:
    specs = [replace(A, seed=seed) for seed in range(20)]  # 61 s each
    line, how = describe_forecast(specs, COST, Resources(cpus_per_run=2), keep_models=False)
    assert line.startswith("forecast: about 10 min, 2 at once; 0.68 core-hours; ")
    assert how == "estimated from 6 timed updates of one run (cpu, packed attention, peak 300 MiB)"
    assert describe_forecast(specs, COST, Resources("local"), keep_models=False)[0].startswith(
        "forecast: about 20 min, 1 at once"
    )
    assert describe_forecast(specs[:1], COST, Resources(), keep_models=False)[0].startswith(
        "forecast: about 1 min, 1 at once"
    )


def test_a_design_that_may_stop_early_has_an_upper_limit() -> None:
    line = describe_forecast([A, PAIR], COST, Resources(), keep_models=False, at_most=True)[0]
    assert line.startswith("forecast: at most about 1 min 20 s, 2 at once")


def test_a_study_takes_at_least_as_long_as_its_longest_run() -> None:
    assert describe_forecast([A, PAIR], COST, Resources(), keep_models=False)[0].startswith(
        "forecast: about 1 min 20 s, 2 at once"
    )


START_UP = StartUp(start=6.0, figures=4.0)


@pytest.mark.parametrize(
    ("resources", "besides", "words"),
    [
        (Resources("local"), 6 + 4, "to start this command and to draw the figures"),
        (Resources(), 3 * 6 + 4, "to start this command, Ray and its workers, and to draw the figures"),
        (Resources(address="auto"), 2 * 6 + 4, "to start this command and workers of Ray, and to draw the figures"),
    ],
)
def test_a_forecast_has_the_starts_and_the_figures(resources: Resources, besides: int, words: str) -> None:
    assert START_UP.seconds(resources) == besides
    short = replace(COST, epoch={"a": 0.1, "b": 0.1}, dev={"a": 0.0, "b": 0.0}, test={"a": 0.0, "b": 0.0}, load=0.5)
    line, _, more = describe_forecast([A], short, resources, keep_models=False, start_up=START_UP)  # a run of 1 s
    assert line.startswith(f"forecast: about {10 * round((besides + 1) / 10)} s, ")
    assert more == f"about {10 * round(besides / 10)} s of it {words}, timed on this machine"


def test_the_starts_are_timed_once_a_day(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(start_up, "cache_folder", lambda: tmp_path)
    slow = "import time; time.sleep({}); print({})"
    monkeypatch.setattr(start_up, "_DRAW", slow.format(0.6, 0.4))
    found = measured_start_up()
    assert found is not None
    assert found.figures == 0.4
    assert 0.2 <= found.start < 10
    monkeypatch.setattr(start_up, "_DRAW", slow.format(0, 99))
    assert measured_start_up() == found
    [path] = (tmp_path / "start_up").iterdir()
    for content in ("{}", "[]", "{"):
        path.write_text(content)
        again = measured_start_up()
        assert again is not None
        assert again.figures == 99
    path.unlink()
    monkeypatch.setattr(start_up, "_DRAW", "raise SystemExit(1)")
    assert measured_start_up() is None


def test_gpu_hours_count_the_share_of_a_gpu() -> None:
    on_gpu = replace(COST, device="cuda")
    resources = Resources(gpus_per_run=0.5, address="auto")
    line, how = describe_forecast([replace(A, seed=seed) for seed in range(118)], on_gpu, resources, keep_models=False)
    assert "(cuda, packed attention, peak 300 MiB of the GPU)" in how
    assert "1.00 GPU-hours" in line
    assert "one after the other, less with more workers" in line


def test_a_measured_share_replaces_a_whole_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "gpus", lambda: 1)
    asked = resolve_resources("ray", 1, "auto", None, is_tiny=False)
    assert (asked.gpus_per_run, asked.is_measured) == (1.0, True)
    on_gpu = replace(COST, device="cuda", gpu_share=0.25)
    specs = [replace(A, seed=seed) for seed in range(16)]
    assert describe_forecast(specs, on_gpu, asked, keep_models=False)[0].startswith(
        "forecast: about 4 min, 4 at once; 0.07 GPU"
    )
    given = resolve_resources("ray", 1, "0.5", None, is_tiny=False)
    assert describe_forecast(specs, on_gpu, given, keep_models=False)[0].startswith(
        "forecast: about 8 min, 2 at once; 0.14 GPU"
    )


@pytest.mark.parametrize("given", ["automatic", "-1", "nan", "inf"])
def test_an_invalid_share_of_a_gpu_is_refused_in_one_line(given: str) -> None:
    with pytest.raises(InputError, match=f"--gpus-per-run '{given}': expected 0, a number from 0.01 to 1,024, or auto"):
        resolve_resources("ray", 1, given, None, is_tiny=False)


@pytest.mark.parametrize("address", [None, "auto"])
def test_more_than_one_gpu_must_be_a_whole_number(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray takes no other, and says so at submission."""
    monkeypatch.setattr(execute, "gpus", lambda: 2)
    with pytest.raises(InputError, match=r"--gpus-per-run 1\.5: expected a share below 1, or a whole number of GPUs"):
        resolve_resources("ray", 1, "1.5", address, is_tiny=False)
    assert resolve_resources("ray", 1, "2.0", address, is_tiny=False).gpus_per_run == 2


@pytest.mark.parametrize("address", [None, "auto"])
def test_auto_needs_a_local_gpu(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "gpus", lambda: 0)
    with pytest.raises(
        InputError, match=r"--gpus-per-run auto: this machine has no GPU that torch can use, .*; give a"
    ):
        resolve_resources("ray", 1, "auto", address, is_tiny=False)
    tiny = resolve_resources("ray", 1, "auto", address, is_tiny=True)  # it takes none
    assert (tiny.gpus_per_run, tiny.is_measured) == (0.0, False)


@pytest.mark.parametrize(("peak", "total", "side_by_side"), [(5_000, 24_000, 3), (30_000, 24_000, 1), (100, 80_000, 8)])
def test_as_many_runs_share_a_gpu_as_fit(peak: float, total: float, side_by_side: int) -> None:
    assert share_of_gpu(peak, total) == pytest.approx(1 / side_by_side)


def test_the_forecast_says_that_an_encoder_is_padded_or_cannot_be_timed() -> None:
    assert describe_forecast([A], replace(COST, attention="padded"), Resources(), keep_models=False)[-1] == PADDED
    assert "no forecast" in describe_forecast([A], None, Resources(), keep_models=False)[0]


@pytest.mark.parametrize("packed", [True, False])
def test_a_padded_encoder_is_announced_before_training_and_tried_once(
    packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(tmp_path))
    tried: list[int] = []
    monkeypatch.setattr(forecast, "supports_packing", lambda folder, max_length: tried.append(max_length) or packed)
    encoder = Encoder(tmp_path, A.encoder)
    expected = [] if packed else [PADDED]
    assert [padding_notice(encoder, A.recipe) for _ in range(2)] == [expected, expected]
    assert tried == [A.recipe.max_length]
    assert padding_notice(encoder, replace(A.recipe, device="cuda")) == []


def test_training_announces_a_padded_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "padding_notice", lambda encoder, recipe: [PADDED])
    lines: list[str] = []
    monkeypatch.setattr(LogListener, "notice", lambda self, line: lines.append(line))
    monkeypatch.setattr(planned, "run_study", lambda *arguments, **options: Report())
    options = make_options(PairwiseOptions, {"seeds": 1, "executor": "local", "output_dir": tmp_path})
    study = plan_pairwise("clinical", options, LogListener())
    study.train(LogListener())
    assert lines.count(PADDED) == 1
    monkeypatch.setattr(planned, "pending_runs", lambda *arguments, **options: [])
    study.train(LogListener())
    assert lines.count(PADDED) == 1


def test_the_time_left_is_known_before_the_first_run_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Progress] = []
    monkeypatch.setattr(
        schedule, "in_this_process", lambda *_: (event for event in [("a",), Finished(A, None), Finished(PAIR, None)])
    )
    run(
        Plan.of([A, PAIR]),
        RunStore(tmp_path),
        encoder_folder=tmp_path,
        cache=tmp_path,
        resources=Resources("local"),
        cost=COST,
        on_progress=seen.append,
    )
    assert seen[0].seconds_left == pytest.approx(COST.seconds(A) + COST.seconds(PAIR), abs=1)
    assert seen[-1].seconds_left == 0
