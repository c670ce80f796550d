"""Weights of losses: the settings ``loss_weight``, ``class_weights`` and ``balance`` of a recipe.

Recipes are compared, hashed and stored. So a mapping is kept as JSON text with sorted keys, without weights of 1 for
tasks. ``loss_weights`` and ``class_weights`` read it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BeforeValidator, Field

from taskaffinity.tasks.kinds import ONE_CLASS as ONE_CLASS
from taskaffinity.tasks.numbers import finite_number

BALANCED: Final = "balanced"
OfClasses = Mapping[str, float] | Literal["balanced"]
"""Weights by class, or ``balanced``."""


def loss_weights(text: str | None) -> dict[str, float]:
    """Return the weights of tasks by name; a task that is not named has the weight 1.

    Raises
    ------
    ValueError
        If the text is no mapping of weights.

    Examples
    --------
    >>> loss_weights("{mednli: 0.5, chemprot: 1}")
    {'mednli': 0.5}
    """
    expected = "a weight of at least 0 for each task, such as {mednli: 0.5}"
    found = {task: _weight(value, "loss_weight", expected) for task, value in _mapping(text, "loss_weight", expected)}
    return {task: weight for task, weight in sorted(found.items()) if weight != 1}


def class_weights(text: str | None) -> dict[str, OfClasses] | Literal["balanced"]:
    """Return the class weights of each task, or ``balanced`` for every task with one class per text.

    Raises
    ------
    ValueError
        If the text is none of these.

    Examples
    --------
    >>> class_weights("{mednli: balanced, chemprot: {'CPR:3': 2}}")
    {'chemprot': {'CPR:3': 2.0}, 'mednli': 'balanced'}
    """
    expected = "balanced, or {task: balanced} or {task: {class: weight above 0}}"
    if text == BALANCED:
        return BALANCED
    found: dict[str, OfClasses] = {}
    for task, value in sorted(_mapping(text, "class_weights", expected)):
        if value == BALANCED:
            found[task] = BALANCED
            continue
        if not isinstance(value, dict) or not value:
            raise ValueError(f"class_weights: no weights of {task[:40]!r}; it must be {expected}")
        weights = {name: _weight(one, "class_weights", expected) for name, one in sorted(value.items())}
        if min(weights.values()) <= 0:
            raise ValueError(f"class_weights: a weight of 0 for a class of {task[:40]!r}; it must be {expected}")
        found[task] = weights
    return found


def restricted(text: str | None, names: Collection[str]) -> str | None:
    """Return a mapping of weights without the tasks that are not named; None if nothing is left."""
    if text is None or text == BALANCED:
        return text
    return _json({task: value for task, value in json.loads(text).items() if task in names})


def _mapping(text: str | None, name: str, expected: str) -> list[tuple[str, Any]]:
    if text is None:
        return []
    try:
        found = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise ValueError(f"{name} is {text[:40]!r}; it must be {expected}")
    return list(found.items())


def _weight(value: object, name: str, expected: str) -> float:
    weight = finite_number(value) if isinstance(value, str) else None
    if weight is None or weight < 0:
        raise ValueError(f"{name}: a weight that is no number of at least 0; it must be {expected}")
    return weight


def _json(content: Mapping[str, Any]) -> str | None:
    return json.dumps(content, sort_keys=True) if content else None


@lru_cache(maxsize=256)
def _canonical_loss(text: str) -> str | None:
    return _json(loss_weights(text))


@lru_cache(maxsize=256)
def _canonical_classes(text: str) -> str | None:
    found = class_weights(text)
    return _json(found) if isinstance(found, Mapping) else found


def _text(value: object) -> object:
    return json.dumps(value) if isinstance(value, Mapping) else value


def _of_loss(value: object) -> object:
    text = _text(value)
    return _canonical_loss(text) if isinstance(text, str) else text


def _of_classes(value: object) -> object:
    text = _text(value)
    return _canonical_classes(text) if isinstance(text, str) else text


LossWeights = Annotated[
    str | None,
    BeforeValidator(_of_loss),
    Field(
        description="Weights of the tasks' losses in runs of several tasks, such as {mednli: 0.5}. Tasks that are not "
        "named have the weight 1. A task of weight 0 has no gradient in the encoder: only its own head learns, as in a "
        "placebo."
    ),
]

ClassWeights = Annotated[
    str | None,
    BeforeValidator(_of_classes),
    Field(
        description="Weights of the classes in the loss: balanced (every class has the same total weight, in tasks "
        "with one class per text), or by task, such as {mednli: balanced, chemprot: {'CPR:3': 2}}. Weights are "
        "scaled to a mean of 1 over the training examples. A weight of 2 is as if every example of the class occurred "
        "twice."
    ),
]

BalanceName = Annotated[
    Literal["uncertainty"] | None,
    Field(
        description="uncertainty learns the weights of the tasks' losses in runs of several tasks, by Kendall et al. "
        "(2018). none keeps them at loss_weight."
    ),
]
