"""What a search tries: the default first, the same draws for the same seed, nothing that is fixed."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import FROM_SCRATCH, REFINE, Recipe
from taskaffinity.tuning.candidates import SPACE, candidates, searched_settings


@pytest.mark.parametrize("default", [REFINE, FROM_SCRATCH])
def test_the_default_comes_first_and_no_recipe_twice(default: Recipe) -> None:
    found = candidates(default, 20)
    assert found[0] == default
    assert len(set(found)) == len(found) == 21


def test_the_seed_decides_the_draws_and_more_samples_only_add() -> None:
    assert candidates(REFINE, 12, seed=3) == candidates(REFINE, 12, seed=3)
    assert candidates(REFINE, 12, seed=3)[:6] == candidates(REFINE, 5, seed=3)
    assert candidates(REFINE, 12, seed=3) != candidates(REFINE, 12, seed=4)


@pytest.mark.parametrize("fixed", SPACE)
def test_a_fixed_setting_is_not_searched_and_the_others_are(fixed: str) -> None:
    found = [asdict(recipe) for recipe in candidates(REFINE, 60, fixed=[fixed])]
    varied = {name for name in found[0] if len({recipe[name] for recipe in found}) > 1}
    assert varied == set(SPACE) - {fixed}


def test_draws_stay_within_what_the_help_says() -> None:
    found = candidates(replace(REFINE, num_train_epochs=10, batch_size=32), 200)
    rates = [recipe.learning_rate / REFINE.learning_rate for recipe in found]
    assert 1 / 5.1 <= min(rates) < 1 / 4 < 4 < max(rates) <= 5.1  # two digits
    assert {recipe.num_train_epochs for recipe in found} == {5, 10, 15}
    assert {recipe.batch_size for recipe in found} == {16, 32, 64}
    assert {recipe.warmup_ratio for recipe in found} == {0, 0.1, 0.2}
    assert {recipe.head_dropout for recipe in found} == {0, 0.1, 0.2}
    assert {recipe.encoder_dropout for recipe in found} == {None, 0}


def test_a_space_of_few_recipes_gives_no_more_than_it_holds() -> None:
    found = candidates(REFINE, 50, fixed=[name for name in SPACE if name != "batch_size"])
    assert sorted(recipe.batch_size for recipe in found) == [16, 32, 64]


def test_nothing_left_to_search_is_refused() -> None:
    assert searched_settings(SPACE) == ()
    with pytest.raises(InputError, match="fixes every searched setting"):
        candidates(REFINE, 3, fixed=list(SPACE))
