"""The choice of groups against the exhaustive search, and its laws on small worlds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from types import MappingProxyType

import numpy as np
import pytest
from grouping import bounds
from scipy import stats

from taskaffinity.grouping.budget import Budget, Price, fitted_price
from taskaffinity.grouping.choose import MOST_EXACT, all_in_one, choose_groups, pairs, single_task
from taskaffinity.grouping.choose import pairs as by_partner
from taskaffinity.grouping.draws import shares_of
from taskaffinity.grouping.exact import best_grouping
from taskaffinity.grouping.gains import BoolArray, FloatArray, GroupGains, MeasuredGains, Worth, group_values
from taskaffinity.grouping.grouping import Grouping, NoGrouping
from taskaffinity.grouping.helpers import select_helpers
from taskaffinity.grouping.swap import good_grouping, improved

NOTHING: Mapping[tuple[int, ...], FloatArray] = MappingProxyType({})


def random_gains(size: int, seed: int, unknown: float = 0.0) -> FloatArray:
    rng = np.random.default_rng([size, seed])
    worth = rng.normal(0, 5, (size, size))
    worth[rng.random((size, size)) < unknown] = np.nan
    np.fill_diagonal(worth, np.nan)
    return worth


Trained = Mapping[tuple[int, ...], FloatArray]


def value_by_hand(worth: FloatArray, group: tuple[int, ...], task: int, trained: Trained = NOTHING) -> float:
    """The mean gain from the other members, or the gain in the trained group, in plain Python."""
    if group in trained and trained[group][task] == trained[group][task]:
        return float(trained[group][task])
    gains = [float(worth[other, task]) for other in group if other != task]
    if task not in group or any(gain != gain for gain in gains):
        return -np.inf
    return sum(gains) / len(gains) if gains else 0.0


def exhaustive(worth: FloatArray, price: Price, total: float, trained: Trained = NOTHING) -> float:
    """The largest sum of values over every family of groups that the budget allows; minus infinity if none does."""
    size = len(worth)
    groups = [group for n in range(1, size + 1) for group in combinations(range(size), n)]
    rows = np.array([[value_by_hand(worth, group, task, trained) for task in range(size)] for group in groups])
    prices = np.array([price.fixed + sum(price.per_task[list(group)]) for group in groups])

    def best(start: int, left: float, served: FloatArray) -> float:
        found = float(served.sum())
        for place in range(start, len(groups)):
            if prices[place] <= left + 1e-9:
                found = max(found, best(place + 1, left - prices[place], np.maximum(served, rows[place])))
        return found

    return best(0, total, np.full(size, -np.inf))


def exhaustive_two(worth: FloatArray) -> float:
    """The same for two models, fast enough for eight tasks."""
    size = len(worth)
    groups = [group for n in range(1, size + 1) for group in combinations(range(size), n)]
    rows = np.array([[value_by_hand(worth, group, task) for task in range(size)] for group in groups])
    return float(max(np.maximum(row, rows).sum(axis=1).max() for row in rows))


def checked_total(grouping: Grouping, worth: FloatArray, trained: Trained = NOTHING) -> float:
    """The sum of values by hand; every task is served by a group that trains on it."""
    groups = [grouping.groups[group] for group in grouping.serves]
    return sum(value_by_hand(worth, group, task, trained) for task, group in enumerate(groups))


@pytest.mark.parametrize(("size", "models"), [(2, 1), (2, 2), (3, 1), (3, 2), (3, 3), (4, 1), (4, 2), (4, 3), (5, 2)])
@pytest.mark.parametrize("unknown", [0.0, 0.2])
def test_the_exact_choice_is_that_of_the_exhaustive_search(size: int, models: int, unknown: float) -> None:
    for seed in range(3):
        worth = random_gains(size, seed, unknown)
        budget = Budget.of_models(models, size)
        best = exhaustive(worth, budget.price, models)
        if np.isinf(best):
            for search in (best_grouping, good_grouping):
                with pytest.raises(NoGrouping):
                    search(worth, budget)
            continue
        found = best_grouping(worth, budget)
        assert checked_total(found, worth) == pytest.approx(best)
        assert len(found.groups) <= models
        assert checked_total(good_grouping(worth, budget), worth) == pytest.approx(best)


@pytest.mark.parametrize(("size", "models"), [(3, 1), (3, 2), (4, 1), (4, 2), (4, 3), (5, 2)])
def test_trained_groups_count_with_their_gains_in_every_search(size: int, models: int) -> None:
    chosen = 0
    for seed in range(6):
        pairs, rng = random_gains(size, seed), np.random.default_rng([size, models, seed])
        trained = {group: np.full(size, np.nan) for group in (tuple(range(size)), (0, 1, 2))}
        for group, gains in trained.items():
            gains[list(group)] = rng.normal(2, 4, len(group))
        trained[0, 1, 2][1] = np.nan  # not tested: the pairs count
        worth, budget = Worth(pairs, trained), Budget.of_models(models, size)
        best = exhaustive(pairs, budget.price, models, trained)
        for search in (best_grouping, good_grouping):
            found = search(worth, budget)
            assert checked_total(found, pairs, trained) == pytest.approx(best)
            assert float(found.values(worth).sum()) == pytest.approx(best)
            chosen += any(group in trained for group in found.groups)
    assert chosen


def test_a_worth_without_trained_groups_is_its_pairs() -> None:
    pairs, budget = random_gains(6, 2), Budget.of_models(3, 6)
    for choose in (
        lambda one: best_grouping(one, budget),
        lambda one: good_grouping(one, budget),
        all_in_one,
        by_partner,
    ):
        assert choose(Worth(pairs, {})) == choose(pairs)


def test_draws_draw_the_gain_of_a_trained_group() -> None:
    """Two models of three tasks, of which the trained one is as good as the others on average."""
    gain = np.zeros((3, 3))
    np.fill_diagonal(gain, np.nan)
    for level, share in ((10.0, 1.0), (-10.0, 0.0)):
        whole = MeasuredGains(*(np.full(3, value) for value in (level, level, 1.0, 10.0)))
        gains = replace(gains_of(gain, 0.1), groups={(0, 1, 2): whole})
        one = shares_of(all_in_one(gains.worth), gains, Budget.of_models(2, 3), draws=50)
        assert one is not None
        assert one.groups == (share,)
    loose = MeasuredGains(*(np.full(3, value) for value in (0.0, 0.0, 5.0, 10.0)))
    gains = replace(gains_of(gain, 0.001), groups={(0, 1, 2): loose})
    drawn = shares_of(all_in_one(gains.worth), gains, Budget.of_models(2, 3), draws=200)
    assert drawn is not None
    assert 0.5 < drawn.groups[0] < 1  # in the best grouping unless all three draws are negative, or served otherwise


@pytest.mark.parametrize("size", [6, 7, 8])
def test_two_models_of_up_to_eight_tasks_have_no_regret(size: int) -> None:
    worth = random_gains(size, 0)
    best = exhaustive_two(worth)
    for search in (best_grouping, good_grouping):
        assert checked_total(search(worth, Budget.of_models(2, size)), worth) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(4))
def test_a_budget_of_hours_is_kept_and_used_best(seed: int) -> None:
    worth, rng = random_gains(4, seed), np.random.default_rng(seed)
    price = Price(0.5, rng.uniform(0.2, 2, 4))
    total = float(price.of(np.ones((1, 4), dtype=np.bool_))[0]) * (1.2 + 0.4 * seed)
    for search in (best_grouping, good_grouping):
        found = search(worth, Budget(price, total))
        assert price.of(found.members()).sum() <= total + 1e-9
        assert checked_total(found, worth) == pytest.approx(exhaustive(worth, price, total))
    with pytest.raises(NoGrouping):
        best_grouping(worth, Budget(price, 0.9 * float(price.of(np.ones((1, 4), dtype=np.bool_))[0])))


@pytest.mark.parametrize(
    ("size", "models"), [(9, 3), *(pytest.param(n, 4, marks=pytest.mark.slow) for n in (10, 11, 12))]
)
def test_swaps_come_within_five_percent_of_the_exact_choice(size: int, models: int) -> None:
    worth, budget = random_gains(size, 1), Budget.of_models(models, size)
    exact, swapped = (checked_total(search(worth, budget), worth) for search in (best_grouping, good_grouping))
    assert 0.95 * exact <= swapped <= exact + 1e-9


def test_many_tasks_are_grouped_by_swaps_and_few_exactly() -> None:
    for size, method in ((2, "exact"), (MOST_EXACT + 1, "greedy and swap")):
        worth = random_gains(size, 2)
        found = choose_groups(worth, Budget.of_models(2, size))
        assert (found.method, len(found.groups) <= 2) == (method, True)
        assert checked_total(found, worth) >= checked_total(all_in_one(worth), worth)


def test_two_tasks_reduce_to_their_arrows() -> None:
    worth = np.array([[np.nan, 3.0], [-1.0, np.nan]])
    found = best_grouping(worth, Budget.of_models(1, 2))
    assert (found.groups, found.values(worth).tolist()) == (((0, 1),), [-1.0, 3.0])
    found = best_grouping(worth, Budget.of_models(2, 2))
    assert sorted(found.groups) == [(0,), (0, 1)]
    assert found.values(worth).tolist() == [0.0, 3.0]


def test_a_member_that_helps_nobody_is_left_out_and_groups_are_the_same_whatever_the_order() -> None:
    worth = np.full((4, 4), -1.0)
    worth[0, 1] = worth[0, 2] = 4.0
    np.fill_diagonal(worth, np.nan)
    found = best_grouping(worth, Budget.of_models(4, 4))
    assert sorted(found.groups) == [(0,), (0, 1), (0, 2), (3,)]
    order = np.array([2, 0, 3, 1])
    moved = best_grouping(worth[np.ix_(order, order)], Budget.of_models(4, 4))
    assert sorted(tuple(sorted(order[list(group)].tolist())) for group in moved.groups) == sorted(found.groups)


def test_the_fixed_choices() -> None:
    worth = np.array([[np.nan, 5.0, np.nan], [-1.0, np.nan, 2.0], [-2.0, 6.0, np.nan]])
    assert single_task(worth).values(worth).tolist() == [0.0, 0.0, 0.0]
    assert all_in_one(worth).values(worth)[:2].tolist() == [-1.5, 5.5]
    assert np.isnan(all_in_one(worth).values(worth)[2])
    found = pairs(worth)
    assert sorted(found.groups) == [(0,), (1, 2)]
    assert found.values(worth).tolist() == [0.0, 6.0, 2.0]


def gains_of(gain: FloatArray, se: float, risk: float | None = None) -> GroupGains:
    errors, df = np.full_like(gain, se), np.full_like(gain, 10.0)
    return GroupGains(gain, bounds(gain, errors, df, risk), errors, df, np.zeros(gain.shape, dtype=np.bool_))


def test_a_bound_of_half_is_the_gain_and_estimates_fill_only_what_is_unknown() -> None:
    gain = random_gains(3, 0)
    assert np.nanmax(np.abs(bounds(gain, np.ones((3, 3)), np.full((3, 3), 9.0), 0.5) - gain)) < 1e-12
    # The quantile of t with 10 degrees of freedom at 0.05, from a printed table.
    assert bounds(np.zeros(1), np.ones(1), np.full(1, 10.0), 0.05)[0] == pytest.approx(-1.812, abs=5e-4)
    gain[0, 1] = np.nan
    known = gains_of(gain, 1.0, 0.05)
    filled = known.filled(*(np.full((3, 3), value) for value in (7.0, 3.5, 2.0, np.inf)))
    assert np.argwhere(filled.estimated).tolist() == [[0, 1]]
    assert [float(array[0, 1]) for array in (filled.gain, filled.bound, filled.se, filled.df)] == [7, 3.5, 2, np.inf]
    assert not filled.unknown.any()
    assert filled.gain[1, 0] == gain[1, 0]


def test_a_clear_choice_is_chosen_in_every_draw_and_a_toss_up_in_about_half() -> None:
    gain = np.array([[np.nan, 20.0, -20.0], [20.0, np.nan, -20.0], [-20.0, -20.0, np.nan]])
    budget = Budget.of_models(2, 3)
    clear = gains_of(gain, 1.0)
    found = shares_of(choose_groups(gain, budget), clear, budget, draws=50)
    assert found is not None
    assert (found.groups, found.regret) == ((1.0, 1.0), 0.0)
    even = np.array([[np.nan, 0.0], [-20.0, np.nan]])  # whether task 0 helps task 1 is a toss-up
    two = Budget.of_models(2, 2)
    tossed = shares_of(choose_groups(even, two), gains_of(even, 1.0), two, draws=400)
    assert tossed is not None
    assert tossed.groups[0] == 1.0
    assert tossed.groups[1] == pytest.approx(0.5, abs=0.1)
    assert tossed.regret == pytest.approx(0.5 * stats.t(10).expect(lambda x: x, lb=0), abs=0.06)
    assert shares_of(single_task(gain), gains_of(gain, np.nan), budget) is None


@pytest.mark.parametrize(("df", "law"), [(1.0, stats.t(1)), (np.inf, stats.norm()), (10.0, stats.t(10))])
def test_a_draw_has_an_error_of_its_standard_error_and_degrees_of_freedom(df: float, law: object) -> None:
    """Two tasks and two models: task 0 helps task 1 in the draws above 0, and never is helped itself."""
    gain = np.array([[np.nan, 1.4], [-9.0, np.nan]])
    errors = np.array([[np.nan, 2.0], [1e-3, np.nan]])
    gains = replace(gains_of(gain, 1.0), bound=gain - 0.1, se=errors, df=np.full((2, 2), df))
    budget = Budget.of_models(2, 2)
    drawn = shares_of(choose_groups(gains.worth, budget), gains, budget, draws=900)
    assert drawn is not None
    assert drawn.draws == 900
    assert drawn.groups == (1.0, pytest.approx(law.sf(-0.7), abs=0.05))  # three standard errors
    if df > 1:  # the other draws, in which task 1 were better off by itself, over two tasks
        lost = 2 * law.expect(lambda error: -0.7 - error, ub=-0.7) / 2
        assert drawn.regret == pytest.approx(lost, abs=0.05)


@pytest.mark.parametrize("se", [np.nan, 1.0])
def test_draws_do_not_use_a_gain_without_a_bound(se: float) -> None:
    """A gain of one seed, from task 2 to task 0, would make a better group; its error is not needed."""
    gain = np.array([[np.nan, -5.0, -0.5], [-5.0, np.nan, -1.0], [50.0, -1.0, np.nan]])
    bound, errors = gain.copy(), np.full((3, 3), 0.01)
    bound[2, 0], errors[2, 0] = np.nan, se
    gains, budget = replace(gains_of(gain, 1.0), bound=bound, se=errors), Budget.of_models(2, 3)
    chosen = choose_groups(gains.worth, budget)
    assert chosen.groups == ((0,), (1, 2))
    drawn = shares_of(chosen, gains, budget, draws=20)
    assert drawn is not None
    assert (drawn.groups, drawn.regret) == ((1.0, 1.0), 0.0)


def test_one_draw_is_a_draw_and_none_is_not() -> None:
    gain, budget = random_gains(3, 1), Budget.of_models(2, 3)
    one = shares_of(choose_groups(gain, budget), gains_of(gain, 1.0), budget, draws=1)
    assert one is not None
    assert one.draws == 1
    assert set(one.groups) <= {0.0, 1.0}
    assert shares_of(choose_groups(gain, budget), gains_of(gain, 1.0), budget, draws=0) is None


@pytest.mark.parametrize("models", [1, 2, 4])
def test_a_search_starts_from_the_best_of_the_chosen_and_the_earlier_groupings(
    models: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every start has a row for each model of the budget, and its sum is the largest of all that are known."""
    searches: list[tuple[BoolArray, Worth, BoolArray]] = []

    def recorded(first: BoolArray, worth: Worth, budget: Budget) -> BoolArray:
        searches.append((first, worth, improved(first, worth, budget)))
        return searches[-1][2]

    def sum_of(members: BoolArray, worth: Worth) -> float:
        rows = [tuple(np.flatnonzero(row)) for row in members]
        return sum(max(value_by_hand(worth.pairs, row, task) for row in rows) for task in range(4))

    monkeypatch.setattr("taskaffinity.grouping.draws.improved", recorded)
    gain = random_gains(4, 5) / 5
    chosen = all_in_one(gain)
    assert shares_of(chosen, gains_of(gain, 2.0), Budget.of_models(models, 4), draws=40) is not None
    known = [searches[0][0]]
    assert known[0].sum(axis=1).tolist() == [4] + [0] * (models - 1)
    for first, worth, best in searches:
        assert first.shape == (models, 4)
        assert any(np.array_equal(first, one) for one in known)
        assert sum_of(first, worth) == pytest.approx(max(sum_of(one, worth) for one in known))
        known.append(best)
    assert len({first.tobytes() for first, _, _ in searches}) > 1 or models == 1  # else the test shows nothing


def test_helpers_come_in_order_and_only_trained_sets_choose_two() -> None:
    gain = np.full((4, 4), np.nan)
    gain[[1, 2, 3], 0] = [2.0, 6.0, -3.0]
    by_pairs = select_helpers(gains_of(gain, 0.1), 0)
    assert [step.source for step in by_pairs] == [2, 1, 3]
    assert [step.is_chosen for step in by_pairs] == [True, False, False]
    assert by_pairs[1].set_gain == pytest.approx(4.0)
    trained = {}
    for helpers in ((1, 2), (1, 3), (2, 3), (1, 2, 3)):
        found = np.array([gain[list(helpers), 0].sum(), *[np.nan] * 3])  # only the target's gain is tested
        trained[0, *helpers] = MeasuredGains(found, found, np.full(4, 0.1), np.full(4, 10.0))
    sums = select_helpers(replace(gains_of(gain, 0.1), groups=trained), 0)
    assert [step.is_chosen for step in sums] == [True, True, False]
    harmful = select_helpers(gains_of(-np.abs(gain), 0.1), 0)
    assert not any(step.is_chosen for step in harmful)


def test_the_price_of_a_model_follows_from_the_runs() -> None:
    true = Price(0.3, np.array([1.0, 2.0, 0.5]))
    sets = [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2)]
    runs = [(tasks, true.fixed + float(true.per_task[list(tasks)].sum())) for tasks in sets]
    found = fitted_price(3, runs)
    assert found is not None
    assert found.of(np.ones((1, 3), dtype=np.bool_))[0] == pytest.approx(3.8)
    assert fitted_price(3, runs[:2]) is None
    assert fitted_price(3, [*runs[:2], ((2,), 0.0)]) is None  # a run without a price says nothing


def test_runs_of_single_tasks_say_nothing_of_a_fixed_price_so_a_model_costs_their_sum() -> None:
    found = fitted_price(3, [((0,), 3.0), ((1,), 4.0), ((2,), 5.0), ((2,), 5.0)])
    assert found is not None
    assert found.of(np.array([[True, False, False], [False, True, True], [True, True, True]])).tolist() == (
        pytest.approx([3.0, 9.0, 12.0])
    )


def test_an_unknown_gain_serves_nobody_but_leaves_the_other_direction() -> None:
    worth = np.array([[np.nan, 3.0], [np.nan, np.nan]])
    assert group_values(np.array([[True, True]]), worth).tolist() == [[-np.inf, 3.0]]


def test_a_budget_pays_for_so_many_models_and_says_by_what_share_groups_exceed_it() -> None:
    price = Price(1.0, np.array([1.0, 2.0, 3.0, 4.0]))  # a model costs 2 at least
    assert [Budget(price, total).most_groups for total in (1, 5, 7.9, 8, 100)] == [1, 2, 3, 4, 4]
    members = np.array([[True, True, False, False], [False, False, True, True]])  # 4 and 8
    assert Budget(price, 12.0).excess(members) == 0
    assert Budget(price, 10.0).excess(members) == pytest.approx(0.2)


def test_a_budget_is_kept_whatever_its_unit() -> None:
    """Two models of two tasks each would pay; the budget has the price of one."""
    worth = np.full((4, 4), -9.0)
    worth[0, 1] = worth[1, 0] = worth[2, 3] = worth[3, 2] = 5.0
    np.fill_diagonal(worth, np.nan)
    for unit in (1e-9, 1.0, 1e9):
        price = Price(unit, np.full(4, unit))
        found = best_grouping(worth, Budget(price, 6 * unit))
        assert float(price.of(found.members()).sum()) <= 6 * unit * (1 + 1e-9)
        with pytest.raises(NoGrouping):
            best_grouping(worth, Budget(price, 4 * unit))
