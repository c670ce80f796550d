"""bf16 and fp32 are timed on the same mini-batches, without side effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.profile import precision
from taskaffinity.training.profile.precision import times_in_bf16


@pytest.fixture
def alone(tiny_study: Callable[..., Any]) -> tuple[RunSpec, dict[str, Any]]:
    """A single-task run, with the folders of its encoder and of the cache."""
    tiny = tiny_study(max_train_examples=320)
    spec = RunSpec(tiny.study.refs[:1], tiny.study.encoder, 0, tiny.study.recipe)
    return spec, {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}


def test_both_precisions_are_timed(alone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, places = alone
    monkeypatch.setattr(precision, "_SECONDS", 0.1)
    monkeypatch.setattr(precision, "products_in_bf16", lambda: 2.0)  # a processor that supports bf16
    before = torch.get_num_threads(), torch.get_rng_state()
    assert 0.01 < times_in_bf16(spec, **places) < 100
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


def test_each_mini_batch_is_timed_in_both_precisions_after_a_small_untimed_one(
    alone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, places = alone
    tried: list[tuple[str | None, int]] = []
    clocks = {None: iter([9.0, 0.5, 3.0, 4.0]), "bf16": iter([1.0, 0.5, 1.0, 2.0])}

    def update(model: MultiTaskModel, stepper: object, name: str, split: Any, rows: Any, device: str) -> Any:
        tried.append((model.precision, int(np.diff(split.bounds)[rows].sum())))
        return next(clocks[model.precision]), 0

    monkeypatch.setattr(precision, "timed_update", update)
    monkeypatch.setattr(precision, "products_in_bf16", lambda: 1.0)
    assert times_in_bf16(spec, **places) == 2.0  # of 1, 3 and 2
    assert [bits for bits, _ in tried] == ["bf16", None, None, "bf16"] * 2  # neither always first
    lengths = [tokens for _, tokens in tried]
    assert lengths[::2] == lengths[1::2]
    assert 0 < lengths[0] < min(lengths[2:])


def test_no_update_is_timed_if_bf16_products_are_not_faster(alone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor without bf16 support may take minutes for a few bf16 updates."""
    spec, places = alone
    clocks = {torch.float32: iter([9.0, 1.0, 2.0, 3.0, 1.0, 1.0]), torch.bfloat16: iter([1.0, 4.0, 4.0, 4.0, 2.0, 2.0])}
    monkeypatch.setattr(precision, "_product", lambda dtype: next(clocks[dtype]))
    monkeypatch.setattr(precision, "timed_update", None)
    assert times_in_bf16(spec, **places) == 0.5  # of 1/4, 1/2, 3/4, 1/2 and 1/2; the first is not timed


def test_matrix_products_are_timed() -> None:
    before = torch.get_rng_state()
    assert 0.001 < precision.products_in_bf16() < 100
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("ratios", "seconds", "enough"),
    [
        ([], 9.0, False),
        ([1.5], 0.6, True),  # very clear: one pair decides
        ([1.5], 0.4, False),  # but not in less than half a second
        ([0.9], 0.6, True),
        ([1.3], 0.6, False),
        ([1.3, 1.4], 0.6, True),  # clear: two pairs decide
        ([1.3, 1.2], 0.9, False),
        ([1.0, 1.04], 0.6, True),
        ([1.0, 1.5], 0.9, False),  # the pairs disagree
        ([1.0, 1.5, 1.2], 0.9, False),
        ([1.0, 1.5, 1.2], 1.0, True),
    ],
)
def test_few_pairs_decide_if_they_are_clear(ratios: list[float], seconds: float, enough: bool) -> None:
    assert precision._is_enough(ratios, seconds) is enough
