"""Make a results folder of scores that come from elsewhere: a study, and a run per pair and seed.

A run of a pair has an outcome for each target that the scores have. The two may come from two trainings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from taskaffinity.errors import InputError, as_user_error
from taskaffinity.runs.external.packed_runs import TargetRuns, write_packed
from taskaffinity.runs.external.scores import Key, Scores, seeds_of
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.spec import EXTERNAL
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import FILES, Study, studies_in
from taskaffinity.tasks.metrics import GIVEN_SCORE

UNKNOWN: Literal["unknown"] = "unknown"


def study_of(scores: Scores, rule: Rule, name: str) -> Study:
    """Return the study of scores without predictions. Its estimand is this test set, where only seeds vary."""
    keys = list(scores.by_key)
    return Study(
        suite=name,
        tasks=tuple(StudiedTask(task, task, UNKNOWN, GIVEN_SCORE, UNKNOWN, {}) for task in scores.tasks),
        encoder=EXTERNAL,
        recipe=Recipe(),
        seeds=seeds_of(keys, single=False),
        seeds_single=seeds_of(keys, single=True),
        rule=replace(rule, estimand="test-set"),
    )


def targets_of(scores: Scores) -> dict[str, TargetRuns]:
    """Return the runs of each target: of a score, the counts are one row with the score."""
    keys: dict[str, list[Key]] = {}
    for key in scores.by_key:
        keys.setdefault(key[0], []).append(key)
    targets = {}
    for target, of_target in keys.items():
        step = scores.step(target)
        counts = np.array([[[scores.by_key[key], 1.0, step]] for key in of_target])
        _, sources, seeds = zip(*of_target, strict=True)
        targets[target] = TargetRuns(GIVEN_SCORE, sources, seeds, {GIVEN_SCORE: counts})
    return targets


def write_external(study: Study, targets: Mapping[str, TargetRuns], root: Path, *, overwrite: bool = False) -> None:
    """Write the study and its runs into a results folder, in the place of those of an earlier table.

    Raises
    ------
    InputError
        If the folder holds runs that were trained there; unless ``overwrite``, if it holds tasks or seeds that the
        tables lack.
    """
    _check_folder(study, root, overwrite=overwrite)
    study.write(root)  # first: runs without a study would look like runs that were trained here
    write_packed(root, study.refs, targets)


def _check_folder(study: Study, root: Path, *, overwrite: bool) -> None:
    with as_user_error():
        stored = studies_in(root)
    others = [other for other in stored if not other.is_external]
    if others or (not stored and (root / "runs").is_dir() and any((root / "runs").iterdir())):
        raise InputError(f"{root}: holds runs that were trained here; give another --results")
    for other in stored:
        names = {task.name for task in study.tasks}
        gone = [task.name for task in other.tasks if task.name not in names]
        fewer = {*other.seeds} - {*study.seeds} or {*other.single_seeds} - {*study.single_seeds}
        if (gone or fewer) and not overwrite:
            lost = f"task {gone[0]}" if gone else f"seed {min(fewer)}"
            raise InputError(
                f"{root}: {FILES['pairwise']} is of scores with {lost}, which these scores lack; give another "
                "--results, or --overwrite to replace it"
            )
