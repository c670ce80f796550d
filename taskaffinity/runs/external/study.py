"""Write the runs of tables into a results folder, as a study of pairs.

A run of a pair has an outcome for each target that the tables have. The two may come from two trainings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from taskaffinity.atomic import exclusive
from taskaffinity.errors import InputError, as_user_error
from taskaffinity.runs.external.packed_runs import TargetRuns, replacing_packed
from taskaffinity.runs.study import FILES, Study, studies_in


def write_external(study: Study, targets: Mapping[str, TargetRuns], root: Path, *, overwrite: bool = False) -> None:
    """Write the study and its runs into a results folder, in the place of those of an earlier table.

    Raises
    ------
    InputError
        If the folder holds runs that were trained there; unless ``overwrite``, if it holds tasks or seeds that the
        tables lack.
    """
    with exclusive(root):  # the study and the runs of one command
        _check_folder(study, root, overwrite=overwrite)
        with replacing_packed(root, study.refs, targets):  # if the runs have no room, the earlier study stays
            study.write(root)  # first: runs without a study would look like runs that were trained here


def _check_folder(study: Study, root: Path, *, overwrite: bool) -> None:
    with as_user_error():
        stored = studies_in(root)
    others = [other for other in stored if not other.is_external]
    if others or (not stored and any((root / "runs").glob("[!.]*"))):  # a killed command may have left a hidden file
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
