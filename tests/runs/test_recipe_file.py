"""A recipe file: what is written is read back; what is broken is one line with its place."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import FINETUNE, FROM_SCRATCH, Recipe
from taskaffinity.runs.recipe_file import RecipeFile, read_recipe, write_recipe
from taskaffinity.runs.settings import TYPES


@pytest.mark.parametrize("recipe", [FROM_SCRATCH, Recipe(1e-5, encoder_dropout=0.0, max_train_examples=7)])
def test_what_is_written_is_read_back(recipe: Recipe, tmp_path: Path) -> None:
    settings = {name: value for name, value in asdict(recipe).items() if name in TYPES}
    said = RecipeFile(settings, {"learning_rate": FINETUNE.learning_rate, "num_train_epochs": 3})
    write_recipe(tmp_path / "recipe.yaml", said, ["SearchResult by chance.", ""], {"learning_rate": "default: 5e-05"})
    assert read_recipe(tmp_path / "recipe.yaml") == said
    assert (tmp_path / "recipe.yaml").read_text().startswith("# SearchResult by chance.\n#\nlearning_rate: ")


def test_a_setting_may_go_by_its_long_name_and_none_is_no_limit(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("per_device_train_batch_size: 8\nmax_train_examples: none\n")
    assert read_recipe(path).settings == {"batch_size": 8, "max_train_examples": None}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("batch_size: 8\nlearning_rat: 1e-3\n", 2, "unknown key 'learning_rat'; expected one of learning_rate"),
        ("learning_rat: 1e-3\n", 1, "did you mean learning_rate?"),
        ("\nlearning_rate: fast\n", 2, "found 'fast' as learning_rate; expected a number"),
        ("batch_size: 2.5\n", 1, "found '2.5' as batch_size; expected a whole number"),
        ("batch_size: 0\n", 1, "found 0 as batch_size; expected it to be at least 1"),
        ("batch_size: none\n", 1, "as batch_size; expected a whole number"),
        ("learning_rate: nan\n", 1, "expected a number"),
        ("warmup_ratio: 1\n", 1, "expected it to lie in [0, 1)"),
        ("optimizer: sgd\n", 1, "found 'sgd' as optimizer; expected adamax or adamw"),
        ("batch_size: [8]\n", 1, "found a list of 1 as batch_size"),
        ("batch_size: 8\nbatch_size: 9\n", 2, "key 'batch_size' again (first: line 1)"),
        ("batch_size: 8\nper_device_train_batch_size: 9\n", 2, "by two names"),
        ("threads: 2\n", 1, "expected it to be given by --cpus-per-run"),
        ("device: cuda\n", 1, "expected it to be given by --gpus-per-run"),
        ("protocol: paper\n", 1, "expected it to be given by --protocol"),
        ("finetune: 3\n", 1, "found '3' as finetune"),
        ("finetune:\n  batch_sise: 3\n", 2, "did you mean batch_size?"),
        ("finetune:\n  sample_seed: 3\n", 2, "sample_seed under finetune"),
        ("finetune:\n  finetune: {batch_size: 3}\n", 2, "unknown key 'finetune'"),
        ("batch_size: {\n", 1, "broken YAML"),
        ("- batch_size\n", None, "found a list of 1; expected settings"),
        ("batch_size\n", None, "found no mapping; expected settings"),
        ("# nothing\n", None, "found an empty file; expected the YAML of a recipe"),
    ],
)
def test_what_is_broken_is_one_line_with_its_place(text: str, line: int | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_recipe(path)
    message = str(error.value)
    assert message.startswith(f"{path}: line {line}: found " if line else f"{path}: found ")
    assert said in message
    assert "; expected " in message
    assert "\n" not in message
