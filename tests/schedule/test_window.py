"""Runs are submitted in order, once, few at a time, and never before the run that they start from has ended."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from taskaffinity.runs.plan import finetuned, multitask_runs, pairwise, warm_started
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.schedule.window import Window, submission_order, window_size

TASKS = [(f"t{place}", f"f{place}") for place in range(4)]
ENCODER, RECIPE, SEEDS = EncoderRef("tiny", "e0"), Recipe(), (0, 1, 2)


def three_generations() -> list[RunSpec]:
    """All tasks together for each seed, from there tasks and pairs, and from each its tasks fine-tuned."""
    refined = multitask_runs(TASKS, ENCODER, RECIPE, SEEDS)
    runs = warm_started(pairwise(TASKS, ENCODER, RECIPE, SEEDS).specs, refined)
    return list(refined | finetuned(runs, dict.fromkeys([name for name, _ in TASKS], RECIPE)))


def cost(spec: RunSpec) -> float:
    return len(spec.tasks) + random.Random(spec.run_id).random()


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_ends_first_few_are_submitted_once_in_order_after_their_parents(size: int, seed: int) -> None:
    draw = random.Random(seed)
    runs = three_generations()
    order = submission_order(draw.sample(runs, len(runs)), cost)
    window, under_way, submitted, ended = Window(order, size), set[RunSpec](), list[RunSpec](), set[RunSpec]()
    while True:
        free = [spec for spec in order if spec not in submitted and (spec.parent is None or spec.parent in ended)]
        entering = window.fill()
        assert entering == free[: size - len(under_way)]  # the first in order that may, and as many as have room
        submitted += entering
        under_way.update(entering)
        assert len(under_way) <= size
        if not under_way:
            break
        for spec in draw.sample(sorted(under_way, key=order.index), draw.randint(1, len(under_way))):
            window.end(spec)
            under_way.remove(spec)
            ended.add(spec)
    assert sorted(submitted, key=order.index) == order
    if size == 1:
        assert submitted == order


def test_a_parent_that_is_not_among_the_runs_holds_nothing_back() -> None:
    """It is done already, or has failed."""
    children = [spec for spec in three_generations() if len(spec.lineage) == 2]
    assert Window(children, len(children)).fill() == children


def test_a_wider_window_lets_more_in_and_a_run_ends_once() -> None:
    window = Window(order := submission_order(three_generations(), cost), 1)
    window.size = 3
    assert window.fill() == order[:3]
    window.size = 1
    assert window.fill() == []
    window.end(order[0])
    with pytest.raises(KeyError):
        window.end(order[0])


def test_the_costliest_of_a_generation_comes_first() -> None:
    order = submission_order(three_generations(), cost)
    for earlier, later in combinations(order, 2):
        assert (len(earlier.lineage), -cost(earlier)) <= (len(later.lineage), -cost(later))
    assert {len(spec.lineage) for spec in order} == {0, 1, 2}


def test_a_window_holds_a_multiple_of_what_can_run_at_once() -> None:
    assert all(slots < window_size(slots) <= max(100, 2 * slots) for slots in (0, 1, 8, 64, 512))
