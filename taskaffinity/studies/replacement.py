"""Mark the files of a results folder that a new study, or a larger one, leaves behind."""

from __future__ import annotations

from pathlib import Path

from taskaffinity.analysis.outdated import mark_groups, mark_rule, mark_study
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study, studies_in
from taskaffinity.runs.study_changes import differences
from taskaffinity.runs.trained_groups import trained_groups
from taskaffinity.studies.compatibility import losses


def mark_replaced(study: Study, root: Path) -> None:
    """Mark the files of a study that this one replaces, those of its earlier rule, and outdated groups.

    Groups are outdated if they were chosen without a group that this study trains.

    Call it before the new study is written.
    """
    for other in studies_in(root):
        if other.design != study.design:
            continue
        if any(differences(other, study)) or losses(other, study):
            mark_study(root, study.design)
        elif other.rule != study.rule:
            mark_rule(root, study.design)
    if _trains_groups(study, root):
        mark_groups(root)


def _trains_groups(study: Study, root: Path) -> bool:
    """Return whether ``group`` will count a run of a group that it does not count now."""
    stored = [other for other in studies_in(root) if other.design == "pairwise"]
    if not stored:
        return False
    pairs, store = study if study.design == "pairwise" else stored[0], RunStore(root)
    counted, planned = {spec for spec in trained_groups(stored[0]) if spec in store}, set(study.plan)
    return any(spec not in counted and (spec in store or spec in planned) for spec in trained_groups(pairs))
