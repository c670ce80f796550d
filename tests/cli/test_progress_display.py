"""The live display of progress, and the reports where stderr is no terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.console.progress import ProgressDisplay
from taskaffinity.runs.heartbeat import Heartbeat
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.schedule.progress import EndedRun, Progress, Report, describe_failures

BEAT = Heartbeat(2, 10, 0.43, 119.7, {"mednli": 0.7131})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ended(name: str, reason: str | None = None) -> EndedRun:
    return EndedRun(name, reason=reason) if reason else EndedRun(name, 42.0, {"mednli": 0.7})


def test_off_a_terminal_there_is_at_most_one_report_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with ProgressDisplay(quiet=False, clock=clock, time_of_day=lambda: "17:20:01") as display:
        display.show(Progress(5, 0, (), 0, None))
        for clock.now in (10.0, 30.0, 59.0):
            display.show(Progress(5, 1, ("b",), 0, 100.0, {"b": BEAT}, (ended("a"),) if clock.now == 30 else ()))
        assert capsys.readouterr().err.splitlines() == ["17:20:01 0/5 runs done"]
        clock.now = 61.0
        display.show(Progress(5, 1, ("b",), 0, 90.0, {"b": BEAT}))
        assert capsys.readouterr().err.splitlines() == [
            "done: a in 42 s: dev mednli 70.0",
            "17:20:01 1/5 runs done, 1 running, about 1 min 30 s left; "
            "b: epoch 2/10, 43%, dev mednli 71.3, 120 examples/s",
        ]
        display.show(Progress(5, 5, (), 0, 0.0, {}, tuple(ended(name) for name in "bcde")))
    assert capsys.readouterr().err.splitlines()[-1] == "17:20:01 5/5 runs done"  # the last one is not lost


def test_a_fast_study_does_not_fill_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay(quiet=False, clock=Clock()) as display:
        display.show(Progress(100, 0, (), 0, None))
        for done in range(100):
            display.show(Progress(100, done, (), 1, None, {}, (ended(f"run-{done}"),)))
        display.show(Progress(100, 99, (), 1, None, {}, (ended("bad", "out of memory"),)))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 + 1 + 5 + 1 + 1
    assert lines[1] == "done: 95 more runs"
    assert lines[-2] == "failed: bad: out of memory"
    assert re.fullmatch(r"\d\d:\d\d:\d\d 99/100 runs done, 1 failed", lines[-1])


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay(quiet=True) as display:
        display.show(Progress(5, 0, (), 0, None, {}, (ended("a"),)))
    assert not capsys.readouterr().err


def test_a_terminal_shows_each_run_under_way_and_logs_those_that_ended() -> None:
    display = ProgressDisplay(quiet=False)
    display.console = display.live.console = Console(file=io.StringIO(), force_terminal=True, width=200)
    display.is_live = True
    with display:
        display.show(Progress(5, 1, ("b", "c"), 0, 100.0, {"b": BEAT}, (ended("a"),)))
        with display.console.capture() as capture:
            display.console.print(display.live.get_renderable())
        shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capture.get())
    lines = [line.rstrip() for line in shown.splitlines() if line.strip()]
    assert lines[-3:] == [
        "1/5 runs done, 2 running, about 1 min 40 s left",
        "  b: epoch 2/10, 43%, dev mednli 71.3, 120 examples/s",
        "  c",
    ]
    written = display.console.file
    assert isinstance(written, io.StringIO)
    assert "done: a in " in re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue())


@pytest.mark.parametrize(("n", "n_lines"), [(8, 9), (9, 2)])
def test_many_runs_that_failed_for_one_reason_have_one_line(n: int, n_lines: int, tmp_path: Path) -> None:
    """Those of a cluster that is gone, of which there may be thousands."""
    lost = [RunSpec((("a", "f"),), EncoderRef("tiny", "e"), seed, Recipe()) for seed in range(n)]
    other = replace(lost[0], seed=99)
    lines = describe_failures({lost[0]: "gone", other: "diverged", **dict.fromkeys(lost[1:], "gone")}, tmp_path)
    assert len(lines) == n_lines
    assert f"failed: {tmp_path / 'runs' / other.run_id}: diverged" in lines
    together = f"failed: {n} runs in {tmp_path / 'runs'}: gone"
    assert lines[0] == (together if n > 8 else f"failed: {tmp_path / 'runs' / lost[0].run_id}: gone")


def test_the_closing_line_accounts_for_every_run_that_was_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seven runs, of which one was done before, two were trained here, three by another command, and one failed."""
    runs = [RunSpec((("a", "f"),), EncoderRef("tiny", "e"), seed, Recipe()) for seed in range(7)]
    report = Report(7, runs[1:3], runs[3:6], {runs[6]: "diverged"}, seconds=42)
    with ConsoleListener(quiet=True) as listener:
        listener.ended(report, tmp_path)
    [line, failed] = capsys.readouterr().err.splitlines()
    assert line == "7 runs: 2 trained now in 42 s, 3 trained by another command, 1 failed"
    assert failed == f"failed: {tmp_path / 'runs' / runs[6].run_id}: diverged"
