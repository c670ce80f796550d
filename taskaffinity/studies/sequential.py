"""Train a sequential design: up to an interim analysis, test, and continue with undecided pairs."""

from __future__ import annotations

from collections.abc import Callable

from taskaffinity.analysis.measure import margins_of
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.statistics.sequential import follow, required_runs
from taskaffinity.errors import InputError
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule.progress import Report


def run_sequential(
    study: Study, store: RunStore, train: Callable[[Plan], Report], pending: Callable[[Plan], list[RunSpec]]
) -> Report:
    """Train up to each interim analysis in turn; a failed run is not tried again in this call."""
    total = Report()
    rule = study.rule
    margins = margins_of(study, rule)
    while True:
        try:
            arms = read_arms(study, store)
        except ValueError as error:
            raise InputError(str(error)) from error
        standing = follow(study, arms, rule, margins, lambda spec: spec in store or spec in total.failed)
        needed = required_runs(study, standing)
        total.planned = len(needed)
        if all(spec in total.failed for spec in pending(needed)):
            return total
        report = train(Plan.of(spec for spec in needed if spec not in total.failed))  # progress counts finished runs
        total.trained += report.trained
        total.found += report.found
        total.failed |= report.failed
        total.seconds += report.seconds
        total.workers = max(total.workers, report.workers)
