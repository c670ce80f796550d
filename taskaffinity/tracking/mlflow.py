"""MLflow: a run a training, in the experiment ``taskaffinity/SUITE`` or that of ``MLFLOW_EXPERIMENT_NAME``.

Where is MLflow's to say (``MLFLOW_TRACKING_URI``). Its client alone is used: it sends what it is given, and neither
the user's name nor the source that the fluent functions add.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from taskaffinity.runs.study import Study
from taskaffinity.tracking.events import ToldRun, ToldStudy

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # its own seven would hold up the study for minutes
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # a line a run; stdout is for results

import mlflow
from mlflow.entities import Metric, Param

_MOST_METRICS = 1000
"""That a server takes at once."""


def open_tracker(study: Study, root: Path) -> Experiment:
    return Experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or f"taskaffinity/{study.suite}")


class Experiment:
    """One experiment of the tracking server."""

    def __init__(self, name: str) -> None:
        self.where = str(mlflow.get_tracking_uri())
        self.client = mlflow.MlflowClient()
        found = self.client.get_experiment_by_name(name)
        self.id = found.experiment_id if found else self.client.create_experiment(name)

    def log_run(self, run: ToldRun) -> None:
        key = self._begin(run.name, run.tags, run.began)
        at = int(run.ended * 1000)
        metrics = [Metric(name, value, at, epoch) for epoch, scores in run.epochs for name, value in scores.items()]
        last = run.epochs[-1][0] if run.epochs else 0
        metrics += [Metric(name, value, at, last) for name, value in run.scores.items()]
        self.client.log_batch(key, params=[Param(name, str(value)) for name, value in run.settings.items()])
        for first in range(0, len(metrics), _MOST_METRICS):
            self.client.log_batch(key, metrics=metrics[first : first + _MOST_METRICS])
        self.client.set_terminated(key, end_time=at)

    def log_study(self, study: ToldStudy) -> None:
        key = self._begin(f"{study.table.stem} of {study.suite}", study.tags)
        for path in (study.table, study.picture):
            if path is not None:
                self.client.log_artifact(key, str(path))
        self.client.set_terminated(key)

    def _begin(self, name: str, tags: Mapping[str, str], began: float | None = None) -> str:
        """Begin a run; one of that name and folder goes, be it half told, by a process that was killed, or of a run
        that was trained again since. MLflow keeps what goes among the deleted."""
        for old in self.client.search_runs([self.id], f"attributes.run_name = '{name}'"):
            if old.data.tags.get("folder") == tags["folder"]:
                self.client.delete_run(old.info.run_id)
        start = None if began is None else int(began * 1000)
        made = self.client.create_run(self.id, start_time=start, run_name=name, tags=dict(tags))
        return str(made.info.run_id)
