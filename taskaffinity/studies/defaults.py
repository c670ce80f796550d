"""What a study is unless it is told otherwise: the encoder and the recipes that go with a suite."""

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
from taskaffinity.tasks.task import Suite

DEFAULT_ENCODERS = {
    "clinical": "bluebert-pm",
    "biomedical": "bluebert-p",
    "blue": "bluebert-p",
    "open-clinical": "bluebert-pm",
}
"""The paper's: BlueBERT (P+M) for clinical text, BlueBERT (P) for the others and for users' own suites."""


def default_recipe(suite: Suite, encoder: str | None, protocol: Protocol = "honest") -> Recipe:
    """The stand-in's own for its tiny encoder from random weights, else the paper's refinement.

    Raises
    ------
    InputError
        The paper's protocol for the stand-in and its tiny encoder, which need settings of their own.
    """
    if protocol == "paper":
        if is_tiny(suite, encoder):
            raise InputError("--protocol paper: of the paper's encoders and corpora; give --data, or an --encoder")
        return PAPER_REFINE
    return FROM_SCRATCH if is_tiny(suite, encoder) else REFINE


def default_finetune(suite: Suite, encoder: str | None, recipe: Recipe) -> dict[str, Recipe]:
    """What follows a refinement by ``recipe``, by task: the rate and epochs of the paper's text, of its released
    scripts under its protocol, or of the stand-in's own."""
    preset = FINETUNE_FROM_SCRATCH if is_tiny(suite, encoder) else FINETUNE
    found = {task.name: finetune_after(recipe, preset) for task in suite}
    if recipe.protocol == "paper":
        for name in found.keys() & PAPER_FINETUNE.keys():
            epochs, rate = PAPER_FINETUNE[name]
            found[name] = replace(recipe, num_train_epochs=epochs, learning_rate=rate)
    return found


def is_tiny(suite: Suite, encoder: str | None) -> bool:
    """Whether a suite is trained with the stand-in's own encoder, two layers from random weights."""
    return suite.synthetic and encoder is None
