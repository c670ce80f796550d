"""Fast dropout has the distribution of torch's dropout and changes nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from taskaffinity.training.inputs.encoded import TaskMeta
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.packing.dropout import CpuDropout, dropout, replace_dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_the_dropped_share_and_the_mean_are_correct(p: float) -> None:
    torch.manual_seed(0)
    n = 200_001
    dropped = dropout(torch.ones(n), p)
    n_zero = int((dropped == 0).sum())
    assert stats.binomtest(n_zero, n, p).pvalue > 1e-3
    assert torch.unique(dropped).numel() == 2
    assert float(dropped.max()) == pytest.approx(1 / (1 - p), rel=1e-4)


def test_elements_and_calls_are_independent() -> None:
    torch.manual_seed(0)
    first, second = ((dropout(torch.ones(1000, 400), 0.5) == 0).double() - 0.5 for _ in range(2))
    noise = 4 / np.sqrt(first.numel()) / 4  # four standard errors of a mean of products of two halves
    for one, other in ((first, second), *((first[:, :-lag], first[:, lag:]) for lag in (1, 2, 3, 4, 8))):
        assert abs(float((one * other).mean())) < noise
    assert abs(float((first[:-1] * first[1:]).mean())) < noise


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 4096, 4099])
def test_gradients_follow_the_mask_at_every_size(size: int) -> None:
    torch.manual_seed(size)
    values = torch.randn(size, requires_grad=True)
    dropped = dropout(values, 0.4)
    dropped.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad * values.detach(), dropped.detach())


def test_masks_depend_on_the_generator_of_torch() -> None:
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(dropout(torch.ones(100), 0.5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_dropout_of_zero_and_one_and_in_evaluation() -> None:
    values = torch.randn(50)
    assert torch.equal(dropout(values, 0.0), values)
    assert not dropout(values, 1.0).any()
    assert torch.equal(CpuDropout(0.5).eval()(values), values)


def test_every_dropout_of_a_model_is_replaced(
    make_encoder: Callable[..., Path], make_meta: Callable[..., TaskMeta]
) -> None:
    metas = {kind: make_meta(kind, kind) for kind in ("inference", "ner")}
    for architecture in ("bert", "roberta", "distilbert", "deberta-v2"):
        model = MultiTaskModel(make_encoder(architecture), metas, seed=0)
        kinds = [type(module) for module in model.modules() if isinstance(module, nn.Dropout)]
        assert kinds
        assert set(kinds) == {CpuDropout}
    model = nn.Sequential(nn.Dropout(0.3), nn.Linear(2, 2))
    replace_dropout(model)
    assert isinstance(model[0], CpuDropout)
    assert model[0].p == 0.3
