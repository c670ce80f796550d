"""One run after the other in this process, beside processes that share the results folder."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished_run import SPEC

from taskaffinity.runs.store import RunStore
from taskaffinity.schedule import local
from taskaffinity.schedule.local import in_this_process
from taskaffinity.schedule.progress import Report
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.worker import Finished


def test_runs_that_another_process_trains_are_not_running_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their progress would alternate with that of the others, and count as work of this process each time."""
    monkeypatch.setattr(local, "POLL_SECONDS", 0.01)
    store, specs = RunStore(tmp_path), [replace(SPEC, seed=seed) for seed in range(2)]
    settings: dict[str, Any] = {"root": tmp_path, "keep_weights": False, "keep_model": False}
    events = in_this_process([(spec, settings) for spec in specs], store, Resources("local"), Report())
    with ExitStack() as others:
        for spec in specs:
            others.enter_context(store.claim(spec))
        assert [next(events) for _ in range(5)] == [()] * 5
    monkeypatch.setattr(local, "train_and_store", lambda *_: None)
    ended = [event for spec in specs for event in ((spec.run_id,), Finished(spec, None))]
    assert list(events) == ended
