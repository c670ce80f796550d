"""Attention on a GPU, as far as it can be seen without one: its inputs, its kernels, and the check before its use.

Tensors on the device ``meta`` have shapes and no values. They take the way of a GPU's tensors, and raise where a value
decides a shape or comes to the host.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from dense_attention import attend_densely
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModel

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.inputs.batches import make_batch
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.one_pass import OnePassStepper
from taskaffinity.training.packing import packed, varlen
from taskaffinity.training.packing.layout import Layout, layout_of
from taskaffinity.training.packing.packed import PACKED, packed_attention, packs_exactly, relative_error

FLASH, EFFICIENT = "aten::_flash_attention_forward", "aten::_efficient_attention_forward"
KINDS = ("similarity", "relation", "inference", "ner")


class Kernels(TorchDispatchMode):
    """Records the calls of attention kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.deterministic: list[bool] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "attention" in func.name():
            self.calls.append((func.name().partition(".")[0], args, kwargs or {}))
            self.deterministic.append(torch.are_deterministic_algorithms_enabled())
        return func(*args, **kwargs or {})


def one_by_one(query: Tensor, key: Tensor, value: Tensor, layout: Layout, is_narrow: bool, scaling: float) -> Tensor:
    """The reference: softmax of each sequence by its bounds; (R, N, D) of (1, N, R or T, D)."""
    q_bounds = (layout.read_bounds if is_narrow else layout.bounds).tolist()
    bounds = layout.bounds.tolist()
    parts = []
    for q0, q1, k0, k1 in zip(q_bounds[:-1], q_bounds[1:], bounds[:-1], bounds[1:], strict=True):
        q, k, v = query[0, :, q0:q1], key[0, :, k0:k1], value[0, :, k0:k1]
        weights = torch.softmax(torch.einsum("nrd,ntd->nrt", q, k) * scaling, dim=-1)
        parts.append(torch.einsum("nrt,ntd->rnd", weights, v))
    return torch.cat(parts)


@st.composite
def lengths_and_read(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    lengths = sorted(draw(st.lists(st.integers(1, 30), min_size=1, max_size=8)))
    starts = np.cumsum([0, *lengths])
    chosen = [draw(st.sets(st.integers(0, length - 1), min_size=1)) for length in lengths]
    return lengths, sorted(int(start) + at for start, of in zip(starts, chosen, strict=False) for at in of)


@settings(deadline=None, max_examples=25)
@given(lengths_and_read(), st.booleans(), st.integers(0, 5))
def test_bounds_say_what_blocks_say(drawn: tuple[list[int], list[int]], is_narrow: bool, seed: int) -> None:
    """The GPU's kernels get the bounds, the CPU's attention gets the blocks: each sequence by itself in both."""
    lengths, read = drawn
    layout = layout_of(lengths, read)
    query, key, value = torch.randn(3, 1, 2, sum(lengths), 4, generator=torch.Generator().manual_seed(seed))
    query = query[:, :, read] if is_narrow else query
    found, _ = packed_attention(nn.Identity(), query, key, value, None, layout=layout, is_narrow=is_narrow, scaling=0.6)
    torch.testing.assert_close(found[0], one_by_one(query, key, value, layout, is_narrow, 0.6), atol=1e-5, rtol=1e-4)
    assert layout.longest == max(lengths)
    assert layout.most_read == max(np.diff(np.searchsorted(read, np.cumsum([0, *lengths]))))


@pytest.mark.parametrize("is_narrow", [False, True])
@pytest.mark.parametrize(("dtype", "kernel"), [(torch.bfloat16, FLASH), (torch.float32, EFFICIENT)])
def test_each_precision_has_its_kernel_and_passes_bounds_and_dropout(
    dtype: torch.dtype, kernel: str, is_narrow: bool
) -> None:
    layout = layout_of([2, 8, 9], [1, 2, 3, 10]).to("meta")
    query, key, value = (torch.empty(1, 2, n, 8, dtype=dtype, device="meta") for n in (4 if is_narrow else 19, 19, 19))
    with Kernels() as kernels:
        found, _ = packed_attention(
            nn.Identity(), query, key, value, None, layout=layout, is_narrow=is_narrow, dropout=0.1
        )
    [(name, args, given)] = kernels.calls
    assert (name, found.shape, found.dtype) == (kernel, (1, 4 if is_narrow else 19, 2, 8), dtype)
    q_bounds = layout.read_bounds if is_narrow else layout.bounds
    bounds = [arg for arg in args if isinstance(arg, Tensor) and arg.dtype == torch.int32]
    assert [id(arg) for arg in bounds] == [id(q_bounds), id(layout.bounds)]
    longest = (2 if is_narrow else 9, 9)
    assert args[5:8] == (*longest, 0.1) if kernel == FLASH else args[6:9] == (*longest, 0.1)
    assert given.get("scale") is None  # the kernel's own, one over the root of the width


@pytest.mark.parametrize(
    ("dtype", "length", "width", "expected"),
    [
        (torch.bfloat16, 128, 64, False),  # one block of keys adds to a query
        (torch.bfloat16, 129, 64, True),
        (torch.bfloat16, 128, 72, True),
        (torch.float32, 5, 64, True),  # this kernel divides keys if there are few sequences
    ],
)
@pytest.mark.parametrize("is_narrow", [False, True])
def test_only_a_backward_pass_over_several_blocks_of_keys_is_in_deterministic_mode(
    is_narrow: bool, dtype: torch.dtype, length: int, width: int, expected: bool
) -> None:
    layout = layout_of([2, length]).to("meta")
    sizes = 2 if is_narrow else length + 2, length + 2, length + 2
    given = [torch.empty(1, 2, n, width, dtype=dtype, device="meta", requires_grad=True) for n in sizes]
    with Kernels() as kernels:
        found, _ = packed_attention(nn.Identity(), *given, None, layout=layout, is_narrow=is_narrow, dropout=0.1)
        found.sum().backward()
    assert [name.rpartition("_")[2] for name, *_ in kernels.calls] == ["forward", "backward"]
    assert kernels.deterministic == [False, expected]
    assert not torch.are_deterministic_algorithms_enabled()
    assert [tensor.grad.shape for tensor in given if tensor.grad is not None] == [tensor.shape for tensor in given]


def test_deterministic_mode_gives_the_gradients_of_the_kernel_and_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layout_of([2, 8, 9])
    given = [torch.randn(19, 2, 8, requires_grad=True) for _ in range(3)]
    call = partial(varlen.attend, layout=layout, is_narrow=False, dropout=0.0, scaling=0.6)
    direct = partial(attend_densely, layout=layout, is_narrow=False, dropout=0.0, scaling=0.6)
    monkeypatch.setattr(varlen, "_efficient", attend_densely)
    weight = torch.randn(19, 2, 8)
    found, expected = (torch.autograd.grad((each(*given) * weight).sum(), given) for each in (call, direct))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))

    def broken(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
        states = query + key + value
        states.register_hook(lambda gradient: 1 / 0)  # type: ignore[arg-type, return-value]
        return states

    monkeypatch.setattr(varlen, "_efficient", broken)
    with pytest.raises(ZeroDivisionError):
        call(*given).sum().backward()
    assert not torch.are_deterministic_algorithms_enabled()


class Autocast(TorchFunctionMode):
    """What autocast does to layers, on a device that it does not know."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.functional.linear:
            args = [None if one is None else one.bfloat16() for one in args]
        elif func is nn.functional.layer_norm:
            args = [args[0].float(), *args[1:]]
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("precision", [None, "bf16"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ["bert", "distilbert"])
def test_a_whole_update_never_waits_for_a_value(
    architecture: str,
    kind: str,
    precision: Any,
    make_encoder: Any,
    make_meta: Any,
    make_split: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = MultiTaskModel(make_encoder(architecture), {kind: make_meta(kind, kind)}, seed=0)
    assert model.is_packed
    assert model.is_narrow
    model.to("meta")
    model.precision = precision
    stepper = OnePassStepper(model, Recipe(optimizer="adamax"), 10)
    batch = make_batch(kind, make_split(kind), np.arange(8)).to("meta")
    assert batch.layout.blocks == batch.layout.read_blocks == ()
    monkeypatch.setattr(torch, "autocast", lambda *_, enabled: Autocast() if enabled else nullcontext())
    with Kernels() as kernels:
        model.loss(batch).backward()
    assert [name for name, *_ in kernels.calls if "forward" in name] == [FLASH if precision else EFFICIENT] * 2
    assert sum("backward" in name for name, *_ in kernels.calls) == 2
    assert all(p.grad is not None for name, p in model.encoder.named_parameters() if "attention" in name)
    stepper.step()


@pytest.mark.parametrize(("architecture", "agrees"), [("bert", True), ("distilbert", True), ("deberta-v2", False)])
def test_states_and_gradients_are_compared_in_both_precisions(
    architecture: str, agrees: bool, make_encoder: Any
) -> None:
    """The comparison itself, on a CPU."""
    encoder = AutoModel.from_pretrained(make_encoder(architecture)).eval()
    try:
        assert packed._agrees_on_gpu(encoder, 64) == agrees
    except (TypeError, ValueError, RuntimeError):
        assert not agrees  # the encoder does not take packed rows
    assert all(p.grad is None for p in encoder.parameters())


@pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=str)
def test_attention_across_sequences_is_far_beyond_the_tolerance(
    dtype: Any, make_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = AutoModel.from_pretrained(make_encoder("bert")).eval()
    monkeypatch.setattr(packed, "_TOLERANCES", ((dtype, dict(packed._TOLERANCES)[dtype]),))
    assert packed._agrees_on_gpu(encoder, 64)
    whole = lambda lengths, read=None: layout_of([sum(lengths)], read)  # noqa: E731
    monkeypatch.setattr(packed, "layout_of", whole)
    assert not packed._agrees_on_gpu(encoder, 64)
    monkeypatch.setattr(packed, "_TOLERANCES", ((dtype, 2 * dict(packed._TOLERANCES)[dtype]),))
    assert not packed._agrees_on_gpu(encoder, 64)


def test_without_a_kernel_the_encoder_is_padded(make_encoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = AutoModel.from_pretrained(make_encoder("bert"))

    def refused(*_: Any, **__: Any) -> Any:
        raise RuntimeError("FlashAttention only supports Ampere GPUs or newer.")

    monkeypatch.setattr(packed, "attend", refused)
    monkeypatch.setattr(packed, "_agrees_on_cpu", lambda encoder, length: refused())
    assert not packs_exactly(encoder)
    assert encoder.config._attn_implementation == "sdpa" != PACKED


def test_a_difference_is_relative_to_the_norm() -> None:
    expected = torch.tensor([3.0, 4.0])
    assert relative_error(expected, expected + torch.tensor([0.0, 0.5])) == pytest.approx(0.1)
    assert relative_error(torch.zeros(2), torch.zeros(2)) == 0
    assert not relative_error(expected, torch.full((2,), torch.nan)) <= 1
