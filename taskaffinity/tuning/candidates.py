"""Draw the recipes that a search tries: the default, then random ones around it.

They are not drawn by Ray Tune, so they are the same on every machine. More samples extend the same sequence.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from taskaffinity.errors import InputError
from taskaffinity.runs.limits import MOST_BATCH, MOST_EPOCHS
from taskaffinity.runs.recipe import Recipe

Draw = Callable[[Any, np.random.Generator], Any]
"""Draws a value, given the default value."""

_WIDEST = 5.0
_HIGHEST = 1e300
_ATTEMPTS = 100
"""Largest number of draws per requested sample. A small space has few different recipes."""


def _rate(default: float, rng: np.random.Generator) -> float:
    drawn = min(_HIGHEST, default * math.exp(rng.uniform(-math.log(_WIDEST), math.log(_WIDEST))))
    return float(f"{drawn:.2g}")  # two digits, so that people can repeat it


def _times(*factors: float, most: int) -> Draw:
    return lambda default, rng: min(most, max(1, round(default * factors[rng.integers(len(factors))])))


def _one_of(*values: float | None) -> Draw:
    return lambda default, rng: values[rng.integers(len(values))]


SPACE: Mapping[str, Draw] = {
    "learning_rate": _rate,
    "num_train_epochs": _times(0.5, 1, 1.5, most=MOST_EPOCHS),
    "batch_size": _times(0.5, 1, 2, most=MOST_BATCH),
    "warmup_ratio": _one_of(0.0, 0.1, 0.2),
    "head_dropout": _one_of(0.0, 0.1, 0.2),
    "encoder_dropout": _one_of(None, 0.0),
}
"""The searched settings. The optimizer is not searched, because the learning rate depends on it."""
SEARCHED_SETTINGS = (
    "learning_rate (a fifth to five times the default), num_train_epochs (0.5, 1 or 1.5 times), batch_size (0.5, 1 or "
    "2 times), warmup_ratio and head_dropout (0, 0.1 or 0.2), encoder_dropout (the encoder's or 0)"
)


def candidates(default: Recipe, samples: int, *, fixed: Collection[str] = (), seed: int = 0) -> tuple[Recipe, ...]:
    """Return the default and up to ``samples`` different recipes around it.

    Parameters
    ----------
    fixed : collection of str
        Settings that keep the default value.
    seed : int
        Seed of the draws. More samples extend the sequence of fewer samples.

    Raises
    ------
    InputError
        If every setting of the space is fixed.
    """
    searched = searched_settings(fixed)
    if not searched:
        raise InputError(f"--set: fixes every searched setting; expected one of {', '.join(SPACE)} to be free")
    rng = np.random.default_rng(seed)
    drawn_recipes = {default: None}  # a dict keeps the order
    for _ in range(_ATTEMPTS * samples):
        if len(drawn_recipes) > samples:
            break
        drawn = {name: SPACE[name](getattr(default, name), rng) for name in searched}
        drawn_recipes.setdefault(dataclasses.replace(default, **drawn))
    return tuple(drawn_recipes)


def searched_settings(fixed: Collection[str] = ()) -> tuple[str, ...]:
    """Return the searched settings, in the order of ``SPACE``."""
    return tuple(name for name in SPACE if name not in fixed)
