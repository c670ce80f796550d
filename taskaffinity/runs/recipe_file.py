"""Read and write recipe files: YAML with training settings.

``tune`` writes them and ``--recipe`` reads them.

::

    learning_rate: 0.0031
    num_train_epochs: 18
    finetune:                # optional: settings of fine-tuning only
      num_train_epochs: 6

Every key is a setting of ``Recipe``. Settings that the file omits keep their defaults. ``--set`` overrides the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from taskaffinity.atomic import write_atomic
from taskaffinity.errors import input_error, meant, shown
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.settings import ALIASES, ELSEWHERE, OF_THE_TEST_SET, TYPES, expected, value_of
from taskaffinity.tasks.user.yamlfile import Place, read_yaml

FINETUNE = "finetune"


@dataclass(frozen=True)
class RecipeFile:
    """The settings of a recipe file."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of every stage, by name."""
    finetune: Mapping[str, Any] = field(default_factory=dict)
    """Settings of fine-tuning only, by name."""


def read_recipe(path: Path) -> RecipeFile:
    """Read a recipe file and check every setting's type and range.

    Raises
    ------
    InputError
        At the first fault of the file: one line with its place.
    """
    content, lines = read_yaml(path, of="a recipe")
    if not isinstance(content, dict):
        raise input_error(
            path, shown(content) if isinstance(content, list) else "no mapping", "settings, such as batch_size: 32"
        )
    own = content.pop(FINETUNE, {})
    if not isinstance(own, dict):
        raise input_error(_at(path, lines, (FINETUNE,)), f"{shown(own)} as {FINETUNE}", "settings below it, indented")
    return RecipeFile(_settings(path, content, lines, ()), _settings(path, own, lines, (FINETUNE,)))


def write_recipe(path: Path, said: RecipeFile, about: Sequence[str], notes: Mapping[str, str]) -> None:
    """Write a file that ``read_recipe`` reads back.

    Parameters
    ----------
    about : sequence of str
        Lines of the comment at the top of the file.
    notes : dict of setting to str
        A comment after a setting, on its line.
    """
    rows = _rows(said.settings)
    width = max(map(len, rows.values()), default=0)
    lines = [f"{row:{width}}  # {notes[name]}" if name in notes else row for name, row in rows.items()]
    if said.finetune:
        lines += [f"{FINETUNE}:", *(f"  {row}" for row in _rows(said.finetune).values())]
    write_atomic(path, "".join(f"{line}\n" for line in (*(f"# {line}".rstrip() for line in about), *lines)).encode())


def _rows(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: f"{name}: {'none' if value is None else value}" for name, value in settings.items()}


def _settings(path: Path, content: Mapping[str, object], lines: Mapping[Place, int], above: Place) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for given, text in content.items():
        where, name = _at(path, lines, (*above, given)), ALIASES.get(given, given)
        _refuse_key(where, given, name, is_finetune=bool(above))
        if name in values:
            raise input_error(where, f"key {name!r} by two names", "one of them")
        try:
            value = value_of(name, json.dumps(text) if isinstance(text, dict) else str(text))
            values[name] = getattr(Recipe(**{name: value}), name)  # every range concerns one setting only
        except ValidationError:
            raise input_error(where, f"{shown(text)} as {given}", expected(name)) from None
        except ValueError as error:
            wanted = str(error).partition("; it must ")[2]
            expectation = f"it to {wanted}" if wanted else "no setting of --protocol paper, which takes no recipe file"
            raise input_error(where, f"{text} as {given}", expectation) from None
    return values


def _refuse_key(where: str, given: str, name: str, *, is_finetune: bool) -> None:
    if name in ELSEWHERE:
        raise input_error(where, f"key {given!r}", f"it to be given by {ELSEWHERE[name]}")
    if name not in TYPES:
        legal = (*TYPES, *ALIASES, *(() if is_finetune else (FINETUNE,)))
        raise input_error(where, f"unknown key {shown(given)}", f"one of {', '.join(legal)}{meant(given, legal)}")
    if is_finetune and name in OF_THE_TEST_SET:
        raise input_error(
            where, f"{name} under {FINETUNE}", "it above, because stages are compared on the same test examples"
        )


def _at(path: Path, lines: Mapping[Place, int], place: Place) -> str:
    return f"{path}: line {lines[place]}"
