"""The recipes of single-task models and of fine-tuning in the paper and its released code."""

from __future__ import annotations

import dataclasses

from taskaffinity.runs.recipe import Recipe
from taskaffinity.tasks.kinds import TRAITS, Kind

PAPER_FINETUNE: dict[str, tuple[int, float]] = {
    "clinicalsts": (30, 5e-5),
    "mednli": (10, 1e-5),
    "i2b2-2010-re": (10, 2e-5),
    "shareclefe": (20, 5e-5),
    "bc5cdr-disease": (20, 6e-5),
    "bc5cdr-chemical": (20, 5e-5),
    "ddi2013-type": (10, 5e-5),
    "chemprot": (20, 2e-5),
}
"""Epochs and learning rate of each task's fine-tuning in the released scripts (``run_blue_fine_tune.sh``)."""

PAPER_SINGLE_EPOCHS: dict[Kind, int] = {kind: traits.paper_epochs for kind, traits in TRAITS.items()}
"""Kind of task -> epochs of the paper's single-task models, as BlueBERT's README gives them for its four kinds. Other
settings (batches of 32 examples, Adam, learning rate 5e-5, warm-up over 10% of the updates, at most 128 tokens, dropout
0.1) are those of joint training. Kinds that the paper lacks are our choice: regression has the epochs of similarity;
classification, multilabel, choice and spans those of relation."""


def paper_single(recipe: Recipe, kind: Kind) -> Recipe:
    """Return the recipe of a single-task model in the paper's tables.

    Other settings are those of ``recipe``. Tagging trains on train and dev; all other kinds train on train only.
    """
    trains_on_dev = None if TRAITS[kind].paper_trains_on_dev else False  # None: as the protocol says
    return dataclasses.replace(recipe, num_train_epochs=PAPER_SINGLE_EPOCHS[kind], train_on_dev=trains_on_dev)
