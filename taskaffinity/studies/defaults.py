"""Default encoder and default recipes of a suite."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from taskaffinity.errors import InputError
from taskaffinity.runs.paper_recipes import PAPER_FINETUNE, paper_single
from taskaffinity.runs.recipe import (
    FINETUNE,
    FINETUNE_FROM_SCRATCH,
    FROM_SCRATCH,
    PAPER_REFINE,
    REFINE,
    Recipe,
    finetune_after,
)
from taskaffinity.runs.study import Protocol
from taskaffinity.tasks.kinds import SCORE_KINDS, TRAITS, Kind
from taskaffinity.tasks.suite import Suite

DEFAULT_ENCODERS = {
    "clinical": "bluebert-pm",
    "biomedical": "bluebert-p",
    "blue": "bluebert-p",
    "open-clinical": "bluebert-pm",
}
"""As in the paper: BlueBERT (P+M) for clinical text, BlueBERT (P) for all other suites, including the user's."""


PAPER_METRICS: dict[Kind, str] = {kind: traits.paper_metric for kind, traits in TRAITS.items() if traits.paper_metric}
"""Official metric under the paper's protocol, by kind; tasks of other kinds keep theirs. The released code scores
mentions with ``conlleval``, and ``span_f1_conlleval`` gives the same counts. Strict span F1 is then secondary."""


def scored_by_protocol(suite: Suite, protocol: Protocol) -> Suite:
    """Return the suite with the official metrics of the protocol."""
    return suite.scored_by(PAPER_METRICS) if protocol == "paper" else suite


def default_recipe(suite: Suite, encoder: str | None, protocol: Protocol = "honest") -> Recipe:
    """Return the recipe of joint training: the paper's, or the one for the tiny encoder.

    Similarity is learned on standardised scores, except under the paper's protocol.

    Raises
    ------
    InputError
        If the paper's protocol is requested with the tiny encoder, which needs other settings.
    """
    if protocol == "paper":
        if is_tiny(suite, encoder):
            raise InputError("--protocol paper: needs real text or a pre-trained encoder; give --data, or an --encoder")
        return PAPER_REFINE
    recipe = FROM_SCRATCH if is_tiny(suite, encoder) else REFINE
    has_similarity = any(task.kind in SCORE_KINDS for task in suite)
    return replace(recipe, similarity_targets="standardized") if has_similarity else recipe


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


def default_single(suite: Suite, recipe: Recipe, given: Collection[str] = ()) -> dict[str, Recipe]:
    """Return the recipe of each task's single-task runs for ``--baseline paper-single``.

    Parameters
    ----------
    recipe : Recipe
        The recipe of joint training. It gives all settings that the paper's single-task recipes do not name.
    given : collection of str
        Settings of the user. They hold for every stage.
    """
    recipes = {task.name: paper_single(recipe, task.kind) for task in suite}
    return {
        name: replace(single, **{setting: getattr(recipe, setting) for setting in given})
        for name, single in recipes.items()
    }


def is_tiny(suite: Suite, encoder: str | None) -> bool:
    """Return whether the suite is trained with the tiny encoder: two layers, random weights."""
    return suite.synthetic and encoder is None
