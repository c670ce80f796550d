"""Log to MLflow: one MLflow run per training run.

The experiment is ``taskaffinity/SUITE`` or ``MLFLOW_EXPERIMENT_NAME``.

``MLFLOW_TRACKING_URI`` names the server. Only MLflow's client is used: unlike the fluent functions, it adds neither the
user's name nor the source.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from taskaffinity.runs.study import Study
from taskaffinity.tracking.events import LoggedRun, LoggedStudy

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the default of seven would delay the study by minutes
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # stdout is for results

import mlflow
from mlflow.entities import Metric, Param

_MOST_METRICS = 1000
"""Largest number of metrics per request to a server."""


def open_tracker(study: Study, root: Path) -> Experiment:
    return Experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or f"taskaffinity/{study.suite}")


class Experiment:
    """One experiment of the tracking server."""

    def __init__(self, name: str) -> None:
        self.where = str(mlflow.get_tracking_uri())
        self.client = mlflow.MlflowClient()
        found = self.client.get_experiment_by_name(name)
        self.id = found.experiment_id if found else self.client.create_experiment(name)

    def log_run(self, run: LoggedRun) -> None:
        key = self._begin(run.name, run.tags, run.began)
        at = int(run.ended * 1000)
        metrics = [Metric(name, value, at, epoch) for epoch, scores in run.epochs for name, value in scores.items()]
        last = run.epochs[-1][0] if run.epochs else 0
        metrics += [Metric(name, value, at, last) for name, value in run.scores.items()]
        self.client.log_batch(key, params=[Param(name, str(value)) for name, value in run.settings.items()])
        for first in range(0, len(metrics), _MOST_METRICS):
            self.client.log_batch(key, metrics=metrics[first : first + _MOST_METRICS])
        self.client.set_terminated(key, end_time=at)

    def log_study(self, study: LoggedStudy) -> None:
        key = self._begin(f"{study.table.stem} of {study.suite}", study.tags)
        for path in (study.table, study.picture):
            if path is not None:
                self.client.log_artifact(key, str(path))
        self.client.set_terminated(key)

    def _begin(self, name: str, tags: Mapping[str, str], began: float | None = None) -> str:
        """Begin a run, and delete an earlier one of the same name and folder.

        The earlier one is incomplete, or its run was trained again. MLflow can restore deleted runs.
        """
        for old in self.client.search_runs([self.id], f"attributes.run_name = '{name}'"):
            if old.data.tags.get("folder") == tags["folder"]:
                self.client.delete_run(old.info.run_id)
        start = None if began is None else int(began * 1000)
        made = self.client.create_run(self.id, start_time=start, run_name=name, tags=dict(tags))
        return str(made.info.run_id)
