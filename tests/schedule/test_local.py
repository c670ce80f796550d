"""One run after the other in this process, beside processes that share the results folder."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished_run import SPEC

from taskaffinity.cli.console import signals
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule import local, worker
from taskaffinity.schedule.local import in_this_process
from taskaffinity.schedule.progress import Report
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.worker import Finished
from taskaffinity.training.sigterm import Terminated


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_other_code_turns_into_an_error_fails_no_run(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a run had its ``error.txt``, and the study went on to the next one."""

    def wrapping(*_: object) -> None:
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        except KeyboardInterrupt:
            pass  # as compiled code does, which has an error of its own
        raise RuntimeError

    monkeypatch.setattr(worker, "_train", wrapping)
    store, settings = RunStore(tmp_path), {"root": tmp_path, "keep_weights": False, "keep_model": False}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with signals.answered(), pytest.raises(KeyboardInterrupt) as raised:
            list(in_this_process([(SPEC, settings)], store, Resources("local"), Report()))
    finally:
        signal.signal(signal.SIGINT, before)
    assert isinstance(raised.value, Terminated) == signals.came() == (number == signal.SIGTERM)
    assert store.failure(SPEC) is None

    def failing(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(worker, "_train", failing)
    [_, ended] = in_this_process([(SPEC, settings)], store, Resources("local"), Report())
    assert isinstance(ended, Finished)
    assert ended.reason == "RuntimeError: see the traceback in error.txt"
