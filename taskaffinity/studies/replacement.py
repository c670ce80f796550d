"""Mark the files of a study that another one replaces in its results folder."""

from __future__ import annotations

from pathlib import Path

from taskaffinity.analysis.outdated import mark_study
from taskaffinity.runs.study import Study, studies_in
from taskaffinity.runs.study_changes import differences
from taskaffinity.studies.compatibility import losses


def mark_replaced(study: Study, root: Path) -> None:
    """Mark the files of a study that this one replaces; call it before the new study is written."""
    for other in studies_in(root):
        if other.design == study.design and (any(differences(other, study)) or losses(other, study)):
            mark_study(root, study.design)
