"""A run's heartbeat is small, whole, rare, and gone when its training ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from taskaffinity.runs import heartbeat
from taskaffinity.runs.heartbeat import Heartbeat, HeartbeatWriter


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(heartbeat, "time", clock)
    return clock


def test_it_tells_epoch_share_speed_and_last_scores(tmp_path: Path, clock: Clock) -> None:
    writer = HeartbeatWriter(tmp_path, 4)
    writer.start_epoch(1, 10)
    writer.score({"a": 0.5, "b": 0.25})
    clock.now += 5
    writer.start_epoch(2, 10)
    clock.now += 2
    writer.step(32)
    beat = Heartbeat.read(tmp_path)
    assert beat == Heartbeat(2, 4, 0.1, 16.0, {"a": 0.5, "b": 0.25})
    assert beat.share_of_run == pytest.approx(1.1 / 4)
    writer.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_run_says_where_and_its_share_is_never_above_one(tmp_path: Path, clock: Clock) -> None:
    writer = HeartbeatWriter(tmp_path, 4)
    writer.continue_in(2, {"a": 0.5})
    assert Heartbeat.read(tmp_path) is None  # it would say that nothing is done
    writer.start_epoch(2, 5, 3)
    writer.step(8)
    assert (beat := Heartbeat.read(tmp_path)) == Heartbeat(2, 4, 0.8, dev={"a": 0.5}, continued_in=2)
    assert beat is not None
    assert not beat.has_pace
    for _ in range(2):  # a batch more than was expected
        clock.now += heartbeat.INTERVAL
        writer.step(8)
    beat = Heartbeat.read(tmp_path)
    assert beat is not None
    assert (beat.share, beat.share_of_run) == (1.0, 0.5)
    assert [Heartbeat(1, 4, share).has_pace for share in (0.0, 0.1)] == [False, True]


def test_it_is_written_at_most_once_in_an_interval(tmp_path: Path, clock: Clock) -> None:
    written: list[float] = []
    writer = HeartbeatWriter(tmp_path, 1, lambda: written.append(clock.now))
    writer.start_epoch(1, 1000)
    for _ in range(100):
        writer.step(1)
        clock.now += heartbeat.INTERVAL / 10
    assert len(written) == 10


def test_a_failure_to_write_or_to_show_does_not_reach_the_run(tmp_path: Path, clock: Clock) -> None:
    def fails() -> None:
        raise RuntimeError

    writer = HeartbeatWriter(tmp_path, 1, fails)
    writer.step(1)
    assert Heartbeat.read(tmp_path) is not None
    HeartbeatWriter(tmp_path / "missing", 1).step(1)
    assert Heartbeat.read(tmp_path / "missing") is None


WHOLE = {"epoch": 2, "epochs": 3, "share": 0.5, "examples_per_second": 1.0, "dev": {"a": 0.5}}
WRONG: list[dict[str, object]] = [
    *({"epoch": 0}, {"epoch": 10**400}, {"epochs": 0}, {"epochs": 10**6}),
    *({"share": 2}, {"share": float("nan")}, {"dev": {"a": float("inf")}}, {"x": 1}),
]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"epoch": null}', *(json.dumps({**WHOLE, **wrong}) for wrong in WRONG)]
)
def test_a_damaged_file_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text(json.dumps(WHOLE))
    assert Heartbeat.read(tmp_path) == Heartbeat(2, 3, 0.5, 1.0, {"a": 0.5})
    (tmp_path / "progress.json").write_text(content)
    assert Heartbeat.read(tmp_path) is None


def test_a_killed_process_leaves_one_that_the_next_removes(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text(json.dumps({"epoch": 3}))
    HeartbeatWriter(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []
