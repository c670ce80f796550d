"""Task files, models and predictions are their owner's alone, unless shared; other files follow the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taskaffinity.private import protect
from taskaffinity.runs.files import atomic_write
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.result import Head, Outcome, Predictions, RunResult
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.tasks.formats import TaskCard, write_task
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import SPLITS, Example

SPEC = RunSpec((("a", "f1"),), EncoderRef("tiny", "e1"), 0, Recipe())
RESULT = RunResult(
    SPEC,
    {"a": Outcome("accuracy", 1, 0.5, 0.5)},
    {"a/dev": np.array([[1.0, 1.0], [0.0, 1.0]]), "a/test": np.array([[1.0, 1.0], [0.0, 1.0]])},
    [{"epoch": 1, "loss": {"a": 0.75}, "dev": {"a": 0.5}}],
    {"train_seconds": 1.5, "steps": 12},
    {"torch": "2"},
    {"a/test": Predictions(["a.1", "a.2"], ["yes", "no"], ["yes", "yes"])},
    weights={1: {"encoder.weight": np.zeros((2, 2), dtype=np.float32)}},
    heads={"a": Head({"output.bias": np.zeros(2, dtype=np.float32)}, {"task": "{}"})},
)
SECRET = ("predictions.parquet", "model", "model/epoch-1.safetensors", "model/head-a.safetensors")


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


@pytest.mark.parametrize("shared", [False, True])
def test_the_modes_of_a_run(shared: bool, umask: int, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "results")
    store.write(RESULT, share_with_group=not shared)  # an earlier training leaves no mode behind
    store.write(RESULT, share_with_group=shared)
    found = modes(store.folder(SPEC))
    of_folder, of_file = (0o750, 0o640) if shared else (0o700, 0o600)
    secret = {name: of_folder if name == "model" else of_file for name in SECRET}
    assert {name: found[name] for name in SECRET} == secret
    others = {name: mode for name, mode in found.items() if name not in SECRET}
    assert others.keys() >= {"counts.npz", "history.jsonl", "spec.json", "result.json"}
    assert set(others.values()) == {0o666 & ~umask}
    assert store.read(SPEC).outcomes == RESULT.outcomes
    assert store.has_models(SPEC)


@pytest.mark.parametrize("shared", [False, True])
def test_the_modes_of_task_files(shared: bool, umask: int, tmp_path: Path) -> None:
    rows = {split: [Row(Example(split, "yes", "snarkol"))] for split in SPLITS}
    card = TaskCard(kind="classification", labels=("no", "yes"))
    of_folder, of_file = (0o750, 0o640) if shared else (0o700, 0o600)
    expected = {"a": of_folder, **{f"a/{name}": of_file for name in ("task.json", *(f"{s}.jsonl" for s in SPLITS))}}
    for earlier in (None, shared, not shared):
        if earlier is not None:
            write_task(tmp_path / "a", card, rows, share_with_group=earlier)
        write_task(tmp_path / "a", card, rows, share_with_group=shared)
        assert {name: mode for name, mode in modes(tmp_path).items() if name != "a/.lock"} == expected


def test_a_run_is_private_unless_told_otherwise(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write(replace(RESULT))
    assert {modes(store.folder(SPEC))[name] & 0o077 for name in SECRET} == {0}


def test_a_secret_file_is_secret_from_its_first_byte(umask: int, tmp_path: Path) -> None:
    with atomic_write(tmp_path / "secret", 0o600) as file:
        file.write(b"x")
        file.flush()
        [beside] = tmp_path.iterdir()
        assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    assert modes(tmp_path) == {"secret": 0o600}


def test_protecting_a_folder_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "out" / "below").mkdir(parents=True)
    (tmp_path / "out" / "below" / "file").write_text("x")
    (tmp_path / "other").write_text("x")
    (tmp_path / "other").chmod(0o644)
    (tmp_path / "out" / "link").symlink_to(tmp_path / "other")
    for shared, file, folder in ((True, 0o640, 0o750), (False, 0o600, 0o700)):
        protect(tmp_path / "out", share_with_group=shared)
        found = {"out": folder, "out/below": folder, "out/below/file": file}
        assert modes(tmp_path) == {**found, "out/link": 0o644, "other": 0o644}
