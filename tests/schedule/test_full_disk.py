"""A full disk ends a study in one line: no run is trained that cannot be stored, and the same command goes on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from taskaffinity.errors import InputError
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.result import Outcome, RunResult
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.run_result import DamagedRun
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.run import run
from taskaffinity.training import execute as door

SPECS = [RunSpec((("a", "f1"),), EncoderRef("tiny", "e1"), seed, Recipe()) for seed in range(5)]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """The runs that were trained; a model that is right once costs no time."""
    runs: list[RunSpec] = []
    counts = np.array([[1.0, 1.0], [0.0, 1.0]])

    def execute(spec: RunSpec, **_: Any) -> RunResult:
        runs.append(spec)
        outcomes, work = {"a": Outcome("accuracy", 1, 0.5, 0.5)}, {"total_seconds": 1.0}
        return RunResult(spec, outcomes, {"a/dev": counts, "a/test": counts}, [], work, {"torch": "2"})

    monkeypatch.setattr(door, "execute", execute)
    return runs


def train(root: Path) -> Any:
    options: dict[str, Any] = {"encoder_folder": root, "cache": root, "resources": Resources("local")}
    return run(Plan.of(SPECS), RunStore(root), **options)


def raising(error: Exception, at: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which raises at the call with this number."""
    calls = []

    def call(*given: Any, **named: Any) -> Any:
        calls.append(given)
        if len(calls) == at:
            raise error
        return real(*given, **named)

    return call


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize(("step", "n_trained"), [("write", 3), ("begin", 2)], ids=["result", "claim"])
def test_a_full_disk_ends_a_study_in_one_line(
    step: str, n_trained: int, number: int, trained: list[RunSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(number, os.strerror(number), str(tmp_path / "counts.npz"))
    with monkeypatch.context() as patch:
        patch.setattr(RunStore, step, raising(error, 3, getattr(RunStore, step)))
        with pytest.raises(InputError) as caught:
            train(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'counts.npz'}: {os.strerror(number)}; 2 of 5 runs are done, and no other is started; make room, "
        "then run the same command again"
    )
    assert len(trained) == n_trained
    report = train(tmp_path)
    assert (len(report.trained), report.failed) == (3, {})
    assert trained[n_trained:] == SPECS[2:]


@pytest.mark.parametrize(("step", "n_trained"), [("write", 5), ("begin", 4), ("start", 4)])
def test_another_error_of_the_disk_costs_one_run(
    step: str, n_trained: int, trained: list[RunSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(errno.EIO, os.strerror(errno.EIO), "counts.npz")
    monkeypatch.setattr(RunStore, step, raising(error, 3, getattr(RunStore, step)))
    assert train(tmp_path).failed == {SPECS[2]: "counts.npz: Input/output error"}
    assert len(trained) == n_trained
    assert RunStore(tmp_path).failure(SPECS[2]) == "counts.npz: Input/output error"


def test_a_lock_that_cannot_be_taken_costs_one_run(
    trained: list[RunSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))  # without the name of a file
    monkeypatch.setattr(FileLock, "acquire", raising(error, 3, FileLock.acquire))
    said = f"{RunStore(tmp_path).folder(SPECS[2]) / '.lock'}: {os.strerror(errno.ENOLCK)}"
    assert train(tmp_path).failed == {SPECS[2]: said}
    assert trained == [*SPECS[:2], *SPECS[3:]]


def test_a_damaged_run_costs_those_that_start_from_it(
    trained: list[RunSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = DamagedRun(tmp_path / "result.json", "not JSON")
    monkeypatch.setattr(RunStore, "start", raising(error, 3, RunStore.start))
    assert train(tmp_path).failed == {SPECS[2]: str(error)}
    assert trained == [*SPECS[:2], *SPECS[3:]]
