"""What a pace comes to, reckoned by hand; ``--dry-run`` says what a study will cost, and how its encoder is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from taskaffinity.errors import InputError
from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule import run as schedule
from taskaffinity.schedule.progress import Progress
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.run import run
from taskaffinity.schedule.worker import Finished
from taskaffinity.studies import forecast
from taskaffinity.studies.forecast import PADDED, describe_forecast
from taskaffinity.studies.resources import resolve_resources
from taskaffinity.training import execute
from taskaffinity.training.profile.hardware import share_of_gpu

PACE = CostModel(
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
    assert PACE.seconds(spec) == pytest.approx(expected)


def test_what_is_kept_weighs_on_the_disk() -> None:
    results = PACE.disk([A, PAIR], [])
    assert results == PACE.disk([A], []) + PACE.disk([PAIR], [])
    assert PACE.disk([A, PAIR], [PAIR]) == results + 2 * 4_000_000


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "os", SimpleNamespace(cpu_count=lambda: 4))


def test_the_words_are_the_sums() -> None:
    specs = [replace(A, seed=seed) for seed in range(20)]  # 61 s each
    line, how = describe_forecast(specs, PACE, Resources(cpus_per_run=2), keep_models=False)
    assert line.startswith("forecast: 10 min 10 s, 2 at once; 0.68 core-hours; ")
    assert how == "estimated from 6 timed updates of one run (cpu, packed attention, peak 300 MiB)"
    assert describe_forecast(specs, PACE, Resources("local"), keep_models=False)[0].startswith(
        "forecast: 20 min 20 s, 1 at once"
    )
    assert describe_forecast(specs[:1], PACE, Resources(), keep_models=False)[0].startswith(
        "forecast: 1 min 01 s, 1 at once"
    )


def test_no_study_is_shorter_than_its_longest_run() -> None:
    assert describe_forecast([A, PAIR], PACE, Resources(), keep_models=False)[0].startswith(
        "forecast: 1 min 19 s, 2 at once"
    )


def test_a_share_of_a_gpu_counts_as_a_share() -> None:
    on_gpu = replace(PACE, device="cuda")
    resources = Resources(gpus_per_run=0.5, address="auto")
    line, how = describe_forecast([replace(A, seed=seed) for seed in range(118)], on_gpu, resources, keep_models=False)
    assert "(cuda, packed attention, peak 300 MiB of the GPU)" in how
    assert "1.00 GPU-hours" in line
    assert "one after the other, less with more workers" in line


def test_a_measured_share_takes_the_place_of_a_whole_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "gpus", lambda: 1)
    asked = resolve_resources("ray", 1, "auto", None, is_tiny=False)
    assert (asked.gpus_per_run, asked.is_measured) == (1.0, True)
    on_gpu = replace(PACE, device="cuda", gpu_share=0.25)
    specs = [replace(A, seed=seed) for seed in range(16)]
    assert describe_forecast(specs, on_gpu, asked, keep_models=False)[0].startswith(
        "forecast: 4 min 04 s, 4 at once; 0.07 GPU"
    )
    given = resolve_resources("ray", 1, "0.5", None, is_tiny=False)
    assert describe_forecast(specs, on_gpu, given, keep_models=False)[0].startswith(
        "forecast: 8 min 08 s, 2 at once; 0.14 GPU"
    )


@pytest.mark.parametrize("given", ["automatic", "-1", "nan", "inf"])
def test_what_is_no_share_of_a_gpu_is_one_line(given: str) -> None:
    with pytest.raises(InputError, match=f"--gpus-per-run {given}: expected a number, 0 or more, or auto"):
        resolve_resources("ray", 1, given, None, is_tiny=False)


@pytest.mark.parametrize("address", [None, "auto"])
def test_more_than_one_gpu_is_a_whole_number_of_them(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray takes no other, and says so at submission."""
    monkeypatch.setattr(execute, "gpus", lambda: 2)
    with pytest.raises(InputError, match=r"--gpus-per-run 1\.5: expected a share below 1, or a whole number of GPUs"):
        resolve_resources("ray", 1, "1.5", address, is_tiny=False)
    assert resolve_resources("ray", 1, "2.0", address, is_tiny=False).gpus_per_run == 2


@pytest.mark.parametrize("address", [None, "auto"])
def test_no_share_is_measured_without_a_gpu_here(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_what_falls_back_is_told_and_what_cannot_be_tried_too() -> None:
    assert describe_forecast([A], replace(PACE, attention="padded"), Resources(), keep_models=False)[-1] == PADDED
    assert "no forecast" in describe_forecast([A], None, Resources(), keep_models=False)[0]


def test_the_time_left_is_told_before_the_first_run_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Progress] = []
    monkeypatch.setattr(schedule, "in_this_process", lambda *_: iter([("a",), Finished(A, None), Finished(PAIR, None)]))
    run(
        Plan.of([A, PAIR]),
        RunStore(tmp_path),
        encoder_folder=tmp_path,
        cache=tmp_path,
        resources=Resources("local"),
        cost=PACE,
        on_progress=seen.append,
    )
    assert seen[0].seconds_left == pytest.approx(PACE.seconds(A) + PACE.seconds(PAIR), abs=1)
    assert seen[-1].seconds_left == 0
