"""Let the estimates of a results folder decide which pairs a sequential design measures."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

from taskaffinity.analysis.estimates.admission import admit
from taskaffinity.analysis.estimates.design_file import AGAIN, ESTIMATES, describe_other_study
from taskaffinity.analysis.estimates.stored import read_estimates
from taskaffinity.errors import InputError
from taskaffinity.runs.admission import Admission
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study, has_study
from taskaffinity.runs.study_changes import describe_differences


def with_admission(study: Study, root: Path, at: float, *, replaces: bool = False) -> Study:
    """Return the study with the pairs that its estimates admit.

    The first start decides, and ``study.json`` keeps the decision: later estimates do not change what is measured.

    Parameters
    ----------
    root : Path
        Results folder with the estimates.
    at : float
        Standard errors from zero at which an arrow admits its pair.
    replaces : bool
        Whether the study replaces the stored one, and decides anew.

    Raises
    ------
    InputError
        If the folder has no estimates, or those of other data or another encoder; if they admit no pair.
    """
    stored = _stored(root)
    if stored is not None and (stored.encoder != study.encoder or set(study.refs) - set(stored.refs)):
        raise InputError(
            f"--by-estimates: the estimates in {root} are of other tasks or data, or of another encoder; give these or "
            "another --results"
        )
    if stored is not None and not replaces and stored.admission and _is_same(stored.admission, study, at):
        return replace(study, admission=stored.admission)
    names = tuple(card.name for card in study.tasks)
    found = read_estimates(root, names)
    if found is None:
        raise InputError(
            f"--by-estimates: no {ESTIMATES} in {root}; run `taskaffinity estimate` with the same tasks and --results "
            "first"
        )
    admission = admit(names, found, at, _measured(stored, root) if stored else set())
    if not admission.admitted:
        nearest = max(pair.errors or 0.0 for pair in admission.pairs)
        raise InputError(
            f"--admit {at:g}: no pair is admitted; the estimate that is furthest from zero is {nearest:.2g} standard "
            "errors away; give a smaller number, or leave --by-estimates out"
        )
    return replace(study, admission=admission)


def check_admitting_estimates(study: Study, root: Path, *, replaces: bool = False) -> None:
    """Check that the estimates that admit pairs are of this study, with its settled recipe.

    A decision that the stored study keeps needs no estimates.

    Raises
    ------
    InputError
        If they are of another study: one line with the way out.
    """
    stored = _stored(root)
    if stored is not None and not replaces and stored.admission == study.admission:
        return
    if other := describe_other_study(root, study):
        here = stored is None or not describe_differences(stored, study)
        elsewhere = "run `taskaffinity estimate` with these settings and another --results first"
        raise InputError(f"--by-estimates: {root}: {other}; {AGAIN if here else elsewhere}")


def _stored(root: Path) -> Study | None:
    if not has_study(root):
        return None
    try:
        return Study.load(root)
    except ValueError as error:
        raise InputError(str(error)) from error


def _is_same(admission: Admission, study: Study, at: float) -> bool:
    """Whether a stored decision is about the same pairs, by the same bound."""
    pairs = set(map(frozenset, combinations((card.name for card in study.tasks), 2)))
    return admission.at == at and {frozenset(pair.tasks) for pair in admission.pairs} == pairs


def _measured(stored: Study, root: Path) -> set[frozenset[str]]:
    """Return the pairs of the stored study that have a finished run."""
    store = RunStore(root)
    return {frozenset(spec.task_names) for spec in stored.plan if spec.arm == "pair" and spec in store}
