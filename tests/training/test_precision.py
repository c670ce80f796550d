"""bf16 and fp32 are timed on the same mini-batches, without side effects."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, count, cycle, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.profile import precision
from taskaffinity.training.profile.precision import PAYS, Trial, times_in_bf16


@pytest.fixture
def single_task(tiny_study: Callable[..., Any]) -> tuple[RunSpec, dict[str, Any]]:
    """A single-task run, with the folders of its encoder and of the cache."""
    tiny = tiny_study(max_train_examples=320)
    spec = RunSpec(tiny.study.refs[:1], tiny.study.encoder, 0, tiny.study.recipe)
    return spec, {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}


class Clock:
    """The clock and the process time, both invented; so many threads of others run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, others: float = 0.0) -> None:
        self.clock = self.own = 0.0
        monkeypatch.setattr(precision, "_clock", lambda: self.clock)
        monkeypatch.setattr(precision, "_own_clock", lambda: self.own)
        monkeypatch.setattr(precision, "_others", lambda: others)

    def run(self, seconds: float, share: float = 1.0) -> None:
        """Let the process run so many seconds, with this share of a processor."""
        self.own += seconds
        self.clock += seconds / share


def test_both_precisions_are_timed(single_task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, places = single_task
    monkeypatch.setattr(precision, "_SECONDS", 0.1)
    monkeypatch.setattr(precision, "products_in_bf16", lambda: 2.0)  # a processor that supports bf16
    before = torch.get_num_threads(), torch.get_rng_state()
    trial = times_in_bf16(spec, **places)
    assert 0.01 < trial.low <= trial.times <= trial.high < 100
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), False), ((8, 0), True), ((9, 0), True), ((12, 0), True)])
def test_on_a_gpu_its_kind_decides_and_nothing_is_timed(
    capability: tuple[int, int], expected: bool, single_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without captured steps, updates in both precisions take the time of the CPU that starts their kernels."""
    spec, places = single_task
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(precision, "timed_update", pytest.fail)
    trial = times_in_bf16(replace(spec, recipe=replace(spec.recipe, device="cuda")), **places)
    assert trial.gpu_has_bf16 is expected


def test_each_mini_batch_is_timed_in_both_precisions_after_a_small_untimed_one(
    single_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, places = single_task
    tried: list[tuple[str | None, int]] = []
    seconds = {None: iter([9.0, 0.5, 3.0, 4.0]), "bf16": iter([1.0, 0.5, 1.0, 2.0])}
    clock = Clock(monkeypatch)

    def update(model: MultiTaskModel, stepper: object, name: str, split: Any, rows: Any, device: str) -> None:
        tried.append((model.precision, int(np.diff(split.bounds)[rows].sum())))
        clock.run(next(seconds[model.precision]))

    monkeypatch.setattr(precision, "timed_update", update)
    monkeypatch.setattr(precision, "products_in_bf16", lambda: 1.0)
    assert times_in_bf16(spec, **places) == Trial(2.0, 1.0, 3.0)  # of 1, 3 and 2
    assert [bits for bits, _ in tried] == ["bf16", None, None, "bf16"] * 2  # neither always first
    lengths = [tokens for _, tokens in tried]
    assert lengths[::2] == lengths[1::2]
    assert 0 < lengths[0] < min(lengths[2:])


def test_no_update_is_timed_if_bf16_products_are_not_faster(single_task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor without bf16 support may take minutes for a few bf16 updates."""
    spec, places = single_task
    clocks = {torch.float32: iter([9.0, 1.0, 2.0, 3.0, 1.0, 1.0]), torch.bfloat16: iter([1.0, 4.0, 4.0, 4.0, 2.0, 2.0])}
    monkeypatch.setattr(precision, "_product", lambda dtype: next(clocks[dtype]))
    monkeypatch.setattr(precision, "timed_update", None)
    assert times_in_bf16(spec, **places) == Trial(
        0.5, 0.5, 0.5
    )  # of 1/4, 1/2, 3/4, 1/2 and 1/2; the first is not timed


def test_matrix_products_are_timed() -> None:
    before = torch.get_rng_state()
    assert 0.001 < precision.products_in_bf16() < 100
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("ratios", "seconds", "enough"),
    [
        ([], 9.0, False),
        ([1.5], 0.6, True),  # very clear: one pair decides
        ([1.5], 0.4, False),  # but not in less than half a second
        ([0.9], 0.6, True),
        ([1.3], 0.6, False),
        ([1.3, 1.2], 0.6, True),  # a third pair would not move the median to the other side
        ([1.3, 1.2], 0.4, False),
        ([1.0, 1.14], 0.6, True),
        ([1.0, 1.5], 0.9, False),  # the pairs disagree
        ([1.0, 1.5, 1.2], 0.9, False),
        ([1.0, 1.5, 1.2], 1.0, True),
    ],
)
def test_few_pairs_decide_if_they_are_clear(ratios: list[float], seconds: float, enough: bool) -> None:
    assert precision._is_enough(ratios, seconds, is_busy=False) is enough


@pytest.mark.parametrize(
    ("ratios", "seconds", "enough"),
    [
        ([9.0], 9.0, False),  # no short cut
        ([9.0] * 8, 9.0, False),
        ([9.0] * 9, 0.9, False),
        ([9.0] * 9, 1.0, True),
        ([9.0] * 8 + [1.0] * 2, 1.0, True),  # four of five
        ([9.0] * 7 + [1.0] * 2, 9.0, False),
        ([1.0] * 8 + [9.0], 9.0, True),
        ([9.0, 1.0] * 10, 9.0, False),
        ([9.0, 1.0] * 11, 9.0, True),  # it does not become clearer
        ([9.0, 1.0] * 5, 30.0, True),
    ],
)
def test_on_a_busy_machine_most_of_many_pairs_decide(ratios: list[float], seconds: float, enough: bool) -> None:
    assert precision._is_enough(ratios, seconds, is_busy=True) is enough


@pytest.mark.parametrize(
    ("running", "threads", "processors", "is_busy"),
    [
        ("1", 2, 2, False),  # the one that reads
        ("2", 1, 2, False),  # the other one has its own processor
        ("2", 2, 2, True),
        ("3", 1, 2, True),
        ("9", 4, 16, False),
        ("14", 4, 16, True),
        ("1", 4, 2, False),  # too many threads of its own disturb both precisions alike
    ],
)
def test_a_machine_is_busy_if_others_leave_too_few_processors_now(
    running: str, threads: int, processors: int, is_busy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_file = tmp_path / "loadavg"
    load_file.write_text(f"9.00 9.00 9.00 {running}/291 10732\n")  # the minutes before were busy
    monkeypatch.setattr(precision, "_LOADAVG", load_file)
    monkeypatch.setattr(precision.torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(precision.os, "cpu_count", lambda: processors)
    assert precision._is_wanted_elsewhere() is is_busy


def test_where_the_system_tells_only_of_the_minute_before_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_LOADAVG", tmp_path / "missing")
    monkeypatch.setattr(precision.os, "getloadavg", lambda: (3.5, 1.0, 1.0))
    assert precision._others() == 2.5


@pytest.mark.skipif(not Path("/proc/loadavg").exists(), reason="only Linux tells")
def test_processes_that_run_now_are_seen() -> None:
    others = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(2)]
    try:
        time.sleep(0.2)
        assert precision._others() >= 2
    finally:
        for other in others:
            other.kill()
            other.wait()


@pytest.fixture
def trial_of(single_task: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Trial, int]]:
    """Times updates on an invented machine; returns the trial and the number of updates.

    ``speed`` is the true speed of bf16. ``shares`` gives the share of a processor that the process gets in each update,
    and ``slower`` the factor by which the update takes longer, also in process time.
    """
    spec, places = single_task
    monkeypatch.setattr(precision, "products_in_bf16", lambda: 2.0)

    def trial(
        speed: float, shares: Iterator[float], slower: Iterator[float] | None = None, others: float = 0.0
    ) -> tuple[Trial, int]:
        clock, n, factors = Clock(monkeypatch, others), count(), slower or repeat(1.0)

        def update(model: MultiTaskModel, *_: object) -> None:
            next(n)
            clock.run(next(factors) * (0.3 / speed if model.precision else 0.3), next(shares))

        monkeypatch.setattr(precision, "timed_update", update)
        return times_in_bf16(spec, **places), next(n)

    return trial


@pytest.mark.parametrize("speed", [0.5, 1.0, 1.3, 1.7])
def test_other_processes_that_take_turns_change_nothing(speed: float, trial_of: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    for others in (0.0, 9.0):
        shares = (float(rng.uniform(0.1, 0.9)) for _ in count())
        found, n = trial_of(speed, shares, others=others)
        assert found.times == pytest.approx(speed)
        assert found.decides
        assert n >= 2 * 10  # nine pairs and the untimed one


def test_only_an_idle_machine_has_a_short_cut(trial_of: Callable[..., Any]) -> None:
    assert trial_of(3.0, repeat(1.0))[1] == 2 * 3  # two pairs are half a second
    assert trial_of(3.0, repeat(1.0), others=9.0)[1] >= 2 * 10
    assert trial_of(3.0, repeat(0.5))[1] >= 2 * 10
    late = chain([1.0] * 3, repeat(0.5))  # others start during the first pair
    assert trial_of(3.0, late)[1] >= 2 * 10


def test_a_machine_that_disturbs_every_update_cannot_tell(trial_of: Callable[..., Any]) -> None:
    """As on a processor whose other half, or whose memory, others use by fits."""
    slower = cycle([1.0, 4.0, 1.0, 1.0, 4.0, 1.0])
    found, n = trial_of(1.3, repeat(0.5), slower)
    assert not found.decides
    assert found.low < PAYS < found.high
    assert n <= 2 * 22
    assert trial_of(1.3, repeat(1.0), repeat(1.0))[0].decides


def test_a_few_disturbed_updates_do_not_decide(trial_of: Callable[..., Any]) -> None:
    slower = cycle([1.0] * 9 + [5.0])
    found, _ = trial_of(1.7, repeat(0.5), slower)
    assert found.decides
    assert found.times == pytest.approx(1.7)
