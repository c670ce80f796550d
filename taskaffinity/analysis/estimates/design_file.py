"""``estimate.json``: the design of the probes, and the study that they estimate.

The estimates of a study that was replaced say nothing of the present one, and are not used.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from taskaffinity.errors import InputError
from taskaffinity.regular_file import IrregularFile, read_regular
from taskaffinity.runs.files import write_json
from taskaffinity.runs.probes import ProbeDesign
from taskaffinity.runs.stored.json_files import parse_model
from taskaffinity.runs.stored.study_file import parse_study
from taskaffinity.runs.study import Study
from taskaffinity.runs.study_changes import describe_differences

DESIGN, ESTIMATES, SCORES = "estimate.json", "estimates.csv", "estimators.csv"
AGAIN = "run `taskaffinity estimate` again, or move it away"
_WAY_OUT = "move it away, and run `taskaffinity estimate` again"
"""For a damaged ``estimate.json``, which ``estimate`` does not replace."""
_STUDY = "study"


def write_design(root: Path, design: ProbeDesign, study: Study) -> None:
    """Write ``estimate.json``.

    Estimates of another study are removed first: those of this one will replace them.
    """
    if describe_other_study(root, study):
        for name in (ESTIMATES, SCORES):
            (root / name).unlink(missing_ok=True)
    probed = replace(
        study, full=False, controls=False, interim_seeds=(), admission=None, groups=(), leaks=(), versions={}
    )
    write_json(root / DESIGN, {**asdict(design), _STUDY: probed.content()})


def read_design(root: Path) -> tuple[ProbeDesign, Study | None]:
    """Read ``estimate.json``; the study is None in files of older versions, which do not have it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InputError
        If it is damaged: one line with the file and the way out.
    """
    path = root / DESIGN
    try:
        content = parse_model(read_regular(path), dict[str, Any])
        stored = content.pop(_STUDY, None)
        design: ProbeDesign = parse_model(json.dumps(content), ProbeDesign)
        if stored is None:
            return design, None
        return design, parse_study(parse_model(json.dumps(stored), dict[str, Any]), "pairwise", Study)
    except IrregularFile as error:  # its message names the file
        raise InputError(f"{error}; {_WAY_OUT}") from error
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise InputError(f"{path}: {why}; {_WAY_OUT}") from error


def check_probed_study(root: Path, study: Study) -> None:
    """Raise ``InputError`` if the estimates of a folder are of another study: one line with the way out."""
    if other := describe_other_study(root, study):
        raise InputError(f"{root}: {other}; {AGAIN}")


def describe_other_study(root: Path, study: Study) -> str:
    """Return what shows that the estimates of a folder are not of this study; empty if they are, or if it has none.

    Raises
    ------
    InputError
        If ``estimate.json`` is damaged: one line with the way out.
    """
    if not any((root / name).is_file() for name in (ESTIMATES, SCORES)):
        return ""
    try:
        _, probed = read_design(root)
    except FileNotFoundError:
        probed = None
    if probed is None:
        return f"{ESTIMATES} is of an older version, and {DESIGN} does not say which study it is of"
    other = describe_differences(probed, study, "the study has")
    return f"{ESTIMATES} is of {other}" if other else ""
