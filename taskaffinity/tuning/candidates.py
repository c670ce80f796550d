"""The recipes that a search tries: the default first, then draws around it.

We draw them, not Ray Tune's searcher, so that they are the same on every machine, whatever ends first; more samples
only add to those that were there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import Recipe

Draw = Callable[[Any, np.random.Generator], Any]
"""From the default's value, another."""

_WIDEST = 5.0
_ATTEMPTS = 100
"""Draws for each sample that is wanted: small spaces hold few recipes."""


def _rate(default: float, rng: np.random.Generator) -> float:
    drawn = default * math.exp(rng.uniform(-math.log(_WIDEST), math.log(_WIDEST)))
    return float(f"{drawn:.2g}")  # two digits: what people can read and repeat


def _times(*factors: float) -> Draw:
    return lambda default, rng: max(1, round(default * factors[rng.integers(len(factors))]))


def _one_of(*values: float | None) -> Draw:
    return lambda default, rng: values[rng.integers(len(values))]


SPACE: Mapping[str, Draw] = {
    "learning_rate": _rate,
    "num_train_epochs": _times(0.5, 1, 1.5),
    "batch_size": _times(0.5, 1, 2),
    "warmup_ratio": _one_of(0.0, 0.1, 0.2),
    "head_dropout": _one_of(0.0, 0.1, 0.2),
    "encoder_dropout": _one_of(None, 0.0),
}
"""What is searched. Epochs are, for the rate falls over all of them; the optimiser is not, for it and the rate would
have to be drawn together."""
IN_WORDS = (
    "learning_rate from a fifth to five times the default's, num_train_epochs half, as many or half as many again, "
    "batch_size half, as many or twice as many, warmup_ratio and head_dropout 0, 0.1 or 0.2, encoder_dropout the "
    "encoder's own or 0"
)


def candidates(default: Recipe, samples: int, *, fixed: Collection[str] = (), seed: int = 0) -> tuple[Recipe, ...]:
    """The default, and up to ``samples`` recipes drawn around it, no two the same.

    Parameters
    ----------
    fixed : collection of str
        Settings that are left as the default has them.
    seed : int
        The same seed gives the same draws, and more samples begin with those of fewer.

    Raises
    ------
    InputError
        If every setting of the space is fixed.
    """
    searched = searched_settings(fixed)
    if not searched:
        raise InputError(f"--set: nothing is left to be searched; expected one of {', '.join(SPACE)} to be free")
    rng = np.random.default_rng(seed)
    found = {default: None}  # a dict keeps the order
    for _ in range(_ATTEMPTS * samples):
        if len(found) > samples:
            break
        drawn = {name: SPACE[name](getattr(default, name), rng) for name in searched}
        found.setdefault(dataclasses.replace(default, **drawn))
    return tuple(found)


def searched_settings(fixed: Collection[str] = ()) -> tuple[str, ...]:
    """Settings that are searched, in the order of the space."""
    return tuple(name for name in SPACE if name not in fixed)
