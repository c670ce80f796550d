"""A small part of ``tests/benchmarks/faults.py``: kills and damaged inputs that cost nothing, and that it can find."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from fault_commands import differences
from fault_damage import damaged

from taskaffinity.cli import _refuse

BENCHMARK = Path(__file__).parent / "benchmarks" / "faults.py"


@pytest.mark.slow
def test_kills_and_damages_cost_nothing(tmp_path: Path) -> None:
    """Every count is 0: finished runs trained again, other bytes, tracebacks, wrong numbers, litter, corpus text."""
    table = tmp_path / "faults.csv"
    command = [sys.executable, str(BENCHMARK), "--few", "--share", "0.025", "--seed", "1", "--out", str(table)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert sum(int(row["tried"]) for row in rows if row["scenario"].startswith("killed")) >= 5
    assert sum(int(row["tried"]) for row in rows if row["scenario"].startswith("damaged")) >= 120


def test_the_benchmark_sees_a_lost_file_other_bytes_and_litter() -> None:
    expected = {"a": b"1", "b": b"2", "c": b"3"}
    lost, litter = differences(expected, {"a", "b"}, {"a": b"1", "b": b"other", ".b.7": b""})
    assert (lost, litter) == (["c", "b"], [".b.7"])


def test_damages_follow_their_seed_and_change_the_file() -> None:
    content = b'{"seed": 3, "tasks": ["one", "two"]}\n' * 5
    first = [damaged(content, ".jsonl", random.Random(seed)) for seed in range(200)]
    assert first == [damaged(content, ".jsonl", random.Random(seed)) for seed in range(200)]
    assert sum(one == content for one in first) < 20
    assert len(set(first)) > 150


def test_no_message_of_the_command_line_is_long_or_holds_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    message = f"{'a' * 200_000}\x1b[31m: no\nsuch file"  # an OSError's file name
    assert _refuse(message) == 2
    line = capsys.readouterr().err
    assert len(line) < 1100
    assert line.removesuffix("\n").isprintable()
    assert line.endswith("such file\n")
