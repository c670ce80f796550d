"""Task files, models and predictions are their owner's alone, unless shared; other files follow the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from finished_run import RESULT, SPEC

from taskaffinity.private import protect
from taskaffinity.runs.files import atomic_write
from taskaffinity.runs.store import RunStore
from taskaffinity.tasks.formats import TaskCard, write_task
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import SPLITS, Example

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


def test_a_run_is_private_unless_it_is_shared(tmp_path: Path) -> None:
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
