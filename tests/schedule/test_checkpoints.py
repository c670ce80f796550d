"""The executor removes a run's checkpoints when it is done or failed, and keeps them if it may go on."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_run import RESULT, SPEC
from safetensors.numpy import save_file

from taskaffinity.errors import InputError
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.checkpoint_files import CheckpointFolder, TrainingState
from taskaffinity.schedule import worker
from taskaffinity.schedule.progress import Report
from taskaffinity.schedule.resources import Resources, RunOptions
from taskaffinity.schedule.run import run
from taskaffinity.schedule.worker import FOUND_DONE, train_and_store
from taskaffinity.training import execute as door
from taskaffinity.training import resume
from taskaffinity.training.execute import UnderWay
from taskaffinity.training.loop import Diverged

MakeStudy = Callable[..., Any]  # conftest's make_tiny_study


@pytest.fixture
def settings(tiny_study: MakeStudy, tmp_path: Path) -> dict[str, Any]:
    tiny = tiny_study(num_train_epochs=2)
    kept = dict.fromkeys(("keep_predictions", "keep_weights", "keep_model"), False)
    places = {"root": str(tmp_path), "encoder": str(tiny.encoder_folder), "cache": str(tiny.cache)}
    return {"spec": tiny.study.plan.specs[0], "settings": {**kept, **places, "gpu_share": 0.0}}


@pytest.mark.parametrize(("minutes", "n_written"), [(1e-9, 2), (60, 0), (0, 0)])
def test_nothing_is_left_of_a_finished_run(
    minutes: float, n_written: int, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = CheckpointFolder.write, []

    def counted(self: CheckpointFolder, *given: Any) -> None:
        write(self, *given)
        written.extend(self.folder.iterdir())

    monkeypatch.setattr(CheckpointFolder, "write", counted)
    spec = settings["spec"]
    assert train_and_store(spec, {**settings["settings"], "checkpoint_minutes": minutes}) is None
    assert len(written) == n_written
    names = {path.name for path in RunStore(tmp_path).folder(spec).iterdir()}
    assert names == {".lock", "spec.json", "history.jsonl", "counts.npz", "result.json"}


def test_every_run_claims_its_share_of_a_gpu_before_it_trains(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []
    monkeypatch.setattr("taskaffinity.training.gpu.claim_gpu_memory", lambda *given: done.append(given))
    monkeypatch.setattr("taskaffinity.training.execute.execute", lambda *_, **__: done.append("trained") or 1 / 0)
    spec = settings["spec"]
    for share in (0.25, 1.0):
        assert train_and_store(spec, {**settings["settings"], "gpu_share": share}) is not None
    assert done == [(spec.recipe, 0.25), "trained", (spec.recipe, 1.0), "trained"]


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [
        (Diverged("diverged"), False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), True),
        (MemoryError(), True),
        (OSError(errno.ENOSPC, "No space left on device", "there"), True),
        (OSError(errno.EIO, "Input/output error", "there"), True),
        (OSError(errno.ESTALE, "Stale file handle"), True),
        (InputError("other users may write to this cache"), True),
        (ImportError("no such package"), True),
    ],
    ids=lambda value: str(value) if isinstance(value, bool) else type(value).__name__,
)
def test_a_failed_run_keeps_its_checkpoint_unless_it_would_fail_again(
    error: Exception, is_kept: bool, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = resume.Checkpoints.after_epoch

    def fails(self: resume.Checkpoints) -> None:
        write(self)
        raise error

    monkeypatch.setattr(resume.Checkpoints, "after_epoch", fails)
    spec = settings["spec"]
    assert train_and_store(spec, {**settings["settings"], "checkpoint_minutes": 1e-9}) is not None
    assert (RunStore(tmp_path).folder(spec) / "checkpoint").exists() is is_kept


def test_a_damaged_checkpoint_says_whether_an_older_one_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that is killed before it removes the older one leaves two."""
    files = CheckpointFolder(tmp_path)
    kept = []
    for epoch in (1, 2):
        state = TrainingState("r", {}, epoch, 0, 0, 0.0, {}, [], {}, [])
        kept.append(files._write(state, lambda path, about: save_file({"x": np.zeros(1)}, path, dict(about))))
    kept[1].write_bytes(b"damaged")
    found = files.read("r", {})
    assert found is not None
    assert found[0] == kept[0]
    kept[0].write_bytes(b"damaged")
    assert files.read("r", {}) is None
    ends = [record.getMessage().rpartition("; ")[2] for record in caplog.records]
    assert ends == ["an older one is read", "the run starts from its beginning"]


def checkpoint_of(store: RunStore) -> Path:
    """Leave a checkpoint in the folder of a finished run."""
    store.write(RESULT)
    path = store.folder(SPEC) / "checkpoint" / f"{2:06d}-{0:09d}-{'0' * 64}.safetensors"
    path.parent.mkdir()
    path.touch()
    return path


def train(store: RunStore, **options: Any) -> Report:
    places = {"encoder_folder": store.root, "cache": store.root}
    return run(Plan.of([SPEC]), store, **places, resources=Resources("local"), options=RunOptions(**options))


def test_a_checkpoint_that_a_killed_process_left_in_a_finished_run_is_removed(tmp_path: Path) -> None:
    """It was killed after the result was written. While another process holds the run, its checkpoint stays."""
    store = RunStore(tmp_path)
    path = checkpoint_of(store)
    with store.claim(SPEC):
        assert train(store).trained == []
        assert path.exists()
    assert train(store).trained == []
    assert not path.parent.exists()
    assert store.read(SPEC).outcomes == RESULT.outcomes


def test_a_process_that_finds_a_run_done_removes_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run was to be trained when the command started."""
    store, done = RunStore(tmp_path), iter([False, True])
    path = checkpoint_of(store)
    monkeypatch.setattr(worker, "is_done", lambda *_: next(done))
    assert train_and_store(SPEC, {"root": tmp_path}) == FOUND_DONE
    assert not path.parent.exists()


def test_a_finished_run_that_is_trained_again_continues_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, newest = RunStore(tmp_path), []
    path = checkpoint_of(store)
    shutil.rmtree(store.folder(SPEC) / "model")

    def execute(spec: RunSpec, *, under_way: UnderWay, **_: Any) -> RunResult:
        assert under_way.checkpoints is not None
        newest.append(under_way.checkpoints.newest)
        return RESULT

    monkeypatch.setattr(door, "execute", execute)
    assert train(store, keep_models=True).trained == [SPEC]
    assert newest == [path]
