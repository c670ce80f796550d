"""Keep arms that a stored study has and the command does not ask for: the whole set and the controls.

They change no gain of a pair and no verdict, so the study is read as it is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from taskaffinity.errors import as_user_error
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study, has_study

ARMS = {"full": "the whole set (--full)", "controls": "the controls (--controls)"}
"""Field of a study -> the arm and the option that asks for it."""


def with_stored_arms(study: Study, root: Path) -> tuple[Study, list[str]]:
    """Return a study of pairs with the further arms of the stored one, and a line on them.

    Nothing changes if the studies differ in tasks or seeds, or if a run of such an arm is missing. Do not call this if
    the user replaces the study.

    Raises
    ------
    InputError
        If the folder holds a broken study.
    """
    if study.design != "pairwise" or not has_study(root):
        return study, []
    with as_user_error():
        stored = Study.load(root)
    arms = [arm for arm in ARMS if getattr(stored, arm) and not getattr(study, arm)]
    if not arms or (study.refs, study.seeds, study.single_seeds) != (stored.refs, stored.seeds, stored.single_seeds):
        return study, []
    absent: dict[str, Any] = dict.fromkeys(arms, False)
    present: dict[str, Any] = dict.fromkeys(arms, True)
    without = set(replace(stored, **absent).plan)
    store = RunStore(root)
    if any(spec not in store for spec in stored.plan if spec not in without):
        return study, []
    line = f"{root}: its study also has {' and '.join(ARMS[arm] for arm in arms)} (kept; --overwrite leaves this out)"
    return replace(study, **present), [line]
