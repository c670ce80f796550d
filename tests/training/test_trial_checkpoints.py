"""A trial that is interrupted and continues finds what an undisturbed one finds, and trains no epoch twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.sigterm import Terminated
from taskaffinity.training.trial import TrialEpoch, train_in_step

ALWAYS = 1e-9
"""Minutes between checkpoints: one after every epoch."""
EPOCHS = 4
Epochs = list[TrialEpoch]
Start = Callable[..., Iterator[TrialEpoch]]


@pytest.fixture(scope="module", params=[None, 1], ids=["all epochs", "patience"])
def start(tiny_study: Callable[..., Any], request: pytest.FixtureRequest) -> Start:
    settings = {"num_train_epochs": EPOCHS, "max_train_examples": 100, "learning_rate": 5e-3}
    tiny = tiny_study(tasks=("mednli", "shareclefe"), early_stopping_patience=request.param, **settings)
    specs = [RunSpec((ref,), tiny.study.encoder, 7, tiny.study.recipe) for ref in tiny.study.refs]

    def call(**options: Any) -> Iterator[TrialEpoch]:
        torch.manual_seed(1)  # what the process did before is of no account
        return train_in_step(specs, encoder_folder=tiny.encoder_folder, cache=tiny.cache, **options)

    return call


@pytest.fixture(scope="module")
def undisturbed(start: Start) -> Epochs:
    return list(start())


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs that are begun or continued from here on, over all tasks."""
    begun: list[int] = []
    train = TrainingLoop._train_epoch

    def counted(loop: TrainingLoop, *options: Any) -> None:
        begun.append(loop.position.epoch)
        train(loop, *options)

    monkeypatch.setattr(TrainingLoop, "_train_epoch", counted)
    return begun


def assert_same(found: Epochs, expected: Epochs) -> None:
    assert len(found) == len(expected)
    for one, other in ((one.best, other.best) for one, other in zip(found, expected, strict=True)):
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].score == other[name].score
            assert np.array_equal(one[name].counts, other[name].counts)
            assert one[name].predictions == other[name].predictions
            assert one[name].secondary.keys() == other[name].secondary.keys()


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_trial_continues_after_any_epoch(
    done: int, start: Start, undisturbed: Epochs, trained: list[int], tmp_path: Path
) -> None:
    first = start(checkpoints=tmp_path, checkpoint_minutes=ALWAYS)
    assert_same([next(first) for _ in range(done)], undisturbed[:done])
    first.close()  # type: ignore[attr-defined]
    first_ones = trained[:]
    del trained[:]
    again = list(start(checkpoints=tmp_path, checkpoint_minutes=ALWAYS))
    assert_same(again, undisturbed)
    assert all(epoch > done for epoch in trained)
    numbers = range(1, EPOCHS + 1)
    assert [one.is_trained for one in again] == [number in trained for number in numbers]
    assert [one.is_trained for one in undisturbed] == [number in {*first_ones, *trained} for number in numbers]


def test_tasks_whose_checkpoints_are_of_different_epochs_meet(
    start: Start, undisturbed: Epochs, tmp_path: Path
) -> None:
    first = start(checkpoints=tmp_path / "a", checkpoint_minutes=ALWAYS)
    next(first)
    (tmp_path / "a" / "mednli").rename(tmp_path / "mednli after one epoch")
    next(first)
    first.close()  # type: ignore[attr-defined]
    old = tmp_path / "a" / "mednli"
    for path in sorted(old.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    old.rmdir()
    (tmp_path / "mednli after one epoch").rename(old)
    assert_same(list(start(checkpoints=tmp_path / "a", checkpoint_minutes=60)), undisturbed)


@pytest.mark.parametrize("batch", [1, 5, 9])
def test_sigterm_costs_the_mini_batch_at_most(
    batch: int, start: Start, undisturbed: Epochs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [batch]
    train = TrainingLoop._train_epoch

    def ends(loop: TrainingLoop, started: float, heartbeat: None, after_batch: Callable[[], None]) -> None:
        def after() -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            after_batch()

        train(loop, started, heartbeat, after)

    def at_the_end(number: int, frame: object) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, at_the_end)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(TrainingLoop, "_train_epoch", ends)
            with pytest.raises((SystemExit, Terminated)):
                list(start(checkpoints=tmp_path, checkpoint_minutes=60))
    finally:
        signal.signal(signal.SIGTERM, before)
    files = sorted(path.name for path in tmp_path.rglob("*.safetensors"))
    assert len(files) == 2
    assert any(name.split("-")[1] != f"{0:09d}" for name in files)  # one task was in its epoch
    assert_same(list(start(checkpoints=tmp_path, checkpoint_minutes=60)), undisturbed)


def test_a_damaged_checkpoint_costs_its_task_only(
    start: Start, undisturbed: Epochs, trained: list[int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = start(checkpoints=tmp_path, checkpoint_minutes=ALWAYS)
    next(first)
    first.close()  # type: ignore[attr-defined]
    [path] = (tmp_path / "mednli").rglob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    del trained[:]
    assert_same(list(start(checkpoints=tmp_path, checkpoint_minutes=60)), undisturbed)
    assert "damaged" in caplog.text
    assert trained.count(1) == 1


def test_without_minutes_nothing_is_written(start: Start, tmp_path: Path) -> None:
    next(start(checkpoints=tmp_path, checkpoint_minutes=0))
    assert not list(tmp_path.iterdir())


def test_only_the_owner_reads_checkpoints(start: Start, tmp_path: Path) -> None:
    next(start(checkpoints=tmp_path / "trial", checkpoint_minutes=ALWAYS))
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "trial").rglob("*")}
    assert modes == {0o700, 0o600}
