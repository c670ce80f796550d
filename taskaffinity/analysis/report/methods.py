"""The methods of a study on its page: recipes, rule and tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import describe_margin
from taskaffinity.analysis.report.cells import Sheet, sheet_of
from taskaffinity.analysis.statistics.verdicts import CORRECTIONS, TESTS
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.tasks.reading import DEFAULT
from taskaffinity.tasks.splits import split_of

_SPLITS = ("train", "dev", "test")
TASK_COLUMNS = (
    *("task", "name", "kind", "metric", "train", "dev", "test"),
    *("used_train", "used_dev", "used_test", "test_sets", "long_train", "long_test", "fingerprint"),
)


def recipes_of(study: Study) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the settings of all runs.

    Settings of single-task runs and of fine-tuning that differ follow, by task.
    """
    titles = {card.name: card.title for card in study.tasks}
    said = {"every run": _settings(study.recipe, None)}
    for name, recipe in study.single_recipes.items():
        where = f"{titles.get(name, name)} in single-task training, where it differs"
        said[where] = _settings(recipe, study.recipe)
    for name, recipe in study.finetune.items():
        said[f"fine-tuning of {titles.get(name, name)}, where it differs"] = _settings(recipe, study.recipe)
    return [(whose, settings) for whose, settings in said.items() if settings]


def _settings(recipe: Recipe, besides: Recipe | None) -> list[tuple[str, str]]:
    other: Mapping[str, Any] = asdict(besides) if besides else {}
    return [
        (name, str(value))
        for name, value in asdict(recipe).items()
        if (value is not None if besides is None else value != other[name])
    ]


def rule_of(matrix: AffinityMatrix) -> list[tuple[str, str]]:
    rule = matrix.rule
    return [
        ("alpha", f"{rule.alpha:g}"),
        ('margin of "no effect"', describe_margin(matrix)),
        ("correction for many arrows", CORRECTIONS[rule.correction]),
        ("tests", f"{TESTS[rule.test]} tests"),
        ("verdicts hold for", "new test sets like this one" if rule.estimand == "population" else "this test set only"),
    ]


def _test_sets(card: StudiedTask) -> str:
    """Return ``notes (1,200 examples, 500 used); mail``: the further test sets of a task, with known sizes."""
    parts = []
    for name in card.test_sets:
        size, used = (of.get(split_of(name), 0) for of in (card.sizes, card.used))
        of_them = f", {used:,} used" if 0 < used < size else ""
        parts.append(f"{name} ({size:,} examples{of_them})" if size else name)
    return "; ".join(parts)


def tasks_of(study: Study) -> Sheet:
    """Return the tasks with their data.

    Columns on used examples and on long rows appear only where they add information.
    """
    rows = [
        (
            *(card.name, card.name, card.kind, card.metric),
            *(float(card.sizes.get(split, math.nan)) for split in _SPLITS),
            *(float(card.used.get(split, math.nan)) for split in _SPLITS),
            _test_sets(card),
            *(100 * card.long_rows.get(split, math.nan) for split in ("train", "test")),
            card.fingerprint,
        )
        for card in study.tasks
    ]
    frame = pd.DataFrame(rows, columns=list(TASK_COLUMNS))
    silent = [
        name for split in _SPLITS if not (frame[name := f"used_{split}"].notna() & (frame[name] != frame[split])).any()
    ]
    silent += [name for name in ("long_train", "long_test") if not (frame[name] >= 0.5).any()]
    silent += ["test_sets"] * (not study.test_sets)
    columns = [name for name in TASK_COLUMNS if name not in silent]
    words = "Tasks: number of examples per split, and fingerprint of the data"
    if {"long_train", "long_test"} & set(columns):
        words += f"; long rows have {study.recipe.max_length} tokens or more"
    for card in study.tasks:
        if card.reading != DEFAULT and card.kind != "unknown":
            how = card.reading.describe(study.recipe.max_length, card.kind)
            words += f"; long texts of {card.title}: {how}"
    return sheet_of(frame, columns, "tasks", words, study.tasks)
