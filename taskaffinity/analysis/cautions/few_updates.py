"""Find tasks with so few updates that a model hardly learns them.

The number of updates is known before training starts.

An update of Adam or Adamax moves a weight by at most about the learning rate (Kingma and Ba, 2015, section 2.1). So the
sum of the learning rates of a run bounds how far its weights move.
"""

from __future__ import annotations

import math

from taskaffinity.runs.sampling import examples_in_an_epoch
from taskaffinity.runs.study import Study

LEAST_SUM = 1e-3
"""Sum of the learning rates of a run, below which a pre-trained encoder hardly changes. Fine-tuning of RTE, a small
task, with 3 epochs of 2,490 examples, batches of 32 and a peak of 2e-5 comes to 2.3e-3."""


def few_updates(study: Study) -> dict[str, int]:
    """Return the updates of each task that has too few of them.

    The number is that of a single-task run. Tasks of unknown size are left out.

    The learning rate falls linearly, so its mean is half its peak.
    """
    found = {}
    for card in study.tasks:
        recipe = study.single_recipes.get(card.name, study.recipe)
        seen = examples_in_an_epoch(card.used.get("train", 0), recipe.sampling)
        updates = math.ceil(seen / recipe.batch_size) * recipe.num_train_epochs
        if updates and updates * recipe.learning_rate / 2 < LEAST_SUM:
            found[card.name] = updates
    return found


def describe_few_updates(study: Study) -> list[str]:
    """Return a sentence on tasks with too few updates; none without one."""
    found = few_updates(study)
    if not found:
        return []
    named = ", ".join(f"{card.title} {found[card.name]}" for card in study.tasks if card.name in found)
    rates = sorted({study.single_recipes.get(name, study.recipe).learning_rate for name in found})
    return [
        f"Few updates at a learning rate of {' or '.join(f'{rate:g}' for rate in rates)}, so models may hardly learn: "
        f"{named}. Give more epochs (num_train_epochs), a smaller batch_size or a higher learning_rate."
    ]
