"""``benchmarks/gpu.py`` on a CPU: its stages give the rows they should, and a stage that breaks costs itself alone."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
import time
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gpu
import numpy as np
import pytest
from gpu_report import Report, check, goal, row

TASKS = {
    "clinicalsts",
    "shareclefe",
    "i2b2-2010-re",
    "mednli",
    "bc5cdr-disease",
    "bc5cdr-chemical",
    "ddi2013-type",
    "chemprot",
}
MIX = "chemprot + bc5cdr-disease"


@pytest.mark.slow
def test_the_quick_stages_give_their_rows(tmp_path: Path) -> None:
    command = [sys.executable, gpu.__file__, "--device", "cpu", "--quick", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    found = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert [(one["stage"], one["outcome"]) for one in found["stages"]] == [(stage, "done") for stage in gpu.DEADLINES]
    assert found["machine"]["torch"]
    rows = found["rows"]
    of_stage = {stage: [one for one in rows if one["stage"] == stage] for stage in gpu.DEADLINES}
    assert {one["unit"] for one in of_stage["ceilings"]} == {"TFLOP/s", "TB/s"}
    assert sum(one["passed"] is True for one in of_stage["correctness"]) == len(of_stage["correctness"]) == 38
    for precision in ("bf16", "fp32"):
        measured = {one["task"]: one for one in of_stage["one run"] if one["variant"] == f"ours, {precision}"}
        assert measured.keys() == TASKS | {MIX}
        assert all(one[name] > 0 for one in measured.values() for name in ("ms", "share", "cpu_ms", "memory_mib"))
        lengths = {task: one["tokens_per_s"] / one["examples_per_s"] for task, one in measured.items()}
        assert 50 < lengths["chemprot"] < 80
        assert 20 < lengths["bc5cdr-disease"] < 40
    assert {one["task"] for one in of_stage["one run"] if "padded" in one["variant"]} == {*MIX.split(" + "), MIX}
    assert {one["task"] for one in of_stage["trainer"] if one["unit"] == "times as fast"} == set(MIX.split(" + "))
    assert {one["k"] for one in of_stage["several runs"] if one["task"] == MIX and one["ms"]} == {1, 2}
    assert len(of_stage["evaluation"]) == 4
    table = list(csv.DictReader((tmp_path / "out" / "gpu.csv").read_text().splitlines()))
    assert [(one["stage"], one["variant"], one["task"]) for one in table] == [
        (one["stage"], one["variant"], one["task"] or "") for one in rows
    ]


def broken(task: Any, connection: Any) -> None:
    """In the place of ``gpu.work_on``: the first stage crashes, the second hangs after a row, the third is done."""
    for stage in task.stages:
        connection.send(("begin", stage))
        if stage == "ceilings":
            os._exit(3)
        connection.send(("row", row(stage, f"after {len(task.rows)} rows")))
        time.sleep(600 if stage == "correctness" else 0)
        connection.send(("end", "done"))


@pytest.mark.slow
def test_a_stage_that_crashes_or_hangs_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "work_on", broken)
    monkeypatch.setattr(gpu, "GRACE", 0.2)
    monkeypatch.setitem(gpu.DEADLINES, "correctness", 0.2)
    stages = ["ceilings", "correctness", "one run"]
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", "cpu", "--out", str(tmp_path), "--stages", *stages])
    assert gpu.main() == 1
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert [one["outcome"] for one in found["stages"]] == [
        "failed: its process ended with code 3",
        "ended: it did not stop at its deadline",
        "done",
    ]
    assert [(one["stage"], one["variant"]) for one in found["rows"]] == [
        ("correctness", "after 0 rows"),
        ("one run", "after 1 rows"),
    ]


@pytest.mark.parametrize(
    ("task", "mean", "quantiles"), [("chemprot", 66.4, (62, 114, 128)), ("bc5cdr-disease", 27.6, (29, 45, 67))]
)
def test_invented_corpora_are_as_long_as_the_real_ones(task: str, mean: float, quantiles: tuple[int, int, int]) -> None:
    """As measured on the corpora: the median, the 95% quantile and the longest; the mean follows from no setting."""
    from gpu_inputs import SHAPES, invented_split  # not above: ``broken`` should start without torch

    split = invented_split(SHAPES[task], SHAPES[task].n_rows, 12_000, np.random.default_rng(0))
    lengths = np.diff(split.bounds)
    assert lengths.mean() == pytest.approx(mean, rel=0.03)
    assert np.quantile(lengths, (0.5, 0.95, 1)) == pytest.approx(quantiles, abs=2)
    words = np.diff(split.word_bounds)
    assert words.min() >= split.is_tagging
    assert [len(tags) for tags in split.gold] == list(words) if split.is_tagging else not words.any()
    assert (split.word_positions < np.repeat(lengths, words) - 1).all()


def test_a_silent_or_a_dead_process_is_an_end() -> None:
    here, there = Pipe()
    process = SimpleNamespace(join=lambda: None, exitcode=-11)
    there.send(("row", 1))
    assert gpu.heard(here, process, time.monotonic()) == ("row", 1)
    assert gpu.heard(here, process, time.monotonic()) == ("end", "ended: it did not stop at its deadline")
    there.close()
    assert gpu.heard(here, process, time.monotonic()) == ("end", "failed: its process ended with code -11")


def test_an_unknown_field_of_a_driver_leaves_out_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_machine

    def smi(command: list[str], **_: Any) -> SimpleNamespace:
        asked = command[1].removeprefix("--query-gpu=").split(",")
        known = command[-1] == "GPU-1" and "mig.mode.current" not in asked
        return SimpleNamespace(returncode=0 if known else 2, stdout=", ".join(f"{name} of it" for name in asked) + "\n")

    monkeypatch.setattr(subprocess, "run", smi)
    fields = [name for name in gpu_machine.ASKED if name != "mig.mode.current"]
    assert gpu_machine.smi_facts("GPU-1") == {name: f"{name} of it" for name in fields}
    assert gpu_machine.smi_facts("GPU-2") == {}

    def hangs(command: list[str], *, timeout: float, **_: Any) -> SimpleNamespace:
        asked.append(timeout)
        raise subprocess.TimeoutExpired(command, timeout)

    asked: list[float] = []
    monkeypatch.setattr(subprocess, "run", hangs)
    assert gpu_machine.smi_facts("GPU-1") == {}
    assert sum(asked) <= 20


def test_a_report_names_each_check_that_did_not_pass(tmp_path: Path) -> None:
    report = Report(tmp_path, {"gpu": "a GPU"}, [{"stage": "trainer", "outcome": "failed: why", "seconds": 1.0}])
    report.rows = [check("correctness", "loss", error, 0.1, unit="relative error") for error in (0.1, 0.2, math.nan)]
    report.rows += [row("several runs", "same bits", passed=same) for same in (True, False)]
    report.rows += [goal("trainer", "ours", times, 3.0, unit="times as fast") for times in (3.0, 2.9)]
    assert report.failed == [
        "trainer: failed: why",
        "correctness loss: 0.2 relative error; expected at most 0.1",
        "correctness loss: None relative error; expected at most 0.1",
        "several runs same bits: no",
        "trainer ours: 2.9 times as fast; expected at least 3.0",
    ]
    report.write()
    assert [one["value"] for one in json.loads((tmp_path / "gpu.json").read_text())["rows"]] == [
        *(0.1, 0.2, None, None, None, 3.0, 2.9)
    ]
    assert {one["gpu"] for one in csv.DictReader((tmp_path / "gpu.csv").open())} == {"a GPU"}
    with pytest.raises(ValueError, match="no column is named speed"):
        row("one run", "ours", speed=1)


def test_the_best_number_of_runs_and_the_largest_memory_decide() -> None:
    from gpu_neighbours import goals

    figures = [
        ("chemprot", 1, 0.3, 5000.0),
        ("chemprot", 4, 0.5, 6200.0),
        (MIX, 1, 0.3, 5000.0),
        (MIX, 4, 0.37, 5500.0),
    ]
    rows = [
        row("several runs", "MPS", task=task, k=k, ms=1.0, share=share, memory_mib=memory)
        for task, k, share, memory in figures
    ]
    rows.append(row("several runs", "same bits", task=MIX, passed=True))
    rows.append(row("one run", "ours, bf16", task=MIX, k=1, ms=1.0, share=0.9, memory_mib=9000.0))
    found = {(one["variant"], one["task"]): (one["value"], one["passed"]) for one in goals(rows)}
    assert found == {
        ("best number of runs", "chemprot"): (0.5, True),
        ("best number of runs", MIX): (0.37, False),
        ("most memory of a run", None): (6200.0, False),
    }
    assert list(goals(rows[-2:])) == []


def test_attention_with_the_room_of_a_captured_step_is_checked_against_each_sequence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With an attention that keeps to the bounds, in the place of a GPU's; and with one that does not."""
    import torch
    from gpu_attention import errors, with_room

    from taskaffinity.training.packing import packed
    from taskaffinity.training.packing.layout import layout_of

    def by_bounds(query: Any, key: Any, value: Any, layout: Any, *, is_narrow: bool, **_: Any) -> Any:
        ends = (layout.read_bounds if is_narrow else layout.bounds, layout.bounds)
        of_query, of_key = (torch.repeat_interleave(torch.arange(len(of) - 1), of.diff()) for of in ends)
        scores = torch.einsum("rnd,tnd->nrt", query, key) * query.shape[-1] ** -0.5
        scores = scores.masked_fill(of_query[:, None] != of_key, -torch.inf)
        return torch.einsum("nrt,tnd->rnd", scores.softmax(-1), value)

    monkeypatch.setattr(packed, "attend", by_bounds)
    room = with_room(layout_of([3, 4], [0, 3, 4]), 3, "cpu")
    assert (room.bounds.tolist(), room.read_bounds.tolist()) == ([0, 3, 7, 47], [0, 1, 3, 3])
    for is_narrow in (False, True):
        right = errors("cpu", torch.float32, is_narrow=is_narrow, has_room=True)
        assert len(right) == 4
        assert max(right.values()) < 1e-5
    leaking = lambda *given, **more: by_bounds(*given, **more) + given[2][-1]  # noqa: E731
    monkeypatch.setattr(packed, "attend", leaking)
    assert errors("cpu", torch.float32, is_narrow=True, has_room=True)["states"] > 0.1


def test_what_is_captured_before_training_is_not_timed_and_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is asked twice for the same task, with a clock that only training moves."""
    import gpu_checks
    import gpu_inputs
    import gpu_neighbours
    import gpu_step
    import torch

    now, answers = [0.0], []
    asked = iter([("train", "chemprot", 30.0), ("train", "chemprot", 30.0)])

    class Way:
        device = "cuda"

        def __init__(self, *_: Any) -> None:
            self.captured: set[int] = set()

        def train(self, batches: list[Any]) -> None:
            now[0] += 10.0 + 1000.0 * (id(batches[0]) not in self.captured)
            self.captured.add(id(batches[0]))

    clock = SimpleNamespace(perf_counter=lambda: now[0], process_time=lambda: now[0])
    inputs = SimpleNamespace(batches=lambda tasks, n: [object() for _ in range(n)])
    monkeypatch.setattr(gpu_neighbours, "time", clock)
    monkeypatch.setattr(gpu_inputs, "made_inputs", lambda work, is_small: inputs)
    monkeypatch.setattr(gpu_checks, "Way", Way)
    monkeypatch.setattr(gpu_step, "Way", Way)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(gpu_step, "reserved_mib", lambda device: 1.0)
    monkeypatch.setattr(gpu_step, "rates", lambda batches, _, took, __: {"ms": 1e3 * took / len(batches)})
    with pytest.raises(StopIteration):
        gpu_neighbours._serve(
            SimpleNamespace(recv=lambda: next(asked), send=answers.append),  # type: ignore[arg-type]
            Path(),
            "cuda",
            is_small=True,
        )
    assert [(one["ms"], one["cpu_ms"]) for one in answers] == [(1000.0, 1000.0)] * 2


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_share_that_dropout_keeps_is_not_that_of_rounded_states(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With states as a GPU gives them: the weights of a sequence that are kept, times a scale, rounded."""
    import gpu_attention
    import torch

    kept = torch.from_numpy(np.random.default_rng(0).binomial(64, 230 / 256, (8192, 12, 64)))
    states = (kept / 64 / 0.9).to(getattr(torch, dtype))
    monkeypatch.setattr(gpu_attention, "_packed", lambda *_, **__: states)
    found = gpu_attention.kept_share("cpu", torch.float32)
    assert found == pytest.approx(float(kept.double().mean()) / 64, abs=1e-12)


def slow(task: Any, connection: Any) -> None:
    """In the place of ``gpu.work_on``: a stage that takes all the time that it has, and then some."""
    for stage in task.stages:
        connection.send(("begin", stage))
        time.sleep(task.left(stage) + 600)


@pytest.mark.slow
def test_all_is_over_in_the_minutes_that_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "work_on", slow)
    monkeypatch.setattr(gpu, "GRACE", 4.0)
    monkeypatch.setattr(gpu, "CLOSING", 1.0)
    stages = ["ceilings", "correctness"]
    began = time.monotonic()
    monkeypatch.setattr(
        sys, "argv", ["gpu.py", "--device", "cpu", "--minutes", "0.1", "--out", str(tmp_path), "--stages", *stages]
    )
    assert gpu.main() == 1
    assert time.monotonic() - began < 8
    found = json.loads((tmp_path / "gpu.json").read_text())
    outcomes = [(one["stage"], one["outcome"]) for one in found["stages"]]
    assert outcomes == [("ceilings", "ended: it did not stop at its deadline"), ("correctness", gpu.NO_TIME)]


def test_a_stage_without_time_is_not_begun(tmp_path: Path) -> None:
    here, there = Pipe()
    gpu.work_on(gpu.Task(["ceilings", "evaluation"], "cpu", True, tmp_path, time.time() + gpu.GRACE - 1), there)
    heard = [here.recv() for _ in range(3)]
    assert heard[0][0] == "machine"
    assert heard[1:] == [("end", gpu.NO_TIME)] * 2


def test_bf16_is_not_measured_on_a_gpu_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels of attention, and the Trainer, would raise there, which ends a stage. A T4 has 7.5, an A100 8.0."""
    import gpu_attention
    import gpu_ceilings
    import torch
    from gpu_plain import precisions

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    assert precisions("cuda") == precisions("cpu") == ("bf16", "fp32")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert precisions("cuda") == ("fp32",)
    tried: list[torch.dtype] = []
    monkeypatch.setattr(gpu_attention, "errors", lambda device, dtype, **_: tried.append(dtype) or {})
    monkeypatch.setattr(gpu_attention, "repeats", lambda device, dtype, length: tried.append(dtype) or True)
    monkeypatch.setattr(gpu_attention, "kept_share", lambda device, dtype: tried.append(dtype) or 0.9)
    assert all("fp32" in one["variant"] for one in gpu_attention.attention("cuda"))
    monkeypatch.setattr(gpu_ceilings, "_seconds", lambda work, device: 1.0)
    monkeypatch.setattr(gpu_ceilings, "_product", lambda device, dtype, variant, *_: tried.append(dtype) or {})
    monkeypatch.setattr(gpu_ceilings, "_copy", lambda *_: {})
    inputs = SimpleNamespace(
        config=SimpleNamespace(hidden_size=8, intermediate_size=8), lengths=lambda batches: [9] * 96
    )
    list(gpu_ceilings.ceilings(inputs, "cuda", is_small=True))  # type: ignore[arg-type]
    assert set(tried) == {torch.float32}
