"""A narrow last layer gives the same states and gradients as the whole layer."""

# T tokens of the batch, H width

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import AutoModel

from taskaffinity.training import model as models
from taskaffinity.training.inputs.batches import make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.packing import attention, dropout, last_layer
from taskaffinity.training.packing.last_layer import narrow_last_layer
from taskaffinity.training.packing.layout import layout_of
from taskaffinity.training.packing.packed import agree_on_gpu, packed_attention, packs_exactly

NARROW = ("bert", "roberta", "distilbert", "electra")
KINDS = ("inference", "ner")

MakeMeta = Callable[..., TaskMeta]
MakeSplit = Callable[..., EncodedSplit]
MakeEncoder = Callable[..., Path]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", NARROW)
def test_outputs_and_gradients_equal_those_of_the_whole_layer(
    architecture: str,
    kind: str,
    make_encoder: MakeEncoder,
    make_meta: MakeMeta,
    make_split: MakeSplit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, metas = make_encoder(architecture), {"t": make_meta("t", kind)}
    batch = make_batch("t", make_split(kind, lengths=[9, 3, 4, 20, 4, 10, 5, 40, 30]), np.arange(9))
    narrow = MultiTaskModel(folder, metas, seed=1).eval()
    monkeypatch.setattr(models, "narrow_last_layer", lambda encoder, max_length: False)
    whole = MultiTaskModel(folder, metas, seed=1).eval()
    assert (narrow.is_narrow, whole.is_narrow) == (True, False)
    torch.testing.assert_close(narrow(batch), whole(batch), atol=1e-5, rtol=1e-4)
    for model in (narrow, whole):
        model.loss(batch).backward()
    theirs = dict(whole.named_parameters())
    for name, weight in narrow.named_parameters():
        expected = theirs[name].grad
        if expected is None:
            assert weight.grad is None
        else:
            assert weight.grad is not None
            assert float((weight.grad - expected).abs().max()) <= 1e-6 + 1e-4 * float(expected.abs().max()), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", NARROW)
def test_the_same_elements_are_dropped_as_in_the_whole_layer(
    architecture: str,
    kind: str,
    make_encoder: MakeEncoder,
    make_meta: MakeMeta,
    make_split: MakeSplit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Masks behind the embeddings' and before the head's, by their size: of each layer the shares of attention and the
    hidden states, in the last one of what is read."""
    model = MultiTaskModel(make_encoder(architecture), {"t": make_meta("t", kind)}, seed=1).train()
    split = make_split(kind, lengths=[9, 9, 9, 9])  # one block without padding
    n_read = np.diff(split.word_bounds) if kind == "ner" else np.ones(4, dtype=int)
    sizes: list[int] = []
    original = dropout.dropout_mask

    def noted(values: torch.Tensor, p: float) -> torch.Tensor:
        assert p == 0.1
        sizes.append(values.numel())
        return original(values, p)

    monkeypatch.setattr(attention, "dropout_mask", noted)
    monkeypatch.setattr(dropout, "dropout_mask", noted)
    model(make_batch("t", split, np.arange(4)))
    n_hidden = 1 if architecture == "distilbert" else 2
    whole = [4 * 2 * 9 * 9, *[36 * 16] * n_hidden]  # sequences, heads, who asks, who is asked; tokens, width
    narrow = [4 * 2 * int(n_read.max()) * 9, *[int(n_read.sum()) * 16] * n_hidden]
    assert sizes[1 : 1 + len(whole + narrow)] == whole + narrow


@pytest.mark.parametrize("kind", KINDS)
def test_the_feed_forward_layer_gets_only_the_states_that_are_read(
    kind: str, make_encoder: MakeEncoder, make_meta: MakeMeta, make_split: MakeSplit
) -> None:
    model = MultiTaskModel(make_encoder("bert"), {"t": make_meta("t", kind)}, seed=1).eval()
    split = make_split(kind, n=6)
    batch = make_batch("t", split, np.arange(6))
    seen: list[tuple[int, ...]] = []
    for layer in model.encoder.get_submodule("encoder.layer"):  # type: ignore[union-attr]
        layer.intermediate.register_forward_hook(lambda _, states, __: seen.append(tuple(states[0].shape)))
    model(batch)
    n_read = len(split.targets) if kind == "ner" else 6
    assert seen == [(1, len(batch.tokens), 16), (1, n_read, 16)]


@pytest.mark.parametrize("architecture", [*NARROW, "modernbert", "deberta-v2"])
@pytest.mark.parametrize("training", [True, False])
def test_the_probe_does_not_change_weights_or_mode(
    architecture: str, training: bool, make_encoder: MakeEncoder
) -> None:
    encoder = AutoModel.from_pretrained(make_encoder(architecture)).train(training)
    before = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    is_packed = packs_exactly(encoder)
    assert is_packed == (architecture != "deberta-v2")
    assert (is_packed and narrow_last_layer(encoder)) == (architecture in NARROW)
    assert encoder.training == training
    torch.testing.assert_close(encoder.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize("fault", ["other states", "other modules", "other places"])
def test_a_layer_with_different_states_stays_whole(
    fault: str, make_encoder: MakeEncoder, make_meta: MakeMeta, make_split: MakeSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(layer: nn.Module, hidden: torch.Tensor, *args: object, layout: Any, **kwargs: object) -> torch.Tensor:
        if fault == "other modules":
            return layer.no_such_module(hidden)  # type: ignore[no-any-return, operator]
        return last_layer.bert_layer(layer, hidden, *args, layout=layout, **kwargs) + 0.01

    metas, folder = {"t": make_meta("t", "inference")}, make_encoder("bert")
    batch = make_batch("t", make_split("inference"), np.arange(12))
    expected = MultiTaskModel(folder, metas, seed=1).eval()(batch)
    path = "encoder.layers" if fault == "other places" else "encoder.layer"
    monkeypatch.setattr(last_layer, "LAYERS", {"bert": (path, other)})
    model = MultiTaskModel(folder, metas, seed=1).eval()
    assert not model.is_narrow
    assert "forward" not in vars(model.encoder.get_submodule("encoder.layer.1"))
    torch.testing.assert_close(model(batch), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("fault", ["", "gradients", "bf16"])
def test_on_a_gpu_gradients_and_states_in_bf16_are_compared_too(
    fault: str, make_encoder: MakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison itself, on a CPU; a layer with a fault has the states of the whole one in fp32."""

    def other(layer: nn.Module, hidden: torch.Tensor, *args: object, layout: Any, **kwargs: object) -> torch.Tensor:
        states = last_layer.bert_layer(layer, hidden, *args, layout=layout, **kwargs)
        if fault == "gradients":
            return 1.2 * states - 0.2 * states.detach()
        return states * 1.2 if fault == "bf16" and torch.is_autocast_enabled("cpu") else states

    encoder = AutoModel.from_pretrained(make_encoder("bert"))
    assert packs_exactly(encoder)
    monkeypatch.setattr(last_layer, "LAYERS", {"bert": ("encoder.layer", other)})
    assert narrow_last_layer(encoder)
    monkeypatch.setattr(last_layer, "_agree_on_cpu", lambda *ways: agree_on_gpu(encoder, ways))
    assert narrow_last_layer(encoder) == (not fault)
    assert ("forward" in vars(encoder.get_submodule("encoder.layer.1"))) == (not fault)
    assert all(weight.grad is None for weight in encoder.parameters())


@st.composite
def lengths_and_read(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    lengths = sorted(draw(st.lists(st.integers(1, 40), min_size=1, max_size=20)))
    starts = np.cumsum([0, *lengths])
    read = [
        int(start) + place
        for start, length in zip(starts, lengths, strict=False)
        for place in sorted(draw(st.sets(st.integers(0, length - 1), min_size=1)))
    ]
    return lengths, read


@settings(deadline=None, max_examples=25)
@given(lengths_and_read(), st.integers(0, 5), st.sampled_from([0.0, 1e-9]))
def test_queries_attend_to_their_whole_sequence(drawn: tuple[list[int], list[int]], seed: int, p: float) -> None:
    """With no dropout by torch's attention, with one that drops nothing by our own."""
    lengths, read = drawn
    generator = torch.Generator().manual_seed(seed)
    query, key, value = torch.randn(3, 1, 2, sum(lengths), 4, generator=generator)  # (1, N, T, D) each
    layout = layout_of(lengths, read)
    output, _ = packed_attention(
        nn.Identity(), query[:, :, read], key, value, None, layout=layout, is_narrow=True, dropout=p
    )
    whole, _ = packed_attention(nn.Identity(), query, key, value, None, layout=layout)
    torch.testing.assert_close(output[0], whole[0, read], atol=1e-5, rtol=1e-4)
