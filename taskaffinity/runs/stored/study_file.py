"""Read ``study.json``, ``full.json`` or ``train.json``: names of older versions, types, and what must fit together."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

from taskaffinity.errors import shown
from taskaffinity.regular_file import IrregularFile, read_regular
from taskaffinity.runs.stored.json_files import parse_model
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.task import A_NAME, is_name

T = TypeVar("T")

_WAY_OUT = "move it away and repeat the command that made it; finished runs are not trained again"
_LONGEST_NAMES = 220
"""Largest number of characters of the task names in a run's id, which names a folder."""

_OLD_NAMES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "match": ("baseline", {"updates": "single", "compute": "compute-matched"}),
    "stage": ("evaluate_after", {"refine": "joint", "finetune": "finetune"}),
    "start": ("init_from", {"refinement": "multitask", "encoder": "encoder"}),
    "looks": ("interim_seeds", {}),
}
"""Field of ``study.json`` before version 0.2 -> its present name and values."""


def read_study(path: Path, design: str, model: type[T]) -> T:
    """Read the study of a results folder.

    Parameters
    ----------
    path : Path
        File of the study.
    design : str
        Its design, which is also the command that makes it.
    model : type
        ``runs.study.Study``.

    Raises
    ------
    FileNotFoundError
        If the folder has no study of this design; the message names the command that makes one.
    ValueError
        If the file is not a study, in one line.
    """
    root = path.parent
    if not os.path.lexists(path):
        if not root.exists():
            raise FileNotFoundError(
                f"{root}: no such folder; it is made by `taskaffinity {design}`{_folders_like(root)}"
            )
        raise FileNotFoundError(f"{root}: no {path.name} here; it is made by `taskaffinity {design}`")
    try:
        study = parse_study(parse_model(read_regular(path), dict[str, Any]), design, model)
    except IrregularFile as error:
        raise ValueError(f"{path}: found {error.found}; expected a study; {_WAY_OUT}") from error
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from error
    except (ValueError, RecursionError) as error:
        why = str(error) if type(error) is ValueError else type(error).__name__
        raise ValueError(f"{path}: not a study of this version of taskaffinity: {why}; {_WAY_OUT}") from error
    return study


def parse_study(content: Mapping[str, Any], design: str, model: type[T]) -> T:
    """Return the study of the content of a study file; parameters are as in ``read_study``.

    Raises
    ------
    ValueError
        If it is not a study, in one line.
    """
    study: T = parse_model(json.dumps(_with_present_names(content)), model)
    _check(study, design)
    return study


def _with_present_names(content: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the fields of an older study file to the present names, and add the rule's test."""
    named = dict(content)
    for old, (new, values) in _OLD_NAMES.items():
        if old in named:
            value = named.pop(old)
            if values and value not in values.values() and (not isinstance(value, str) or value not in values):
                raise ValueError(f"{old} is {shown(value)}; expected {' or '.join(values)}")
            named.setdefault(new, values.get(value, value) if values else value)
    rule = named.get("rule", {})
    if isinstance(rule, dict):
        named["rule"] = {"test": "satterthwaite", **rule}  # the only test of older studies, which do not name it
    return named


def _check(study: Any, design: str) -> None:
    """Raise ValueError if the parts of a study do not fit together."""
    names = [card.name for card in study.tasks]
    if study.design != design:
        raise ValueError(f"design is {study.design}; expected {design}")
    for card in study.tasks:
        if card.metric not in METRICS:
            raise ValueError(f"metric {shown(card.metric)}, which is none of {', '.join(METRICS)}")
        if not study.is_external and card.sizes.get("train", 1) < 1:  # times left are shares of the training examples
            raise ValueError(f"tasks has {shown(card.name)} without a training example")
        if (illegal := next((name for name in card.test_sets if not is_name(name)), None)) is not None:
            raise ValueError(f"test set {shown(illegal)}; expected {A_NAME}")
    if len(set(names)) < len(names):
        raise ValueError("a task is listed twice")
    together = 3 if len(names) == 3 else 2  # for more tasks, their number replaces their names
    if sum(sorted(map(len, names))[-together:]) > _LONGEST_NAMES:
        raise ValueError("names of tasks too long for the name of a folder")
    for field, seeds in (("seeds", study.seeds), ("seeds_single", study.seeds_single)):
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"{field} has a seed twice")
    for field, recipes in (("finetune", study.finetune), ("single_recipes", study.single_recipes)):
        if unknown := sorted(set(recipes) - set(names)):
            raise ValueError(f"{field} of {shown(unknown[0])}, which is no task of the study")
    if (design == "full" or study.evaluate_after == "finetune") and set(study.finetune) != set(names):
        raise ValueError("finetune lacks a task")
    if design == "full" and study.baseline == "compute-matched":
        raise ValueError("baseline is compute-matched, which the design full does not have")
    if design == "train" and (study.baseline, study.init_from) != ("single", "encoder"):
        raise ValueError("the design train has no baseline and starts from the encoder")
    planned = study.interim_seeds
    if planned and (list(planned) != sorted(set(planned)) or planned[0] < 1 or planned[-1] != len(study.seeds)):
        raise ValueError("interim_seeds do not rise to the number of seeds")
    for arrow in study.groups:
        if len({*arrow.sources, *arrow.given, arrow.target} & set(names)) < len(arrow.sources) + len(arrow.given) + 1:
            raise ValueError(f"groups has {shown(arrow.name)}, whose tasks are not in the study or twice in it")
    if study.groups and (study.interim_seeds or study.baseline != "single" or design == "full"):
        raise ValueError("groups of a study with another design than pairs with fixed seeds")
    if study.admission is not None:
        _check_admission(study, names)


def _check_admission(study: Any, names: list[str]) -> None:
    pairs = {frozenset(pair.tasks) for pair in study.admission.pairs}
    if not study.interim_seeds:
        raise ValueError("admission without interim_seeds")
    if pairs != set(map(frozenset, combinations(names, 2))) or len(pairs) != len(study.admission.pairs):
        raise ValueError("admission has not every pair of tasks once")


def _folders_like(folder: Path) -> str:
    """Return a hint at a folder with a similar name, for a message."""
    beside = folder.parent.iterdir() if folder.parent.is_dir() else ()
    close = get_close_matches(folder.name, [other.name for other in beside if other.is_dir()], n=1)
    return f"; did you mean {folder.with_name(close[0])}?" if close else ""
