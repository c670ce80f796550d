"""Parse settings of a recipe from text, for ``--set`` and recipe files."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter

from taskaffinity.runs.recipe import Recipe
from taskaffinity.tasks.numbers import finite_number

ALIASES = {"per_device_train_batch_size": "batch_size"}
OF_THE_TEST_SET = ("max_eval_examples", "sample_seed")
"""Settings that select the examples that are scored."""
ELSEWHERE: Mapping[str, str] = {"threads": "--cpus-per-run", "device": "--gpus-per-run", "protocol": "--protocol"}
"""Settings with a separate option."""
TYPES: Mapping[str, Any] = {name: hint for name, hint in get_type_hints(Recipe).items() if name not in ELSEWHERE}
"""Type of every setting that ``--set`` and a recipe file may give."""

_IN_WORDS = {
    str: ("a text",),
    bool: ("true", "false"),
    int: ("a whole number",),
    float: ("a number",),
    NoneType: ("none",),
}


def value_of(name: str, text: str) -> Any:
    """Parse a setting's value; ``none`` becomes None.

    Raises
    ------
    pydantic.ValidationError
        If the text does not have the type of the setting.
    """
    if any(kind in (int, float) for kind in _kinds(name)) and finite_number(text) is None:
        text = text if text.lower() == "none" else ""  # pydantic would also read 1_000 and digits of other scripts
    return TypeAdapter(TYPES[name]).validate_python(None if text.lower() == "none" else text)


def expected(name: str) -> str:
    """Describe the legal values of a setting.

    Examples
    --------
    >>> expected("learning_rate"), expected("max_train_examples"), expected("optimizer")
    ('a number', 'a whole number or none', 'adamax or adamw')
    """
    return " or ".join(word for kind in _kinds(name) for word in _IN_WORDS.get(kind, get_args(kind)))


def _kinds(name: str) -> tuple[Any, ...]:
    """Return the types that a setting's value may have."""
    hint = TYPES[name]
    return get_args(hint) if NoneType in get_args(hint) else (hint,)
