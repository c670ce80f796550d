"""Ray's ASHA, which gets one candidate after the other, stops the same ones early; the clock decides nothing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from taskaffinity.tuning.median_stopping import Course, Standing, standings

EPOCHS = 8
"""Interim analyses after 2 and 4 of them."""


def courses(seed: int, n: int = 20) -> list[Course]:
    rng = np.random.default_rng(seed)
    return [Course(EPOCHS, tuple(np.maximum.accumulate(rng.normal(50, 10, EPOCHS)))) for _ in range(n)]


def stopped_by_ray(all_courses: list[Course]) -> list[int | None]:
    """After which epoch Ray Tune's scheduler stops each, if the first is let go on whatever it says."""
    from ray.tune.schedulers import ASHAScheduler, TrialScheduler

    asha = ASHAScheduler(
        time_attr="epoch", metric="score", mode="max", max_t=EPOCHS, grace_period=2, reduction_factor=2
    )
    found: list[int | None] = []
    for number, course in enumerate(all_courses):
        trial = SimpleNamespace(trial_id=str(number))
        asha.on_trial_add(None, trial)
        found.append(None)
        for epoch, score in enumerate(course.scores[:-1], start=1):  # at its end a candidate is never stopped early
            says = asha.on_trial_result(None, trial, {"epoch": epoch, "score": score})
            if says == TrialScheduler.STOP and number:
                found[-1] = epoch
                break
    return found


@pytest.mark.parametrize("seed", range(5))
def test_one_after_the_other_it_is_rays_asha(seed: int) -> None:
    every = courses(seed)
    expected = stopped_by_ray(every)
    assert {2, 4, None} == set(expected)  # all three fates occur
    assert [standing.stopped for standing in standings(every)] == expected


@pytest.mark.parametrize("seed", range(5))
def test_whatever_order_epochs_come_in_nothing_is_stopped_that_would_not_have_been(seed: int) -> None:
    rng, every = np.random.default_rng(seed), courses(seed, 8)
    final = standings(every)
    so_far = [replace(course, scores=()) for course in every]
    left = [number for number in range(len(every)) for _ in range(EPOCHS)]
    for number in rng.permutation(left):
        known = every[number].scores[: len(so_far[number].scores) + 1]
        so_far[number] = replace(so_far[number], scores=known)
        for before, after in zip(standings(so_far), final, strict=True):
            assert before.stopped in (None, after.stopped)
            assert not before.is_known or before.stopped == after.stopped
    assert standings(so_far) == final


def test_the_default_is_never_stopped_and_the_first_drawn_is_held_against_it() -> None:
    worst, best = Course(8, (0.0,) * 8), Course(8, (90.0,) * 8)
    assert [s.stopped for s in standings([worst, best])] == [None, None]
    assert [s.stopped for s in standings([best, worst])] == [None, 2]


def test_a_candidate_is_compared_at_its_own_share_of_its_epochs() -> None:
    short, long = Course(4, (30.0, 50.0, 50.0, 50.0)), Course(16, (0.0, 0.0, 0.0, 40.0, *[60.0] * 12))
    assert [s.stopped for s in standings([short, long])] == [None, None]  # 40 at 4/16 against 30 at 1/4


def test_one_that_failed_holds_nobody_up_and_one_that_is_late_does() -> None:
    default, behind = Course(4, (50.0,) * 4), Course(4, (10.0,) * 4)
    failed, late = Course(4, (), failed=True), Course(4, ())
    assert standings([default, failed, behind])[2] == Standing(stopped=1)
    assert standings([default, late, behind])[2] == Standing(is_known=False)


def test_the_median_itself_goes_on_and_one_below_it_stops_with_its_decisive_epoch() -> None:
    default, same, below = Course(8, (50.0,) * 8), Course(8, (50.0,) * 8), Course(8, (50.0, 49.0))
    assert [s.stopped for s in standings([default, same, below])] == [None, None, 2]


def test_a_candidate_of_one_epoch_has_no_interim_analysis() -> None:
    default, short = Course(1, (50.0,)), Course(1, (10.0,))
    assert standings([default, short]) == [Standing(), Standing()]
