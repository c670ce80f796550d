"""``--set key=value``: a recipe with some settings changed; ``finetune.key`` is one of the fine-tuning's own."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from taskaffinity.runs.spec import Recipe
from taskaffinity.tasks.task import BadInput

ALIASES = {"per_device_train_batch_size": "batch_size"}
OF_THE_TEST_SET = ("max_eval_examples", "sample_seed")
"""Settings that say which examples a score is of."""
_ELSEWHERE = {"threads": "--cpus-per-run", "protocol": "--protocol"}


def parse(settings: Sequence[str]) -> dict[str, Any]:
    """``key=value`` settings by name, each of its field's type; ``none`` stands for no limit.

    Raises
    ------
    BadInput
        An unknown key (with what may have been meant), or a value that is not of the key's type.
    """
    types = {name: hint for name, hint in get_type_hints(Recipe).items() if name not in _ELSEWHERE}
    values: dict[str, Any] = {}
    for setting in settings:
        given, equals, text = setting.partition("=")
        key = ALIASES.get(given, given)
        if not equals:
            raise BadInput(f"--set {setting}: expected KEY=VALUE")
        if key in _ELSEWHERE:
            raise BadInput(f"--set {key}: given by {_ELSEWHERE[key]}")
        if key not in types:
            close = difflib.get_close_matches(key, [*types, *ALIASES], n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise BadInput(f"--set {key}: no such setting; {hint}there are {', '.join(types)}")
        try:
            values[key] = TypeAdapter(types[key]).validate_python(None if text.lower() == "none" else text)
        except ValidationError as error:
            raise BadInput(f"--set {setting}: {error.errors()[0]['msg'].lower()}") from error
    return values


def of_stages(settings: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is set for every stage, and for fine-tuning alone (``finetune.key=value``).

    Raises
    ------
    BadInput
        As ``parse``.
    """
    prefix = "finetune."
    for name in OF_THE_TEST_SET:
        if any(setting.startswith(f"{prefix}{name}=") for setting in settings):
            raise BadInput(f"--set {prefix}{name}: stages are compared on the same test examples; give it for all")
    own = [setting.removeprefix(prefix) for setting in settings if setting.startswith(prefix)]
    return parse([setting for setting in settings if not setting.startswith(prefix)]), parse(own)


def changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these settings.

    Raises
    ------
    BadInput
        A value out of its range.
    """
    try:
        return dataclasses.replace(recipe, **values)
    except ValueError as error:
        raise BadInput(f"--set: {error}") from error
