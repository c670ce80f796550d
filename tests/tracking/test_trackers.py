"""The trackers themselves, on a tiny study that is trained: TensorBoard everywhere, MLflow and Weights & Biases where
their packages are."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from event_files import scalars, values
from PIL import Image

from taskaffinity.runs.store import RunStore
from taskaffinity.schedule.resources import Resources
from taskaffinity.tasks.planted import CLINICAL
from taskaffinity.tracking.tracker import RunTracker

N_RUNS = 6
"""Two tasks, two seeds: 4 single-task runs and 2 pairs."""


@pytest.fixture
def tracked(tiny_study: Callable[..., Any], tmp_path: Path) -> Callable[[str], tuple[Any, RunStore]]:
    """Trains the study with a tracker attached, publishes, and ends."""

    def train(name: str) -> tuple[Any, RunStore]:
        tiny, root = tiny_study(num_train_epochs=2), tmp_path / "results"
        said: list[str] = []
        follower = RunTracker([name], tiny.study, RunStore(root), said.append)
        assert not tiny.train(root, resources=Resources("local"), on_progress=follower.update).failed
        tiny.edges(root)
        follower.end()
        assert said == []
        return tiny.study, RunStore(root)

    return train


def no_sentence(content: str) -> bool:
    texts = [example.text for name in ("clinicalsts", "mednli") for example in CLINICAL[name].examples["train"][:200]]
    return not any(text in content for text in texts if len(text.split()) >= 3)


def test_tensorboard_holds_every_run_and_the_verdicts(tracked: Callable[[str], tuple[Any, RunStore]]) -> None:
    study, store = tracked("tensorboard")
    folder = store.root / "tensorboard"
    assert {path.name for path in folder.iterdir()} == {*(spec.run_id for spec in study.plan), "edges"}
    for spec in study.plan:
        result, found = store.read(spec), scalars(folder / spec.run_id)
        for name in spec.task_names:
            by_epoch = {row["epoch"]: row["dev"][name] for row in result.history}
            assert found[f"dev/{name}"] == pytest.approx(by_epoch)
            assert found[f"loss/{name}"] == pytest.approx({row["epoch"]: row["loss"][name] for row in result.history})
            assert found[f"test/{name}"] == pytest.approx({2: result.outcomes[name].test})
    written = {value.tag: value for _, value in values(folder / "edges")}
    assert "| clinicalsts | mednli |" in written["edges/text_summary"].tensor.string_val[0].decode()
    there = np.asarray(Image.open(store.root / "affinity.png").convert("RGB"))
    drawn = np.asarray(Image.open(io.BytesIO(written["affinity"].image.encoded_image_string)))
    assert np.array_equal(drawn, there)
    everything = b"".join(path.read_bytes() for path in folder.rglob("events*")).decode("utf-8", "ignore")
    assert "synthetic" in everything
    assert no_sentence(everything)


def test_tensorboard_reads_what_is_there(tracked: Callable[[str], tuple[Any, RunStore]]) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    study, store = tracked("tensorboard")
    spec = next(iter(study.plan))
    read = reader.EventAccumulator(str(store.root / "tensorboard" / spec.run_id)).Reload()
    [name] = spec.task_names
    assert [event.step for event in read.Scalars(f"dev/{name}")] == [1, 2]
    assert read.summary_metadata["_hparams_/session_start_info"].plugin_data.plugin_name == "hparams"


def test_mlflow_holds_every_run_and_the_verdicts(
    tracked: Callable[[str], tuple[Any, RunStore]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not here: NOT tried for real")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    try:
        study, store = tracked("mlflow")
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name("taskaffinity/clinical")
        runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
        assert set(runs) == {*(spec.run_id for spec in study.plan), "edges of clinical"}
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        for spec in study.plan:
            run = runs[spec.run_id]
            for name, outcome in store.read(spec).outcomes.items():
                assert run.data.metrics[f"test/{name}"] == pytest.approx(outcome.test)
                assert [m.step for m in client.get_metric_history(run.info.run_id, f"dev/{name}")] == [1, 2]
            assert run.data.params["seed"] == str(spec.seed)
            assert run.data.tags["text"].startswith("synthetic")
        files = client.list_artifacts(runs["edges of clinical"].info.run_id)
        assert {file.path for file in files} == {"edges.csv", "affinity.png"}
    finally:
        mlflow.set_tracking_uri(before)


def test_wandb_keeps_every_run_offline(
    tracked: Callable[[str], tuple[Any, RunStore]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="wandb is not here: NOT tried for real")
    monkeypatch.setenv("WANDB_MODE", "offline")
    study, store = tracked("wandb")
    files = list(store.root.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(files) == N_RUNS + 1
    everything = b"".join(path.read_bytes() for path in files).decode("utf-8", "ignore")
    assert all(spec.run_id in everything for spec in study.plan)
    assert "dev/mednli" in everything
    assert no_sentence(everything)
