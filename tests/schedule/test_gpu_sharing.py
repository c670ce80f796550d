"""How many runs share a GPU, with an invented GPU; and the processes of the trial, on a CPU."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from recorded_graphs import RecordedGraphs, train_as_on_a_gpu

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import RunSpec
from taskaffinity.schedule.gpu_sharing import Sharing, measured_sharing, rates_together
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.worker import _share_of
from taskaffinity.training.profile import throughput
from taskaffinity.training.profile.throughput import Throughput


class Gpu:
    """A GPU on which a run trains alone and beside others at given speeds."""

    def __init__(self, speeds: Mapping[int, float], peak: float = 5_000, total: float = 80_000) -> None:
        self.speeds, self.peak, self.total = speeds, peak, total
        self.members: list[FakeMember] = []
        self.at_once: list[FakeMember] = []
        self.broken_in_load: set[int] = set()
        self.broken_beside: int = 99

    def start(self) -> FakeMember:
        self.members.append(FakeMember(self, len(self.members)))
        return self.members[-1]


class FakeMember:
    def __init__(self, gpu: Gpu, number: int) -> None:
        self.gpu, self.number, self.is_ready, self.is_ended = gpu, number, False, False

    def ask(self, seconds: float) -> None:
        if not self.gpu.at_once or all(one.is_answered for one in self.gpu.at_once):
            self.gpu.at_once = []
        self.gpu.at_once.append(self)
        self.is_answered = False

    def answer(self) -> Any:
        if not self.is_ready:
            if self.number in self.gpu.broken_in_load:
                raise EOFError
            self.is_ready = True
            return self.gpu.peak, self.gpu.total
        self.is_answered = True
        k = len(self.gpu.at_once)
        if k >= self.gpu.broken_beside:
            raise TimeoutError
        return self.gpu.speeds[k] / k

    def end(self) -> None:
        self.is_ended = True


MPS = {1: 5_000.0, 2: 9_000.0, 4: 12_000.0, 8: 12_300.0}
TURNS = {1: 5_000.0, 2: 5_200.0, 4: 5_100.0, 8: 4_000.0}


def test_a_process_that_cannot_start_leaves_no_other_one() -> None:
    gpu = Gpu(MPS)

    def start() -> FakeMember:
        if len(gpu.members) == 2:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")  # the limit of processes
        return gpu.start()

    with pytest.raises(BlockingIOError):
        rates_together(4, start)
    assert [member.is_ended for member in gpu.members] == [True, True]


@pytest.mark.parametrize(
    ("speeds", "more", "most", "tried", "runs"),
    [
        (MPS, {}, 8, [1, 2, 4, 8], 4),  # eight are less than 5% faster
        (TURNS, {}, 8, [1, 2, 4, 8], 1),
        ({**MPS, 8: 12_700.0}, {}, 8, [1, 2, 4, 8], 8),
        (MPS, {}, 3, [1, 2], 2),
        (MPS, {}, 1, [1], 1),
        (MPS, {"peak": 30_000}, 8, [1, 2], 2),  # 80,000 MiB hold two of 33,600
        (MPS, {"peak": 60_000}, 8, [1], 1),
        (MPS, {"total": 0.0}, 8, [1, 2, 4, 8], 4),  # a CPU
    ],
)
def test_the_fewest_runs_that_are_about_the_fastest_within_the_memory(
    speeds: Mapping[int, float], more: dict[str, float], most: int, tried: list[int], runs: int
) -> None:
    gpu = Gpu(speeds, **more)
    rates = rates_together(most, gpu.start)
    assert rates == {k: pytest.approx(speeds[k]) for k in tried}
    assert Sharing(rates, mps=True).runs == runs
    assert all(member.is_ended for member in gpu.members)


@pytest.mark.parametrize(
    ("broken_in_load", "broken_beside", "tried"),
    [({1, 6, 7}, 99, [1, 2, 4]), (set(range(8)), 99, []), (set(), 4, [1, 2]), (set(), 1, [])],
)
def test_processes_that_end_leave_the_numbers_that_were_measured(
    broken_in_load: set[int], broken_beside: int, tried: list[int]
) -> None:
    gpu = Gpu(MPS)
    gpu.broken_in_load, gpu.broken_beside = broken_in_load, broken_beside
    assert list(rates_together(8, gpu.start)) == tried
    assert len(gpu.members) == 8
    assert all(member.is_ended for member in gpu.members)


def test_a_run_says_its_share_and_what_chose_it() -> None:
    spec = RunSpec((("a", "f"),), None, 0, Recipe(device="cuda"))  # type: ignore[arg-type]
    settings = {"gpu_share": 0.25, "gpu_share_from": "speed of 1/2/4 runs at once"}
    assert _share_of(spec, settings) == {"gpu_share": "0.25", "gpu_share_from": "speed of 1/2/4 runs at once"}
    assert _share_of(spec, {"gpu_share": 0.5, "gpu_share_from": None}) == {"gpu_share": "0.5"}
    on_cpu = RunSpec((("a", "f"),), None, 0, Recipe())  # type: ignore[arg-type]
    assert _share_of(on_cpu, settings) == {}


def pair_of(tiny: Any) -> RunSpec:
    return RunSpec(tuple(tiny.study.refs), tiny.study.encoder, 0, tiny.study.recipe)


def test_what_is_timed_are_captured_steps(tiny_study: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    train_as_on_a_gpu(monkeypatch)
    graphs, tiny = RecordedGraphs(), tiny_study(batch_size=8)
    monkeypatch.setattr(throughput, "CudaGraphs", lambda: graphs)
    monkeypatch.setattr(throughput, "_AT_ONCE", 8)
    steps = Throughput(pair_of(tiny), encoder_folder=tiny.encoder_folder, cache=tiny.cache)
    before, now = graphs.n_replays, iter(range(0, 100, 4))
    monkeypatch.setattr(throughput, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    assert steps.train(5.0) == 2 * 8 * 8 / 8  # two rounds of eight mini-batches in 8 seconds
    assert graphs.n_replays == before + 16


@pytest.mark.slow
def test_processes_train_at_the_same_time_and_end(tiny_study: Callable[..., Any]) -> None:
    tiny = tiny_study()
    places = {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}
    found = measured_sharing(pair_of(tiny), 2, Resources(), **places)
    assert found is not None
    assert (list(found.rates), found.mps) == ([1, 2], False)
    assert min(found.rates.values()) > 0
    assert measured_sharing(pair_of(tiny), 2, Resources(), **{**places, "cache": tiny.cache / "none"}) is None
