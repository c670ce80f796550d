"""MLflow and W&B log each run once, also after a kill; the clients here only record their calls."""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from taskaffinity.tracking.events import LoggedRun

TAGS = {"suite": "toy", "results": "toy", "run_id": "refine-a-s0", "text": "real", "folder": "1"}
RUN = LoggedRun("refine-a-s0", "found", {"seed": 0}, [(1, {"dev/a": 0.5})], {"test/a": 0.25}, TAGS, 0.0, 1.0)
OTHERS = dataclasses.replace(RUN, tags={**TAGS, "results": "other"})
NAMESAKES = dataclasses.replace(RUN, tags={**TAGS, "folder": "2"})
"""Of somebody else, whose folder has the same name."""


class Killed(BaseException):
    """No error that anybody catches."""


def module_with(monkeypatch: pytest.MonkeyPatch, name: str, **fakes: ModuleType) -> Any:
    """A tracker's module, on packages that are not here."""
    with monkeypatch.context() as patch:  # what it sets for its client is not for other tests
        patch.setattr(os, "environ", dict(os.environ))
        for package, fake in fakes.items():
            monkeypatch.setitem(sys.modules, package.replace("__", "."), fake)
        monkeypatch.delitem(sys.modules, f"taskaffinity.tracking.{name}", raising=False)
        return importlib.import_module(f"taskaffinity.tracking.{name}")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    for name in ("mlflow", "wandb"):
        sys.modules.pop(f"taskaffinity.tracking.{name}", None)


class MlflowServer:
    """As ``MlflowClient``, as far as it is used."""

    def __init__(self) -> None:
        self.runs: dict[str, Any] = {}
        self.is_to_kill = False
        self.made = 0

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id="e")

    def create_run(self, experiment: str, start_time: Any, run_name: str, tags: dict[str, str]) -> Any:
        self.made += 1
        info = SimpleNamespace(run_id=str(self.made), run_name=run_name, status="RUNNING")
        self.runs[info.run_id] = SimpleNamespace(info=info, data=SimpleNamespace(tags=tags, metrics=[]))
        return self.runs[info.run_id]

    def search_runs(self, experiments: list[str], asked: str) -> list[Any]:
        return [run for run in self.runs.values() if asked == f"attributes.run_name = '{run.info.run_name}'"]

    def delete_run(self, key: str) -> None:
        del self.runs[key]

    def log_batch(self, key: str, metrics: Any = (), params: Any = ()) -> None:
        if self.is_to_kill:
            raise Killed
        self.runs[key].data.metrics += metrics

    def set_terminated(self, key: str, end_time: Any = None) -> None:
        self.runs[key].info.status = "FINISHED"


def test_mlflow_holds_a_run_once_whatever_was_killed_and_trained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = MlflowServer()
    fake, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    fake.get_tracking_uri, fake.MlflowClient = (lambda: "here"), (lambda: server)  # type: ignore[attr-defined]
    entities.Metric = entities.Param = lambda *what: what  # type: ignore[attr-defined]
    module = module_with(monkeypatch, "mlflow", mlflow=fake, mlflow__entities=entities)
    module.Experiment("x").log_run(NAMESAKES)
    server.is_to_kill = True
    with pytest.raises(Killed):
        module.Experiment("x").log_run(RUN)
    server.is_to_kill = False
    for _ in range(2):
        module.Experiment("x").log_run(RUN)
        assert [run.info.status for run in server.runs.values()] == ["FINISHED"] * 2
        assert [run.data.tags["folder"] for run in server.runs.values()] == ["2", "1"]
        assert [len(run.data.metrics) for run in server.runs.values()] == [2, 2]


class WandbRun:
    """As ``wandb.Run``: steps that are there already are not logged again."""

    def __init__(self) -> None:
        self.steps: dict[int, Any] = {}
        self.summary: dict[str, float] = {}
        self.is_to_kill = False

    def __enter__(self) -> WandbRun:
        return self

    def __exit__(self, *_: object) -> None: ...

    def log(self, scores: Any, step: int) -> None:
        self.steps.setdefault(step, scores)
        if self.is_to_kill:
            raise Killed


def test_wandb_goes_on_with_a_run_that_was_cut_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs: dict[str, WandbRun] = {}
    kill = True

    def init(**options: Any) -> WandbRun:
        assert options["resume"] == "allow"
        run = runs.setdefault(options["id"], WandbRun())
        run.is_to_kill = kill
        return run

    fake = ModuleType("wandb")
    fake.init, fake.Settings = init, dict  # type: ignore[attr-defined]
    module = module_with(monkeypatch, "wandb", wandb=fake)
    project = module.Project("p", "here", tmp_path)
    with pytest.raises(Killed):
        project.log_run(RUN)
    kill = False
    project.log_run(RUN)
    assert [(run.steps, run.summary) for run in runs.values()] == [({1: {"dev/a": 0.5}}, {"test/a": 0.25})]
    project.log_run(OTHERS)
    project.log_run(dataclasses.replace(RUN, fingerprint="trained again"))
    assert len(runs) == 3


def test_wandb_takes_a_suite_with_a_long_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The client refuses runs with tags of more than 64 characters."""
    given: list[dict[str, Any]] = []

    def init(**options: Any) -> WandbRun:
        given.append(options)
        return WandbRun()

    fake, suite = ModuleType("wandb"), "s" * 80
    fake.init, fake.Settings = init, dict  # type: ignore[attr-defined]
    project = module_with(monkeypatch, "wandb", wandb=fake).Project("p", "here", tmp_path)
    project.log_run(dataclasses.replace(RUN, tags={**TAGS, "suite": suite}))
    assert [len(tag) for tag in given[0]["tags"]] == [64, len("run"), len("real")]
    assert given[0]["group"] == suite
