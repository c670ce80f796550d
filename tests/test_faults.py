"""The parts of ``tests/benchmarks/faults.py`` see what they look for."""

from __future__ import annotations

import random

import pytest
from fault_commands import differences
from fault_damage import damaged

from taskaffinity.cli import _refuse


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
