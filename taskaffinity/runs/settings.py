"""Settings of a recipe as text: ``--set`` and recipe files both use them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import NoneType
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter

from taskaffinity.runs.recipe import Recipe

ALIASES = {"per_device_train_batch_size": "batch_size"}
OF_THE_TEST_SET = ("max_eval_examples", "sample_seed")
"""Settings that select the examples that are scored."""
ELSEWHERE: Mapping[str, str] = {"threads": "--cpus-per-run", "device": "--gpus-per-run", "protocol": "--protocol"}
"""Settings with a separate option."""
TYPES: Mapping[str, Any] = {name: hint for name, hint in get_type_hints(Recipe).items() if name not in ELSEWHERE}
"""Type of every setting that ``--set`` and a recipe file may give."""

_PYTHONS_NUMBER = re.compile(r"[-+0-9._eE]*_[-+0-9._eE]*")
_IN_WORDS = {bool: ("true", "false"), int: ("a whole number",), float: ("a number",), NoneType: ("none",)}


def value_of(name: str, text: str) -> Any:
    """Parse a setting's value; ``none`` means no limit.

    Raises
    ------
    pydantic.ValidationError
        If the text does not have the type of the setting.
    """
    given = math.nan if _PYTHONS_NUMBER.fullmatch(text) else text  # pydantic takes Python's 1_0; no setting takes NaN
    return TypeAdapter(TYPES[name]).validate_python(None if text.lower() == "none" else given)


def expected(name: str) -> str:
    """Describe the legal values of a setting.

    Examples
    --------
    >>> expected("learning_rate"), expected("max_train_examples"), expected("optimizer")
    ('a number', 'a whole number or none', 'adamax or adamw')
    """
    hint = TYPES[name]
    kinds = get_args(hint) if NoneType in get_args(hint) else (hint,)
    return " or ".join(word for kind in kinds for word in _IN_WORDS.get(kind, get_args(kind)))
