"""What a study trains by: ``--recipe FILE``, and ``--set key=value`` over it; ``finetune.key`` is fine-tuning's own."""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from taskaffinity.runs.recipe_file import read_recipe
from taskaffinity.runs.settings import ALIASES, ELSEWHERE, OF_THE_TEST_SET, TYPES, expected, value_of
from taskaffinity.runs.spec import Recipe
from taskaffinity.runs.study import Study
from taskaffinity.studies.defaults import is_tiny
from taskaffinity.tasks.task import BadInput, Suite

if TYPE_CHECKING:
    from taskaffinity.training.encoders import Encoder

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
    BadInput
        An unknown key (with what may have been meant), or a value that is not of the key's type.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        given, equals, text = setting.partition("=")
        key = ALIASES.get(given, given)
        if not equals:
            raise BadInput(f"--set {setting}: expected KEY=VALUE")
        if key in ELSEWHERE:
            raise BadInput(f"--set {key}: given by {ELSEWHERE[key]}")
        if key not in TYPES:
            near = setting_meant(key)
            hint = f"did you mean {near}? " if near else ""
            raise BadInput(f"--set {key}: no such setting; {hint}there are {', '.join(TYPES)}")
        if (key, text.lower()) == ("precision", MEASURED):
            values[key] = MEASURED
            continue
        try:
            values[key] = value_of(key, text)
        except ValidationError as error:
            measured = f"{MEASURED}, " if key == "precision" else ""
            raise BadInput(f"--set {setting}: expected {measured}{expected(key)}") from error
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


def over_file(
    path: Path | None,
    settings: Mapping[str, Any],
    of_last: Mapping[str, Any],
    protocol: str = "honest",
    *,
    finetunes: bool = True,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ``of_stages`` found, over what ``--recipe`` says. What the file says of fine-tuning is left alone by a study
    that does not fine-tune: one file may serve several studies.

    Raises
    ------
    BadInput
        As ``read_recipe``; or the paper's protocol, whose recipe is that of its released code.
    """
    if path is None:
        return _in_one_precision({**settings}, {**of_last})
    if protocol == "paper":
        raise BadInput(f"--recipe {path}: not with --protocol paper, whose recipe is the released code's; use --set")
    if not path.is_file():
        raise BadInput(f"--recipe {path}: no such file; expected a recipe, as `taskaffinity tune` writes it")
    said = read_recipe(path)
    return _in_one_precision({**said.settings, **settings}, {**(said.finetune if finetunes else {}), **of_last})


def _in_one_precision(settings: dict[str, Any], of_last: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    if MEASURED in (settings.get("precision"), of_last.get("precision")) and "precision" in of_last:
        raise BadInput(f"--set precision={MEASURED}: it serves every stage; leave finetune.precision out")
    return settings, of_last


def changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these settings, but for a precision that is yet to be measured.

    Raises
    ------
    BadInput
        A value out of its range.
    """
    try:
        given = {name: value for name, value in values.items() if (name, value) != ("precision", MEASURED)}
        return dataclasses.replace(recipe, **given)
    except ValueError as error:
        raise BadInput(f"--set: {error}") from error


def is_measured(
    suite: Suite, encoder: str | None, protocol: str, settings: Mapping[str, Any], of_last: Mapping[str, Any]
) -> bool:
    """Whether the machine chooses the precision: where ``precision=auto`` is set, and where nothing is, but for the
    stand-in's tiny encoder, which has nothing to gain, and the paper's protocol, which trained in 32 bits."""
    if "precision" in settings:
        return bool(settings["precision"] == MEASURED)
    return "precision" not in of_last and not is_tiny(suite, encoder) and protocol != "paper"


def in_settled_precision(
    asked: Sequence[tuple[Study, Encoder]],
    places: Sequence[Path],
    suite: Suite,
    *,
    measured: bool,
    keep_models: bool,
    replaces: bool,
    dry_run: bool,
    quiet: bool,
) -> tuple[list[tuple[Study, Encoder]], list[str]]:
    """Studies in the precision that they are told, or else in one, for encoders are compared: that of a study in their
    results folders, or what a few steps of the first find faster here; and lines that say so, or that what is told is
    slow here. What can be refused is, before any step.

    Parameters
    ----------
    measured : bool
        Whether it is the machine's to choose, as ``is_measured`` says.

    Raises
    ------
    BadInput
        As ``conduct.check``, ``pacing.settled_precision`` and ``pacing.fast_precision``.
    """
    from taskaffinity.studies.precision import fast_precision, in_precision, settled_precision, slow_precision
    from taskaffinity.studies.run import check  # torch

    if not measured:
        slow = slow_precision(asked[0][0])
        return list(asked), [f"precision: bf16, though {slow}"] if slow else []
    found = settled_precision([study for study, _ in asked], places)
    if found is None:
        for (study, encoder), place in zip(asked, places, strict=True):
            check(study, suite, encoder, place, keep_models=keep_models, replaces=replaces)
        if not quiet:
            print("precision: a few updates are tried in 32 bits and in 16", file=sys.stderr)
        study, encoder = asked[0]
        found = fast_precision(study, suite, encoder, places[0], keeps=not dry_run)
    precision, why = found
    settled = [(in_precision(study, precision), encoder) for study, encoder in asked]
    return settled, [f"precision: {precision or '32 bits'} ({why})"]
