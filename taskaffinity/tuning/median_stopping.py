"""Which candidates are stopped early: ASHA's rule, with the candidates taken in the order in which they were drawn.

A candidate is looked at after a quarter and after half of its own epochs, and stopped if its score is below the median
of those that were there before it. Asynchronous halving takes "before" by the clock, so which are stopped depends on
which worker is first. Here it is by their numbers: what is stopped is a function of the scores alone, the same on one
core and on a cluster, undisturbed or killed and begun again. Nobody waits for it: a candidate whose predecessors
have not come so far trains on, and is stopped when they have.

Candidates are compared at the same share of their epochs, not at the same epoch, for the rate falls over all of them:
a short training is ahead of a long one at the same epoch, and says little of where they end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

LOOKS = (0.25, 0.5)
"""Shares of a candidate's epochs after which it is looked at."""


@dataclass(frozen=True)
class Course:
    """How far a candidate has come."""

    epochs: int
    """That it would be trained for."""
    scores: Sequence[float] = ()
    """After each epoch so far."""
    failed: bool = False
    """Whether no more will come."""


@dataclass(frozen=True)
class Standing:
    """What is known of a candidate."""

    stopped: int | None = None
    """After which epoch it is stopped; None if it is not, or not yet."""
    is_known: bool = True
    """False while it, or one before it, has yet to come to a look that decides."""


def standings(courses: Sequence[Course]) -> list[Standing]:
    """What is to become of each candidate. The first, the default, is never stopped."""
    before: dict[float, list[float]] = {look: [] for look in LOOKS}
    blocked = len(LOOKS)  # looks from this one on lack the score of some candidate
    found = []
    for number, course in enumerate(courses):
        standing = Standing()
        for place, look in enumerate(LOOKS):
            at = math.ceil(look * course.epochs)
            if at >= course.epochs:  # it ends there anyway
                break
            if len(course.scores) < at:
                if not course.failed:
                    blocked, standing = min(blocked, place), Standing(is_known=False)
                break
            score, others = course.scores[at - 1], before[look]
            if place >= blocked:
                standing = Standing(is_known=False)
                break
            is_below = bool(others) and score < median(others)
            others.append(score)
            if is_below and number:
                standing = Standing(stopped=at)
                break
        found.append(standing)
    return found
