"""Measured speed comes from real steps, without side effects."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from taskaffinity.runs.recipe import PAPER_REFINE
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.tasks.planted import CLINICAL
from taskaffinity.training.encoders.load import Encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.optim.bert_adam import BertAdamStepper
from taskaffinity.training.profile import speed
from taskaffinity.training.profile.speed import timed

TASKS = ("mednli", "shareclefe")


@pytest.fixture
def tiny(tiny_study: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(speed, "_SECONDS", 0.1)
    return tiny_study(tasks=TASKS, num_train_epochs=4, max_train_examples=320, max_eval_examples=100)


def test_estimated_seconds_are_close_to_those_of_a_run(tiny: Any) -> None:
    """A factor of four, on a machine that others use too."""
    spec = RunSpec(tuple(sorted(tiny.study.refs)), tiny.study.encoder, 0, tiny.study.recipe)
    places = {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}
    pace = timed(spec, **places)
    began = time.perf_counter()
    execute(spec, **places)
    took = time.perf_counter() - began
    assert took / 4 < pace.seconds(spec) < took * 4
    assert pace.scored == dict.fromkeys(TASKS, 200)
    assert pace.steps >= 2 * len(TASKS)
    assert (pace.attention, pace.device) == ("packed", "cpu")


def test_the_forecast_of_a_stored_encoder_is_the_size_of_its_file(tiny: Any, tmp_path: Path) -> None:
    """Of a run of all tasks: the file has the embeddings of their tokens and no others."""
    recipe = replace(tiny.study.recipe, num_train_epochs=1)
    spec = RunSpec(tuple(sorted(tiny.study.refs)), tiny.study.encoder, 0, recipe)
    places = {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}
    store = RunStore(tmp_path)
    store.write(execute(spec, **places, keep_weights=True))
    weights = store.weights(spec)
    assert weights is not None
    content = weights.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")  # of safetensors
    assert 4 * timed(spec, **places).parameters == len(content) - header


def test_each_protocol_is_timed_with_its_optimizer(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper's moves tensor by tensor, and takes three times as long."""
    moved: list[int] = []
    monkeypatch.setattr(BertAdamStepper, "step", lambda stepper, **how: moved.append(1))
    recipe = replace(PAPER_REFINE, max_train_examples=64, max_eval_examples=20, threads=1)
    prepare([CLINICAL[name] for name in TASKS], Encoder(tiny.encoder_folder, tiny.study.encoder), recipe, tiny.cache)
    spec = RunSpec(tuple(sorted(tiny.study.refs)), tiny.study.encoder, 0, recipe)
    pace = timed(spec, encoder_folder=tiny.encoder_folder, cache=tiny.cache)
    assert len(moved) == pace.steps + len(TASKS)  # and the largest mini-batch of each


def test_timing_on_a_cpu_opens_no_gpu(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random numbers of every GPU would be asked for, and each opened."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: pytest.fail(f"GPU {device} was opened"))
    spec = RunSpec(tuple(sorted(tiny.study.refs)), tiny.study.encoder, 0, tiny.study.recipe)
    timed(spec, encoder_folder=tiny.encoder_folder, cache=tiny.cache)


def test_random_state_and_threads_are_restored(tiny: Any) -> None:
    spec = RunSpec(tuple(sorted(tiny.study.refs)), tiny.study.encoder, 0, tiny.study.recipe)
    threads = torch.get_num_threads()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    timed(spec, encoder_folder=tiny.encoder_folder, cache=tiny.cache)
    assert torch.equal(torch.rand(4), expected)
    assert torch.get_num_threads() == threads
