"""The progress of a plan counts what this command trains."""

from __future__ import annotations

import errno
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from taskaffinity.runs.heartbeat import Heartbeat
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule import course
from taskaffinity.schedule.course import Course
from taskaffinity.schedule.progress import EndedRun, Report
from taskaffinity.schedule.time_left import TimeLeft
from taskaffinity.schedule.worker import Finished

RUNS = [RunSpec((("a", "f1"),), EncoderRef("tiny", "e1"), seed, Recipe()) for seed in range(10)]
HOUR = 3600.0


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(("is_resumed", "ends"), [(True, None), (True, "out of memory"), (False, "out of memory")])
def test_the_part_of_a_resumed_run_that_was_done_before_says_nothing_on_the_speed(
    is_resumed: bool, ends: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten runs of an hour each, trained in their time; of the first one 48 minutes are done when it is resumed."""
    clock = Clock()
    monkeypatch.setattr(course, "time", clock)
    monkeypatch.setattr(course, "TimeLeft", partial(TimeLeft, clock=clock.monotonic))
    report, store = Report(planned=len(RUNS)), RunStore(tmp_path)
    followed = Course(report, RUNS, store, lambda spec: HOUR, is_seconds=True)
    (folder := store.folder(RUNS[0])).mkdir(parents=True)
    followed.take((RUNS[0].run_id,))
    done = 8.0 if is_resumed else 0.0
    left = []
    for _ in range(120):
        share = min(1.0, done / 10)
        epoch = min(10, int(done) + 1)
        beat = Heartbeat(epoch, 10, min(1.0, 10 * share - epoch + 1), continued_in=9 if is_resumed else None)
        (folder / "progress.json").write_text(json.dumps(asdict(beat)))
        progress = followed.progress()
        assert progress.seconds_left is not None
        left.append(progress.seconds_left - HOUR * (9 + 1 - share))
        clock.now += 6.0
        done += 10 * 6.0 / HOUR
    assert max(map(abs, left)) < 0.05 * 10 * HOUR
    followed.take(Finished(RUNS[0], ends))
    clock.now += 6.0
    after = followed.progress().seconds_left
    assert after == pytest.approx(9 * HOUR, rel=0.1)


@pytest.mark.parametrize("error", [OSError(errno.ESTALE, "Stale file handle"), ValueError("damaged")])
def test_a_result_that_cannot_be_read_for_the_progress_ends_nothing(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(*_: object) -> None:
        raise error

    monkeypatch.setattr(RunStore, "get", get)
    report = Report(planned=len(RUNS))
    followed = Course(report, RUNS, RunStore(tmp_path), lambda spec: HOUR, is_seconds=True)
    followed.take(Finished(RUNS[0], None))
    assert (report.trained, followed.progress().ended) == ([RUNS[0]], (EndedRun(RUNS[0].run_id),))
