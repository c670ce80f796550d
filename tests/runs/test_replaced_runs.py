"""A finished run that is trained again stays whole until all files of the new training are written."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_run import RESULT, SPEC

from taskaffinity.runs.result import RunResult
from taskaffinity.runs.store import RunStore

KEPT = replace(RESULT, work={"steps": 24})  # trained again, to keep what RESULT has
OTHER = replace(RESULT, work={"steps": 48}, weights={1: {"encoder.weight": np.ones((2, 2), dtype=np.float32)}})
BARE = replace(RESULT, work={"steps": 96}, predictions={}, weights={}, heads={})


def content(store: RunStore) -> dict[str, bytes]:
    folder = store.folder(SPEC)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("file", ["history.jsonl", "counts.npz", "head-a.safetensors", "result.json"])
def test_a_full_disk_costs_no_finished_run(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, move = RunStore(tmp_path), os.replace
    store.write(RESULT)
    before = content(store)

    def on_a_full_disk(source: Path, target: Path) -> None:
        if Path(target).name == file:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", on_a_full_disk)
        with pytest.raises(OSError, match=file):
            store.write(OTHER)
    assert content(store) == before


def die_at(number: int, root: Path, result: RunResult) -> None:
    """Write the result, and be killed before the change of the folder with this number."""
    changes = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            nonlocal changes
            changes += 1
            if changes == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*given, **named)

        return call

    for module, name in ((os, "replace"), (os, "rename"), (shutil, "rmtree"), (Path, "unlink")):
        setattr(module, name, counted(getattr(module, name)))
    RunStore(root).write(result)


@pytest.mark.parametrize("result", [OTHER, BARE], ids=["a whole run", "without predictions and model"])
def test_a_kill_costs_no_finished_run(result: RunResult, tmp_path: Path) -> None:
    """At each moment; afterwards the run is the old or the new one, with all of its files and no other."""
    old, new = RunStore(tmp_path / "old"), RunStore(tmp_path / "new")
    old.write(KEPT)
    new.write(result)
    found = []
    for number in range(1, 99):
        store = RunStore(tmp_path / str(number))
        store.write(KEPT)
        process = multiprocessing.get_context("fork").Process(target=die_at, args=(number, store.root, result))
        process.start()
        process.join()
        with store.claim(SPEC):
            assert SPEC in store
        found.append(content(store))
        del found[-1][".lock"]
        assert found[-1] in (content(old), content(new))
        assert not [path for path in store.root.rglob(".*") if path.name != ".lock"]
        if process.exitcode == 0:
            break
    assert found[0] == content(old)
    assert found[-1] == content(new)
    assert len(found) > 12
    sums = json.loads(found[-1]["result.json"])["sha256"]
    assert {name: sums[name] for name in found[-1] if name not in ("result.json", "spec.json")} == {
        name: hashlib.sha256(data).hexdigest()
        for name, data in found[-1].items()
        if name not in ("result.json", "spec.json")
    }
