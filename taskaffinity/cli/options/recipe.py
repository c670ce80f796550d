"""What a study trains by: ``--recipe FILE``, and ``--set key=value`` over it; ``finetune.key`` is fine-tuning's own."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.recipe_file import read_recipe
from taskaffinity.runs.settings import ALIASES, ELSEWHERE, OF_THE_TEST_SET, TYPES, expected, value_of
from taskaffinity.studies.defaults import is_tiny
from taskaffinity.tasks.task import Suite

if TYPE_CHECKING:
    pass

_ELSEWHERE_CALLED = {
    **{"lr": "learning_rate", "epoch": "num_train_epochs", "max_seq_length": "max_length", "bs": "batch_size"},
    **{"dropout": "encoder_dropout", "patience": "early_stopping_patience", "bf16": "precision"},
}
"""What other tools call a setting."""
SETTINGS = f"Keys of --set: {', '.join(TYPES)}."
"""At the end of a command's help, where no column cuts them."""
MEASURED = "auto"
"""The precision of a study whose machine is to choose it."""


def parse(settings: Sequence[str]) -> dict[str, Any]:
    """``key=value`` settings by name, each of its field's type; ``none`` stands for no limit.

    Raises
    ------
    InputError
        An unknown key (with what may have been meant), or a value that is not of the key's type.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        given, equals, text = setting.partition("=")
        key = ALIASES.get(given, given)
        if not equals:
            raise InputError(f"--set {setting}: expected KEY=VALUE")
        if key in ELSEWHERE:
            raise InputError(f"--set {key}: given by {ELSEWHERE[key]}")
        if key not in TYPES:
            near = setting_meant(key)
            hint = f"did you mean {near}? " if near else ""
            raise InputError(f"--set {key}: no such setting; {hint}there are {', '.join(TYPES)}")
        if (key, text.lower()) == ("precision", MEASURED):
            values[key] = MEASURED
            continue
        try:
            values[key] = value_of(key, text)
        except ValidationError as error:
            measured = f"{MEASURED}, " if key == "precision" else ""
            raise InputError(f"--set {setting}: expected {measured}{expected(key)}") from error
    return values


def setting_meant(word: str) -> str | None:
    """The setting that a word is, is near to, or is part of the name of; None if there is none.

    Examples
    --------
    >>> setting_meant("learning_rat"), setting_meant("lr"), setting_meant("epochs"), setting_meant("palette")
    ('learning_rate', 'learning_rate', 'num_train_epochs', None)
    """
    if word in TYPES:
        return word
    if word in _ELSEWHERE_CALLED:
        return _ELSEWHERE_CALLED[word]
    parts = [name for name in TYPES if word in name.split("_")]
    close = parts[:1] if len(parts) == 1 else difflib.get_close_matches(word, [*TYPES, *ALIASES], n=1)
    return ALIASES.get(close[0], close[0]) if close else None


def parse_settings(settings: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is set for every stage, and for fine-tuning alone (``finetune.key=value``).

    Raises
    ------
    InputError
        As ``parse``.
    """
    prefix = "finetune."
    for name in OF_THE_TEST_SET:
        if any(setting.startswith(f"{prefix}{name}=") for setting in settings):
            raise InputError(f"--set {prefix}{name}: stages are compared on the same test examples; give it for all")
    own = [setting.removeprefix(prefix) for setting in settings if setting.startswith(prefix)]
    return parse([setting for setting in settings if not setting.startswith(prefix)]), parse(own)


def merge_recipe_file(
    path: Path | None,
    settings: Mapping[str, Any],
    of_last: Mapping[str, Any],
    protocol: str = "honest",
    *,
    finetunes: bool = True,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ``parse_settings`` found, over what ``--recipe`` says.

    A study that does not fine-tune ignores what the file says of fine-tuning: one file may serve several studies.

    Raises
    ------
    InputError
        As ``read_recipe``; or the paper's protocol, whose recipe is that of its released code.
    """
    if path is None:
        return _in_one_precision({**settings}, {**of_last})
    if protocol == "paper":
        raise InputError(f"--recipe {path}: not with --protocol paper, whose recipe is the released code's; use --set")
    if not path.is_file():
        raise InputError(f"--recipe {path}: no such file; expected a recipe, as `taskaffinity tune` writes it")
    said = read_recipe(path)
    return _in_one_precision({**said.settings, **settings}, {**(said.finetune if finetunes else {}), **of_last})


def _in_one_precision(settings: dict[str, Any], of_last: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    if MEASURED in (settings.get("precision"), of_last.get("precision")) and "precision" in of_last:
        raise InputError(f"--set precision={MEASURED}: it serves every stage; leave finetune.precision out")
    return settings, of_last


def apply_settings(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these settings, but for a precision that is yet to be measured.

    Raises
    ------
    InputError
        A value out of its range.
    """
    try:
        given = {name: value for name, value in values.items() if (name, value) != ("precision", MEASURED)}
        return dataclasses.replace(recipe, **given)
    except ValueError as error:
        raise InputError(f"--set: {error}") from error


def is_measured(
    suite: Suite, encoder: str | None, protocol: str, settings: Mapping[str, Any], of_last: Mapping[str, Any]
) -> bool:
    """Whether the machine chooses the precision: where ``precision=auto`` is set, and where nothing is, but for the
    stand-in's tiny encoder, which has nothing to gain, and the paper's protocol, which trained in 32 bits."""
    if "precision" in settings:
        return bool(settings["precision"] == MEASURED)
    return "precision" not in of_last and not is_tiny(suite, encoder) and protocol != "paper"
