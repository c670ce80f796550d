"""Stop candidates early by the rule of ASHA, in the order in which they were drawn.

A candidate is judged after a quarter and after half of its epochs. It is stopped if its score is below the median of
the candidates before it. In asynchronous halving, time decides which candidates come before, so the result depends on
the speed of workers. Here the candidates' numbers decide, so the result depends only on the scores. It is the same on
one core and on a cluster, with or without interruptions. No candidate waits: if its predecessors are behind, it
continues, and is stopped later if their scores require it.

Candidates are compared at the same share of their epochs, not at the same epoch. The learning rate falls over all
epochs, so at the same epoch a short training is ahead of a long one.
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
    """Whether it failed, so that it gets no more scores."""


@dataclass(frozen=True)
class Standing:
    """Decision on a candidate."""

    stopped: int | None = None
    """Epoch after which it is stopped; None if it is not, or not yet."""
    is_known: bool = True
    """False while a decisive score of this candidate, or of one before it, is missing."""


def standings(courses: Sequence[Course]) -> list[Standing]:
    """Decide which candidates stop; the first one, the default, never does."""
    before: dict[float, list[float]] = {look: [] for look in LOOKS}
    blocked = len(LOOKS)  # from this comparison on, the score of some candidate is missing
    decisions = []
    for number, course in enumerate(courses):
        standing = Standing()
        for place, look in enumerate(LOOKS):
            at = math.ceil(look * course.epochs)
            if at >= course.epochs:  # its training ends by then
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
