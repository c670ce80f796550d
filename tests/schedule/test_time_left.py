"""The time left follows the observed speed without jumps."""

from __future__ import annotations

import pytest

from taskaffinity.schedule.time_left import TimeLeft


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_cost_model_gives_it_at_once_and_observation_takes_over() -> None:
    clock = Clock()
    left = TimeLeft(1000.0, is_seconds=True, clock=clock)
    assert left.update(0.0, 2) == 500
    shown = 500.0
    for second in range(1, 1901):  # half as fast as the model says
        clock.now = float(second)
        now = left.update(second * 0.5, 2)
        assert now is not None
        assert abs(now - (shown - 1)) < 15  # no jump
        shown = now
    assert shown == pytest.approx(2000 - 1900, rel=0.2)


def test_without_a_model_it_is_unknown_until_something_was_observed() -> None:
    clock = Clock()
    left = TimeLeft(100.0, is_seconds=False, clock=clock)
    assert left.update(0.0, 1) is None
    clock.now = 10.0
    assert left.update(0.0, 1) is None
    assert left.update(1.9, 1) is None  # 10 seconds of start-up for 1.9 of 100 would say nine minutes
    assert left.update(10.0, 1) == pytest.approx(90)
    assert left.update(100.0, 1) == 0


def test_runs_that_end_at_once_give_no_estimate() -> None:
    left = TimeLeft(100.0, is_seconds=False, clock=Clock())
    assert left.update(40.0, 2) is None  # they failed before the clock moved


def test_a_burst_moves_it_slowly() -> None:
    clock = Clock()
    left = TimeLeft(100.0, is_seconds=False, clock=clock)
    left.update(0.0, 1)
    clock.now = 20.0
    first = left.update(10.0, 1)
    clock.now = 21.0
    second = left.update(50.0, 1)  # a run ended early
    assert first == pytest.approx(180)
    assert second is not None
    assert 160 < second < 179


def test_the_time_before_the_first_run_does_not_count() -> None:
    clock = Clock()
    clock.now = 1000.0  # as Ray starts
    left = TimeLeft(100.0, is_seconds=False, clock=clock)
    left.update(0.0, 1)
    clock.now = 1010.0
    assert left.update(10.0, 1) == pytest.approx(90)


@pytest.mark.parametrize("is_seconds", [True, False])
def test_it_follows_a_machine_that_becomes_slower(is_seconds: bool) -> None:
    """A third of the speed after ten minutes: ten minutes later the estimate is near the truth.

    The mean speed since the start would then say half of it.
    """
    clock = Clock()
    left = TimeLeft(3000.0, is_seconds=is_seconds, clock=clock)
    done = shown = 0.0
    for second in range(1201):
        clock.now = float(second)
        shown = left.update(done, 1) or 0.0
        done += 1.0 if second < 600 else 1 / 3
    assert shown == pytest.approx((3000 - done) * 3, rel=0.25)
    assert shown > 1.5 * (3000 - done) / (done / 1200)


def test_a_pause_gives_no_endless_time() -> None:
    clock = Clock()
    left = TimeLeft(100.0, is_seconds=False, clock=clock)
    left.update(0.0, 1)
    for second in range(1, 4000, 10):
        clock.now = float(second)
        shown = left.update(10.0, 1)  # nothing is done after the first second
    assert shown is not None
    at_mean_speed = 90 * 3991 / 10
    assert at_mean_speed < shown < 5 * at_mean_speed


def test_runs_that_others_trained_leave_the_speed_as_it_is() -> None:
    clock = Clock()
    left = TimeLeft(6000.0, is_seconds=False, clock=clock)
    for second in range(721):
        clock.now = float(second)
        if second == 600:
            left.drop(2500.0)  # another command has finished runs of this cost
        shown = left.update(float(second), 1)
    assert shown == pytest.approx(3500 - 720, rel=0.02)
