"""Advice on a study: what limits its evidence, and what to change before more seeds are trained."""

from __future__ import annotations

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.cautions.collapsed_runs import count_runs, describe_collapsed_runs, find_collapsed_runs
from taskaffinity.analysis.cautions.equal_runs import describe_equal_runs
from taskaffinity.analysis.cautions.of_data import describe_data
from taskaffinity.analysis.cautions.of_study import describe_cautions
from taskaffinity.analysis.cautions.undertrained import describe_undertrained, find_undertrained, untrained_tasks
from taskaffinity.analysis.style import plural
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study


def describe_advice(matrix: AffinityMatrix) -> list[str]:
    """Return lines on what limits the evidence of a study.

    The lines name collapsed runs, equal runs, undertrained baselines, limits of the data, test sets that are too small,
    and estimates of another study, which are not used.
    """
    study = matrix.study
    return [
        *describe_collapsed_runs(study, matrix.collapsed_runs, untrained_tasks(matrix.undertrained)),
        *describe_equal_runs(matrix.equal_runs, dict(zip(matrix.tasks, matrix.titles, strict=True))),
        *describe_undertrained(study, matrix.undertrained),
        *describe_data(study, matrix.rule),
        *describe_cautions(matrix),
        *[matrix.estimates_ignored] * bool(matrix.estimates_ignored),
    ]


def describe_runs(study: Study, store: RunStore) -> list[str]:
    """Return lines on collapsed runs and undertrained baselines.

    The lines use the finished runs of a study of any design.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    undertrained = find_undertrained(study, store)
    return [
        *describe_collapsed_runs(study, find_collapsed_runs(study, store), untrained_tasks(undertrained)),
        *describe_undertrained(study, undertrained),
    ]


def describe_stage_advice(study: Study, store: RunStore) -> list[str]:
    """Return lines on what limits the evidence of a study in stages.

    The lines name collapsed runs, undertrained baselines and limits of the data.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    return [*describe_runs(study, store), *describe_data(study)]


def describe_runs_briefly(study: Study, store: RunStore) -> list[str]:
    """Return ``describe_runs`` in a sentence or two, for the caption of a figure.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    n_collapsed = count_runs(study, find_collapsed_runs(study, store))
    titles = {card.name: card.title for card in study.tasks}
    faults = [f"{titles[fault.task]} {fault.words}" for fault in find_undertrained(study, store)]
    collapsed = f"{plural(n_collapsed, 'run')} collapsed and {'counts' if n_collapsed == 1 else 'count'} in the means"
    parts = [collapsed] * bool(n_collapsed) + faults
    return [f"Caution: {'; '.join(parts)}."] if parts else []
