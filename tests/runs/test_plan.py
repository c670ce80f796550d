"""What a question needs: counted a second way, in an order that can be run."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskaffinity.runs.plan import Plan, compute_matched, controls, default_single_seeds, pairwise
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec, TaskRef

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


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 5))
def test_a_plan_has_b_single_task_seeds_and_s_seeds_of_a_pair(n: int, s: int, more: int) -> None:
    plan = pairwise(refs(n), ENCODER, Recipe(), range(s), seeds_single=range(s + more))
    assert len(plan) == (s + more) * n + s * n * (n - 1) // 2
    seeds: dict[tuple[str, ...], set[int]] = {}
    for run in plan:
        seeds.setdefault(run.task_names, set()).add(run.seed)
    assert len(seeds) == n + n * (n - 1) // 2
    for names, own in seeds.items():
        assert own == set(range(s + more if len(names) == 1 else s))


def test_more_single_task_seeds_only_add_single_task_runs() -> None:
    few = pairwise(refs(4), ENCODER, Recipe(), [0, 1])
    many = pairwise(refs(4), ENCODER, Recipe(), [0, 1], seeds_single=[0, 1, 2])
    assert pairwise(refs(4), ENCODER, Recipe(), [0, 1], seeds_single=[0, 1]) == few
    assert set(few) < set(many)
    assert {(run.arm, run.seed) for run in set(many) - set(few)} == {("single", 2)}
    assert len(many) - len(few) == 4


@pytest.mark.parametrize("more_single", [False, True], ids=["as many single-task runs", "more single-task runs"])
@settings(deadline=None, max_examples=30)
@given(n=st.integers(2, 6), few=st.integers(1, 4), more=st.integers(0, 4))
def test_adding_seeds_trains_only_what_is_new(more_single: bool, n: int, few: int, more: int) -> None:
    def plan(seeds: int) -> set[RunSpec]:
        single = range(default_single_seeds(n, seeds)) if more_single else None
        what = (refs(n), ENCODER, Recipe())
        arms = (
            pairwise(*what, range(seeds), seeds_single=single),
            compute_matched(*what, range(seeds)),
            controls(*what, range(seeds), range(100, 100 + seeds)),
        )
        return {run for arm in arms for run in arm}

    assert plan(few) <= plan(few + more)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 4))
def test_every_task_is_matched_to_each_of_its_partners(n: int, s: int) -> None:
    plan = compute_matched(refs(n), ENCODER, Recipe(), range(s))
    assert len(plan) == n * (n - 1) * s
    assert {run.variant for run in plan} <= {"matched"}
    arrows = {(target, source) for target in refs(n) for source in refs(n) if target != source}
    assert {(run.tasks[0], run.partner, run.seed) for run in plan} == {(*a, seed) for a in arrows for seed in range(s)}


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 4))
def test_each_task_has_a_placebo_and_its_halves_apart_and_together(n: int, s: int) -> None:
    plan = controls(refs(n), ENCODER, Recipe(), range(s), range(100, 100 + s))
    assert len(plan) == 3 * n * s
    assert Counter((run.arm, run.tasks) for run in plan) == {
        (arm, (ref,)): s for arm in ("placebo", "half", "halves") for ref in refs(n)
    }
    for run in plan:
        assert run.seed in (range(100, 100 + s) if run.arm == "placebo" else range(s))


def test_controls_and_matched_runs_are_never_the_pairwise_ones() -> None:
    what = (refs(3), ENCODER, Recipe())
    arms = (pairwise(*what, [0, 1], full=True), compute_matched(*what, [0, 1]), controls(*what, [0, 1], [0, 1]))
    assert len(Plan.of(run for arm in arms for run in arm)) == sum(map(len, arms))


@pytest.mark.parametrize(
    ("n_tasks", "n_seeds", "single"),
    [(1, 3, 3), (2, 1, 1), (2, 3, 3), (2, 7, 7), (4, 3, 6), (5, 1, 2), (5, 3, 6), (8, 3, 8), (10, 3, 9), (17, 5, 20)],
)
def test_a_single_task_gets_the_root_of_its_partners_times_the_seeds(n_tasks: int, n_seeds: int, single: int) -> None:
    assert default_single_seeds(n_tasks, n_seeds) == single


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(1, 50))
def test_single_task_seeds_are_the_fewest_whose_square_is_enough(n: int, s: int) -> None:
    single = default_single_seeds(n, s)
    assert (single - 1) ** 2 < s**2 * (n - 1) <= single**2
