"""What a question needs: counted a second way, in an order that can be run."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskaffinity.runs.plan import Plan, pairwise
from taskaffinity.runs.spec import EncoderRef, Recipe, RunSpec, TaskRef

ENCODER = EncoderRef("tiny", "e1")


def refs(n: int) -> list[TaskRef]:
    return [(name, f"data of {name}") for name in "hgfedcba"[-n:]]


def spec(*names: str, seed: int = 0, parent: RunSpec | None = None) -> RunSpec:
    return RunSpec(tuple((name, f"data of {name}") for name in names), ENCODER, seed, Recipe(), parent)


@given(st.integers(1, 8), st.integers(1, 4), st.booleans())
def test_n_tasks_and_s_seeds_are_every_single_and_every_pair(n: int, s: int, full: bool) -> None:
    plan = pairwise(refs(n), ENCODER, Recipe(), range(s), full=full)
    whole = full and n > 2
    assert len(plan) == s * (n + n * (n - 1) // 2 + whole)
    for seed in range(s):
        subsets = {frozenset(run.task_names) for run in plan if run.seed == seed}
        names = [name for name, _ in refs(n)]
        expected = {frozenset(c) for size in (1, 2) for c in combinations(names, size)}
        assert subsets == expected | ({frozenset(names)} if whole else set())


def test_the_order_of_the_tasks_does_not_change_the_plan() -> None:
    one = pairwise(refs(4), ENCODER, Recipe(), [0, 1])
    other = pairwise(refs(4)[::-1], ENCODER, Recipe(), [0, 1])
    assert one == other
    assert [run.run_id for run in one] == [run.run_id for run in other]


def test_every_run_has_the_recipe_and_the_encoder_that_were_asked_for() -> None:
    recipe = Recipe(batch_size=7)
    assert {(run.recipe, run.encoder) for run in pairwise(refs(3), ENCODER, recipe, [5])} == {(recipe, ENCODER)}


def test_parents_come_first_even_where_they_are_not_named() -> None:
    parent = spec("a", "b")
    child, grandchild = spec("a", parent=parent), spec("a", parent=spec("a", parent=parent))
    plan = Plan.of([grandchild, child, parent])
    assert set(plan) == {parent, child, grandchild}
    order = list(plan)
    assert all(order.index(older) < order.index(run) for run in plan for older in run.lineage)


def test_a_run_that_is_named_twice_is_run_once() -> None:
    assert len(Plan.of([spec("a"), spec("a"), spec("b")])) == 2


def test_a_union_trains_what_is_shared_once_and_only_adds_what_is_new() -> None:
    three, four = (pairwise(refs(n), ENCODER, Recipe(), [0]) for n in (3, 4))
    both = three | four
    assert set(both) == set(three) | set(four) == set(four)
    assert list(both)[: len(three)] == list(three)
    assert len(both) - len(three) == 1 + 3
    assert (three | three) == three


@pytest.mark.parametrize("n", [1, 2])
def test_the_whole_set_of_one_or_two_tasks_is_there_already(n: int) -> None:
    assert pairwise(refs(n), ENCODER, Recipe(), [0], full=True) == pairwise(refs(n), ENCODER, Recipe(), [0])


def test_a_plan_knows_its_runs() -> None:
    plan = pairwise(refs(2), ENCODER, Recipe(), [0])
    assert spec("a") in plan
    assert spec("a", seed=1) not in plan
