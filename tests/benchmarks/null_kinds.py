"""The rows of ``error_rates_kinds.csv``: how often the default test calls a null arrow of each newer kind of task.

``simulated_kinds`` draws the studies. Each kind has a row of eight tasks for p <= .001, which the others measure less
exactly.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from compared_tests import NEW, error_of, evidence_of, rule_of, stack
from null_cells import BATCH, TAIL, ratio, seed_of
from simulated_kinds import FORMS, draw_null_study
from simulated_worlds import World

SIMULATED: dict[tuple[str, str], tuple[str, ...]] = {
    ("classification", "4 classes"): ("accuracy", "micro_f1"),
    ("regression", "ratings"): ("pearson",),
    ("regression", "skewed numbers"): ("pearson",),
    ("multilabel", "6 labels"): ("multilabel_f1", "macro_f1"),
    ("choice", "3 to 5 options"): ("accuracy",),
    ("spans", "answers"): ("answer_f1", "exact_match"),
}
"""The metrics of each form of labels, the usual one first."""
STUDIES, FAR_STUDIES, LARGE_STUDIES = 1000, 1000, 500


class PlannedKind(NamedTuple):
    """One row of the file."""

    form: tuple[str, str]
    world: World
    studies: int


def planned(kind: str) -> list[PlannedKind]:
    """Return the rows of a kind: small and large test sets, skewed seeds, questions on one text, the far tail."""
    rows: list[PlannedKind] = []
    for form, metrics in SIMULATED.items():
        for metric in metrics if form[0] == kind else ():
            far = [] if rows else [(World(metric, 8, 300), FAR_STUDIES)]
            worlds = [(World(metric, n_test=n_test), STUDIES) for n_test in (100, 300)]
            worlds += [
                (World(metric, n_test=1000), LARGE_STUDIES),
                (World(metric, n_test=300, noise="student_t3"), STUDIES),
                (World(metric, n_test=300, documents=60), STUDIES),
            ]
            rows += [PlannedKind(form, world, studies) for world, studies in worlds + far]
    return rows


def kind_rates(kind: str, studies: int | None = None) -> pd.DataFrame:
    """Return the rows of one kind.

    Parameters
    ----------
    studies : int, optional
        Studies per row. Default: as many as planned.
    """
    rows = []
    for row in planned(kind):
        began = time.monotonic()
        rows.append({**describe_kind(row), **measure_kind(row, studies or row.studies)})
        print({key: value for key, value in rows[-1].items() if value}, f"{time.monotonic() - began:.0f} s", flush=True)
    return pd.DataFrame(rows)


def describe_kind(row: PlannedKind) -> dict[str, Any]:
    """Return the parameters of a row."""
    (kind, labels), world = row.form, row.world
    return {
        "kind": kind,
        "labels": labels,
        "metric": world.metric,
        "tasks": world.tasks,
        "n_test": world.n_test,
        "seeds_pair": world.seeds_pair,
        "seeds_single": world.single_runs,
        "noise": world.noise,
        "documents": world.documents,
    }


def measure_kind(row: PlannedKind, studies: int) -> dict[str, float]:
    """Return the rates of the default test with their Monte Carlo errors."""
    rng, rule, counts = seed_of(row.form, row.world), rule_of(NEW), []
    for start in range(0, studies, BATCH):
        drawn = [draw_null_study(rng, row.form, row.world) for _ in range(min(BATCH, studies - start))]
        p = np.asarray(error_of(stack([evidence_of(arms, rule) for arms in drawn]), rule).p(), dtype=np.float64)
        events = (~np.isnan(p), p <= 0.05, p <= TAIL)
        counts.append(np.stack([event.sum(axis=(1, 2)) for event in events], axis=1))
    nulls, called, far = np.concatenate(counts).astype(np.float64).T
    (type1, type1_error), (tail, tail_error) = ratio(called, nulls), ratio(far, nulls)
    return {
        "type1": round(type1, 4),
        "type1_error": round(type1_error, 4),
        "type1_001": round(tail, 5),
        "type1_001_error": round(tail_error, 5),
        "replications": int(nulls.sum()),
        "studies": len(nulls),
    }


KINDS = tuple(dict.fromkeys(kind for kind, _ in FORMS))
