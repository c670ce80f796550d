"""Tests that need the library of ``pretended_cuda.cpp`` before torch; ``test_fake_cuda.py`` runs them in a process that
has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from recorded_graphs import RecordedGraphs
from test_varlen import EFFICIENT, FLASH, Kernels
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.inputs.batches import epoch_cuts
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim import one_pass
from taskaffinity.training.optim.one_pass import RATES, OnePassStepper
from taskaffinity.training.updates.captured import CapturedSteps
from taskaffinity.training.updates.steps import FedSteps

KINDS = ("inference", "relation", "similarity", "multilabel", "ner", "choice")


@pytest.fixture
def fake_mode(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorMode]:
    """Tensors of the device are fake. Pinned memory and the compiler, which need the device itself, are left out, and
    autocast is told that the device is there."""
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(one_pass, "compiled", lambda update, device: update)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    yield FakeTensorMode(allow_non_fake_inputs=True)
    torch.__future__.set_overwrite_module_params_on_conversion(False)


def test_reading_a_value_raises(fake_mode: FakeTensorMode) -> None:
    with fake_mode:
        weights = torch.empty(8, 4, device="cuda", requires_grad=True)
        (weights[:3] * 2).sum().backward()
        assert weights.grad is not None
        assert weights.grad.device == torch.device("cuda:0")
        for read in (lambda: weights.sum().item(), lambda: weights[weights > 0], lambda: bool(weights[0, 0] > 0)):
            with pytest.raises((DataDependentOutputException, DynamicOutputShapeException)):
                read()


@pytest.mark.parametrize(("precision", "optimizer"), [(None, "adamw"), ("bf16", "adamax")])
@pytest.mark.parametrize("architecture", ["bert", "distilbert"])
def test_forward_backward_and_step_never_wait_for_a_value(
    architecture: str,
    optimizer: Any,
    precision: Any,
    fake_mode: FakeTensorMode,
    make_encoder: Callable[..., Path],
    make_meta: Callable[..., TaskMeta],
    make_split: Callable[..., EncodedSplit],
) -> None:
    recipe = Recipe(optimizer=optimizer, batch_size=12)
    metas = {kind: make_meta(kind, kind) for kind in KINDS}
    splits = {kind: make_split(kind) for kind in KINDS}
    model = MultiTaskModel(make_encoder(architecture), metas, seed=0)
    assert model.is_packed
    with fake_mode:
        model.to("cuda")
        model.precision = precision
        steps = FedSteps(model, OnePassStepper(model, recipe, 20), splits, set(KINDS))
        with Kernels() as kernels:
            done = list(steps.run(epoch_cuts(splits, 12, seed=0, epoch=1)))
        assert {name for name, *_ in kernels.calls if "forward" in name} == {FLASH if precision else EFFICIENT}
        assert {one.task for one in done} == set(KINDS)
        assert steps.stepper.step_number == len(done) == len(KINDS)
        for one in done:
            assert isinstance(one.loss, FakeTensor)
            assert one.loss.device == torch.device("cuda:0")
        with pytest.raises(DataDependentOutputException):
            float(done[0].loss)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_to_capture_never_waits_for_a_value(
    kind: str,
    fake_mode: FakeTensorMode,
    make_encoder: Callable[..., Path],
    make_meta: Callable[..., TaskMeta],
    make_split: Callable[..., EncodedSplit],
) -> None:
    """With room, as a captured step is."""
    split = make_split(kind)
    model = MultiTaskModel(make_encoder("bert"), {kind: make_meta(kind, kind)}, seed=0)
    with fake_mode:
        model.to("cuda")
        stepper = OnePassStepper(model, Recipe(), 20)
        steps = CapturedSteps(model, stepper, {kind: split}, {kind}, RecordedGraphs)
        row = steps._row(steps.shape_with_room(kind, np.arange(8)), (kind, np.arange(8)))
        numbers, found = torch.empty(len(row.numbers), dtype=torch.int32, device="cuda"), torch.zeros(2, device="cuda")
        steps._backward(row, numbers, found)
        runs = stepper.runs()
        assert {stepper.owners[i] for run in runs for i in run.numbers} >= {"encoder"}
        found[1].copy_(stepper.apply(runs, torch.zeros(len(runs), RATES, device="cuda")))
        with pytest.raises(DataDependentOutputException):
            found.tolist()
