"""``--dry-run``: the runs, and what they will cost on this machine, by a few steps tried now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.run import pending_runs
from taskaffinity.tasks.task import Suite

if TYPE_CHECKING:
    from taskaffinity.training.encoders import Encoder
from taskaffinity.studies.forecast import describe_forecast


def print_plan(
    study: Study, suite: Suite, encoder: Encoder, store: RunStore, resources: Resources, *, keep_models: bool
) -> None:
    """Every run with whether it is done, and the forecast for those that are not."""
    from taskaffinity.studies.forecast import measured_cost  # torch

    plan = study.plan
    waiting = pending_runs(plan, store, keep_models=keep_models)
    to_do = set(waiting)
    for spec in plan:
        print(f"{'to do' if spec in to_do else 'done':6} {spec.run_id}")
    most = "at most " if study.interim_seeds else ""
    print(f"{most}{len(plan)} runs, {len(plan) - len(waiting)} done, {most}{len(waiting)} to train")
    if waiting:
        pace = measured_cost(study, suite, encoder)
        for line in describe_forecast(waiting, pace, resources, keep_models=keep_models):
            print(line)
