"""A command that is killed or terminated within a run goes on there, and its tables are those of an undisturbed one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import LOCAL, SMALL, command

COMMON = ["--domain=clinical", *LOCAL, *SMALL, "--set=num_train_epochs=6", "--seeds=1"]
PAIRWISE = ["pairwise", *COMMON, "--seeds-single=1"]
TRAIN = ["train", *COMMON, "--out=results/clinical"]


def checkpoints(home: Path) -> dict[Path, int]:
    found = {}
    for path in home.glob("results/clinical/runs/*/checkpoint/*.safetensors"):
        try:
            found[path] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue
    return found


def end_within_a_run(study: list[str], home: Path, how: signal.Signals) -> tuple[int, float]:
    """Start the study, and send a signal after it wrote a checkpoint; its exit code, and the seconds that it took."""
    before = checkpoints(home)
    started = subprocess.Popen(
        [sys.executable, "-m", "taskaffinity", *study, "--checkpoint-minutes=0.0001", "--quiet"], cwd=home
    )
    until = time.monotonic() + 120
    while not checkpoints(home).items() - before.items():
        assert started.poll() is None
        assert time.monotonic() < until
        time.sleep(0.002)
    started.send_signal(how)
    sent = time.monotonic()
    return started.wait(60), time.monotonic() - sent


@pytest.mark.slow
@pytest.mark.parametrize(("study", "table"), [(PAIRWISE, "edges.csv"), (TRAIN, "train_scores.csv")])
def test_a_killed_and_a_terminated_study_go_on_within_their_runs(study: list[str], table: str, tmp_path: Path) -> None:
    whole, ended = tmp_path / "whole", tmp_path / "ended"
    whole.mkdir()
    ended.mkdir()
    assert command(*study, "--checkpoint-minutes=0", "--quiet", cwd=whole).returncode == 0
    assert not checkpoints(whole)
    assert end_within_a_run(study, ended, signal.SIGKILL)[0] == -signal.SIGKILL
    (left,) = {path.name[:6] for path in checkpoints(ended)}
    code, seconds = end_within_a_run(study, ended, signal.SIGTERM)
    assert code == 143
    assert seconds < 10
    (later,) = {path.name[:6] for path in checkpoints(ended)}
    assert later > left
    assert command(*study, "--quiet", cwd=ended).returncode == 0
    path = Path("results/clinical") / table
    assert (ended / path).read_bytes() == (whole / path).read_bytes()
    assert not list(ended.glob("results/clinical/runs/*/checkpoint"))
