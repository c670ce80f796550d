"""Default encoder and default recipes of a suite."""

from __future__ import annotations

from dataclasses import replace

from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import (
    FINETUNE,
    FINETUNE_FROM_SCRATCH,
    FROM_SCRATCH,
    PAPER_FINETUNE,
    PAPER_REFINE,
    REFINE,
    Recipe,
    finetune_after,
)
from taskaffinity.runs.study import Protocol
from taskaffinity.tasks.suite import Suite

DEFAULT_ENCODERS = {
    "clinical": "bluebert-pm",
    "biomedical": "bluebert-p",
    "blue": "bluebert-p",
    "open-clinical": "bluebert-pm",
}
"""As in the paper: BlueBERT (P+M) for clinical text, BlueBERT (P) for all other suites, also those of the user."""


def default_recipe(suite: Suite, encoder: str | None, protocol: Protocol = "honest") -> Recipe:
    """Return the recipe of joint training: the paper's, or the one for the tiny encoder.

    Raises
    ------
    InputError
        If the paper's protocol is requested with the tiny encoder, which needs other settings.
    """
    if protocol == "paper":
        if is_tiny(suite, encoder):
            raise InputError("--protocol paper: needs real text or a pre-trained encoder; give --data, or an --encoder")
        return PAPER_REFINE
    return FROM_SCRATCH if is_tiny(suite, encoder) else REFINE


def default_finetune(suite: Suite, encoder: str | None, recipe: Recipe) -> dict[str, Recipe]:
    """Return the fine-tuning recipe of each task, after joint training with ``recipe``.

    Learning rate and epochs come from the text of the paper, or from its released scripts under the paper's protocol.
    The tiny encoder has its own.
    """
    preset = FINETUNE_FROM_SCRATCH if is_tiny(suite, encoder) else FINETUNE
    recipes = {task.name: finetune_after(recipe, preset) for task in suite}
    if recipe.protocol == "paper":
        for name in recipes.keys() & PAPER_FINETUNE.keys():
            epochs, rate = PAPER_FINETUNE[name]
            recipes[name] = replace(recipe, num_train_epochs=epochs, learning_rate=rate)
    return recipes


def is_tiny(suite: Suite, encoder: str | None) -> bool:
    """Whether the suite is trained with the tiny encoder: two layers from random weights."""
    return suite.synthetic and encoder is None
