"""Read the settings of a study: a recipe file, and the settings that override it.

``KEY=VALUE`` sets a key for every stage; ``finetune.KEY=VALUE`` sets it for fine-tuning only.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from taskaffinity.errors import InputError, shown
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.recipe_file import RecipeFile, read_recipe
from taskaffinity.runs.rule import Correction, Estimand, Rule, Test, check_margins
from taskaffinity.runs.settings import ALIASES, ELSEWHERE, OF_THE_TEST_SET, TYPES, expected, value_of
from taskaffinity.runs.study import Baseline, Protocol, Study
from taskaffinity.tasks.numbers import finite_number

_NAMES_ELSEWHERE = {
    **{"lr": "learning_rate", "epoch": "num_train_epochs", "max_seq_length": "max_length", "bs": "batch_size"},
    **{"dropout": "encoder_dropout", "patience": "early_stopping_patience", "bf16": "precision"},
}
"""Names of settings in other tools."""
_LONGEST = 60
MEASURED = "auto"
"""Value of ``precision`` that a trial replaces."""


def parse(settings: Sequence[str]) -> dict[str, Any]:
    """Parse ``KEY=VALUE`` texts to values by key; ``none`` means no limit.

    Raises
    ------
    InputError
        If a key is unknown, or if a value has the wrong type. The message names the nearest key.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        given, equals, text = setting.partition("=")
        key = ALIASES.get(given, given)
        if not equals:
            raise InputError(f"--set {_short(setting)}: expected KEY=VALUE")
        if key in ELSEWHERE:
            raise InputError(f"--set {key}: given by {ELSEWHERE[key]}")
        if key not in TYPES:
            near = setting_meant(key)
            hint = f"did you mean {near}? " if near else ""
            raise InputError(f"--set {_short(key)}: no such setting; {hint}there are {', '.join(TYPES)}")
        if (key, text.lower()) == ("precision", MEASURED):
            values[key] = MEASURED
            continue
        try:
            values[key] = value_of(key, text)
        except ValidationError as error:
            measured = f"{MEASURED}, " if key == "precision" else ""
            raise InputError(f"--set {_short(setting)}: expected {measured}{expected(key)}") from error
    return values


def _short(given: str) -> str:
    """Return the text, cut after 60 characters."""
    return given if len(given) <= _LONGEST else f"{given[:_LONGEST]}... ({len(given)} characters)"


def setting_meant(word: str) -> str | None:
    """Return the setting that a word may mean, or None.

    The word may be its name, a similar name, or a part of the name.

    Examples
    --------
    >>> setting_meant("learning_rat"), setting_meant("lr"), setting_meant("epochs"), setting_meant("palette")
    ('learning_rate', 'learning_rate', 'num_train_epochs', None)
    """
    if word in TYPES:
        return word
    if word in _NAMES_ELSEWHERE:
        return _NAMES_ELSEWHERE[word]
    parts = [name for name in TYPES if word in name.split("_")]
    close = parts[:1] if len(parts) == 1 else difflib.get_close_matches(word, [*TYPES, *ALIASES], n=1)
    return ALIASES.get(close[0], close[0]) if close else None


@dataclass(frozen=True)
class Settings:
    """Settings that override the default recipes of a study."""

    all_stages: Mapping[str, Any] = field(default_factory=dict)
    """Values by key, for every stage."""
    finetune: Mapping[str, Any] = field(default_factory=dict)
    """Values by key, for fine-tuning only."""

    @property
    def measures_precision(self) -> bool:
        """Whether ``precision=auto`` is set."""
        return self.all_stages.get("precision") == MEASURED


def read_settings(
    given: Sequence[str] | Mapping[str, Any],
    recipe_file: str | Path | None = None,
    protocol: str = "honest",
    *,
    finetunes: bool = True,
) -> Settings:
    """Merge the given settings into those of a recipe file.

    Parameters
    ----------
    given : sequence of str, or mapping
        ``KEY=VALUE`` texts, or values by key. A key ``finetune.KEY`` is for fine-tuning only.
    recipe_file : path, optional
        Written by ``taskaffinity tune``.
    finetunes : bool
        Whether the study fine-tunes. If not, the file's settings for fine-tuning are ignored, because several studies
        may use one file.

    Raises
    ------
    InputError
        As ``parse`` and ``read_recipe``; also if a setting of the test set is given only for fine-tuning, or if a
        recipe file is given under the paper's protocol.
    """
    prefix = "finetune."
    texts = _texts(given) if isinstance(given, Mapping) else list(given)
    for name in OF_THE_TEST_SET:
        if any(text.startswith(f"{prefix}{name}=") for text in texts):
            raise InputError(f"--set {prefix}{name}: all stages need the same test examples; leave finetune. out")
    last = parse([text.removeprefix(prefix) for text in texts if text.startswith(prefix)])
    every = parse([text for text in texts if not text.startswith(prefix)])
    if last and not finetunes:
        raise InputError(
            f"--set finetune.{next(iter(last))}: nothing is fine-tuned; give --evaluate-after finetune too"
        )
    if recipe_file is not None:
        file = _recipe_of(Path(recipe_file), protocol)
        every, last = {**file.settings, **every}, {**(file.finetune if finetunes else {}), **last}
    if MEASURED in (every.get("precision"), last.get("precision")) and "precision" in last:
        raise InputError(f"--set precision={MEASURED}: it is for every stage; leave finetune.precision out")
    return Settings(every, last)


def check_baseline(baseline: Baseline, protocol: Protocol) -> None:
    """Raise ``InputError`` if a baseline does not fit the protocol."""
    if baseline == "paper-single" and protocol != "paper":
        raise InputError(f"--baseline paper-single: not with --protocol {protocol}; give --protocol paper too")


def _texts(given: Mapping[str, Any]) -> list[str]:
    return [f"{key}={'none' if value is None else _text(value)}" for key, value in given.items()]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):  # weights by name
        return json.dumps(value)
    try:
        return str(value)
    except ValueError:  # a whole number of thousands of digits
        return shown(value)


def _recipe_of(path: Path, protocol: str) -> RecipeFile:
    if protocol == "paper":
        raise InputError(f"--recipe {path}: not with --protocol paper, whose recipe is the released code's; use --set")
    if not path.is_file():
        raise InputError(f"--recipe {path}: no such file; expected a recipe, as `taskaffinity tune` writes it")
    return read_recipe(path)


def apply_settings(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return the recipe with these settings; a trial sets ``precision=auto`` later.

    Raises
    ------
    InputError
        If a value is out of range.
    """
    try:
        given = {name: value for name, value in values.items() if (name, value) != ("precision", MEASURED)}
        return dataclasses.replace(recipe, **given)
    except ValueError as error:
        raise InputError(f"--set: {error}") from error


def make_rule(
    alpha: float | None = None,
    margin: float | Mapping[str, float] | Sequence[str] | None = None,
    correction: Correction | None = None,
    estimand: Estimand | None = None,
    test: Test | None = None,
    *,
    default: Rule | None = None,
    metrics: Collection[str] | None = None,
) -> Rule:
    """Return the rule of these options; None keeps the value of ``default``.

    Parameters
    ----------
    margin : float, mapping or sequence of str, optional
        Points for all metrics, points by metric, or texts ``POINTS`` and ``METRIC=POINTS``. Margins of other metrics
        are those of ``default``.
    metrics : collection of str, optional
        Metric of each task. Default: any.

    Raises
    ------
    InputError
        If a level or a margin is out of range, or a metric is unknown or is that of no task.
    """
    points = _margins(margin)
    default = default or Rule()
    given = {
        "alpha": alpha,
        "margin": points.pop("", None),
        "margins": {**default.margins, **points},
        "correction": correction,
        "estimand": estimand,
        "test": test,
    }
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    try:
        rule = dataclasses.replace(default, **changes)
    except ValueError as error:
        is_named = str(error).startswith(("alpha ", "margin "))
        raise InputError(f"{'--' if is_named else '--margin: '}{error}") from error
    if metrics is not None:
        check_margins(points, metrics)
    return rule


def rule_of_study(study: Study, *asked: Any) -> Rule:
    """Return the rule of a stored study with other options: alpha, margin, correction, estimand, test; None keeps one.

    Raises
    ------
    InputError
        As ``make_rule``; a margin needs a metric of the study.
    """
    return make_rule(*asked, default=study.rule, metrics=[task.metric for task in study.tasks])


def _margins(given: float | Mapping[str, float] | Sequence[str] | None) -> dict[str, float]:
    """Return points by metric; the empty name stands for all metrics."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, int | float):
        return {"": float(given)}
    points: dict[str, float] = {}
    for text in given:
        metric, equals, given_points = text.rpartition("=")
        value = finite_number(given_points)
        if value is not None:
            points[metric] = value
        if value is None or (equals and not metric):
            raise InputError(f"--margin {_short(text)}: expected POINTS, or METRIC=POINTS")
    return points
