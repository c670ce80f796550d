"""Early stopping of candidates: the rule of ASHA, in the order in which the candidates were drawn.

A candidate is judged after a quarter and after half of its epochs. It is stopped if its score is below the median of
the candidates before it. In asynchronous halving the clock decides who is before, so the result depends on which worker
is faster. Here the candidates' numbers decide, so the result depends on the scores alone: it is the same on one core
and on a cluster, with or without interruptions. No candidate waits: one whose predecessors are behind trains on, and is
stopped later if their scores say so.

Candidates are compared at the same share of their epochs, not at the same epoch, because the learning rate falls over
all epochs: at the same epoch a short training is ahead of a long one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

LOOKS = (0.25, 0.5)
"""Shares of a candidate's epochs after which it is compared."""


@dataclass(frozen=True)
class Course:
    """Progress of a candidate."""

    epochs: int
    """Epochs of its recipe."""
    scores: Sequence[float] = ()
    """Scores after each epoch so far."""
    failed: bool = False
    """Whether it failed, so that no more scores come."""


@dataclass(frozen=True)
class Standing:
    """Decision on a candidate."""

    stopped: int | None = None
    """Epoch after which it is stopped; None if it is not, or not yet."""
    is_known: bool = True
    """False while a score that decides is missing, of this candidate or of one before it."""


def standings(courses: Sequence[Course]) -> list[Standing]:
    """Decide which candidates stop. The first one, the default, never does."""
    before: dict[float, list[float]] = {look: [] for look in LOOKS}
    blocked = len(LOOKS)  # from this judgement on, the score of some candidate is missing
    decisions = []
    for number, course in enumerate(courses):
        standing = Standing()
        for place, look in enumerate(LOOKS):
            at = math.ceil(look * course.epochs)
            if at >= course.epochs:  # it ends by then
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
        decisions.append(standing)
    return decisions
