"""Packed, padded and single sequences give the same states and gradients."""

# B sequences, N heads, L longest, T tokens, D a head's width

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import AutoModel

from taskaffinity.training.encoders.checks import supports_packing
from taskaffinity.training.inputs.batches import Batch, make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.packing import packed as packed_module
from taskaffinity.training.packing.layout import layout_of
from taskaffinity.training.packing.packed import PACKED, first_position, packed_attention, packs_exactly

PACKING = ("bert", "roberta", "distilbert", "electra", "modernbert")
FALLING_BACK = ("deberta-v2",)
KINDS = ("inference", "similarity", "ner")

MakeMeta = Callable[..., TaskMeta]
MakeSplit = Callable[..., EncodedSplit]
MakeEncoder = Callable[..., Path]


@pytest.fixture(scope="module")
def metas(make_meta: MakeMeta) -> dict[str, TaskMeta]:
    return {kind: make_meta(kind, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def batches(make_split: MakeSplit) -> list[Batch]:
    return [make_batch(kind, make_split(kind, lengths=[9, 3, 4, 20, 4, 10, 5, 40]), np.arange(8)) for kind in KINDS]


def alone(model: MultiTaskModel, folder: Path, batch: Batch) -> torch.Tensor:
    """The stock model's states, one unpadded sequence after the other."""
    stock = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    rows = zip(*(tensor.split(batch.lengths.tolist()) for tensor in (batch.tokens, batch.token_types)), strict=True)
    states = []
    for tokens, types in rows:
        extra = {"token_type_ids": types[None]} if model.has_token_types else {}
        states.append(stock(input_ids=tokens[None], **extra).last_hidden_state[0])
    return torch.cat(states)


@pytest.mark.parametrize("architecture", PACKING)
def test_packed_and_padded_paths_give_the_same_outputs_and_gradients(
    architecture: str, make_encoder: MakeEncoder, metas: dict[str, TaskMeta], batches: list[Batch]
) -> None:
    folder = make_encoder(architecture)
    packed, padded = (MultiTaskModel(folder, metas, seed=1, packed=p).eval() for p in (True, False))
    assert (packed.is_packed, padded.is_packed) == (True, False)
    for batch in batches:
        torch.testing.assert_close(packed(batch), padded(batch), atol=1e-5, rtol=1e-4)
        for model in (packed, padded):
            model.zero_grad()
            model.loss(batch).backward()
        gradients = [{name: p.grad for name, p in model.named_parameters()} for model in (packed, padded)]
        moved = {name for name, gradient in gradients[1].items() if gradient is not None}
        assert {name for name, gradient in gradients[0].items() if gradient is not None} == moved
        assert any(name.startswith("encoder.embeddings") for name in moved)
        assert any(name.startswith("parts.") for name in moved)
        for name in moved:
            ours, theirs = (own[name] for own in gradients)
            assert ours is not None
            assert theirs is not None
            assert float((ours - theirs).abs().max()) <= 1e-5 + 1e-4 * float(theirs.abs().max()), name


@pytest.mark.parametrize("architecture", [*PACKING, *FALLING_BACK])
@pytest.mark.parametrize("packed", [True, False], ids=["packed if it can", "padded"])
def test_states_equal_those_of_each_sequence_by_itself(
    architecture: str, packed: bool, make_encoder: MakeEncoder, metas: dict[str, TaskMeta], batches: list[Batch]
) -> None:
    folder = make_encoder(architecture)
    model = MultiTaskModel(folder, metas, seed=1, packed=packed).eval()
    assert model.is_packed == (packed and architecture in PACKING)
    with torch.no_grad():
        for batch in batches:
            states = model._packed(batch) if model.is_packed else model._padded(batch)
            expected = alone(model, folder, batch)[batch.layout.read]
            torch.testing.assert_close(states, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("architecture", FALLING_BACK)
def test_an_encoder_that_does_not_pack_exactly_is_padded_and_masked(
    architecture: str, make_encoder: MakeEncoder, metas: dict[str, TaskMeta], batches: list[Batch]
) -> None:
    model = MultiTaskModel(make_encoder(architecture), metas, seed=1)
    assert not model.is_packed
    assert model.encoder.config._attn_implementation != PACKED
    model.loss(batches[0]).backward()


@pytest.mark.parametrize("architecture", ["electra", "modernbert", "deberta-v2"])
def test_supports_packing_agrees_with_the_model(architecture: str, make_encoder: MakeEncoder) -> None:
    assert supports_packing(make_encoder(architecture), 64) == (architecture in PACKING)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("architecture", ["electra", "modernbert", "deberta-v2"])
def test_the_packing_probe_does_not_change_weights_or_mode(
    architecture: str, training: bool, make_encoder: MakeEncoder
) -> None:
    encoder = AutoModel.from_pretrained(make_encoder(architecture)).train(training)
    before = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    assert packs_exactly(encoder) == (architecture in PACKING)
    assert encoder.training == training
    torch.testing.assert_close(encoder.state_dict(), before, rtol=0, atol=0)
    assert all(p.requires_grad and p.grad is None for p in encoder.parameters())


@pytest.mark.parametrize(("architecture", "first"), [("bert", 0), ("roberta", 2), ("distilbert", 0), ("electra", 0)])
def test_positions_of_roberta_begin_after_padding(architecture: str, first: int, make_encoder: MakeEncoder) -> None:
    assert first_position(AutoModel.from_pretrained(make_encoder(architecture))) == first


@pytest.mark.parametrize("dropout", [0.0, 1e-9], ids=["torch", "own backward pass"])  # the second drops nothing
def test_local_attention_is_that_of_each_sequence(dropout: float) -> None:
    generator = torch.Generator().manual_seed(0)
    lengths, reach = [2, 3, 9, 12, 14, 30], 4
    query, key, value = (torch.randn(1, 2, sum(lengths), 8, generator=generator).requires_grad_() for _ in range(3))
    layout = layout_of(lengths)
    assert any(block.bias is not None for block in layout.blocks)
    found, _ = packed_attention(
        nn.Module(), query, key, value, None, layout=layout, dropout=dropout, sliding_window=reach
    )
    expected = []
    for q, k, v in zip(*(states.split(lengths, dim=2) for states in (query, key, value)), strict=True):
        places = torch.arange(q.shape[2])
        scores = (q @ k.mT / 8**0.5).masked_fill((places[:, None] - places).abs() >= reach, -torch.inf)
        expected.append((scores.softmax(dim=-1) @ v).transpose(1, 2))
    torch.testing.assert_close(found, torch.cat(expected, dim=1), atol=1e-6, rtol=1e-5)
    weights = torch.randn(found.shape, generator=generator)
    ours, theirs = (
        torch.autograd.grad((states * weights).sum(), (query, key, value)) for states in (found, torch.cat(expected, 1))
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_without_blocks_local_attention_is_refused_and_the_encoder_padded(
    make_encoder: MakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lambda lengths, read=None: replace(layout_of(lengths, read), blocks=(), read_blocks=())  # noqa: E731
    monkeypatch.setattr(packed_module, "layout_of", whole)
    encoder = AutoModel.from_pretrained(make_encoder("modernbert"))
    with pytest.raises(NotImplementedError):
        packed_module._both_ways(encoder, 40)[1]()
    assert not packs_exactly(encoder, 40)
    assert encoder.config._attn_implementation == "sdpa"


def test_longer_neighbours_do_not_change_a_sequences_outputs(
    make_encoder: MakeEncoder, make_split: MakeSplit, metas: dict[str, TaskMeta]
) -> None:
    model = MultiTaskModel(make_encoder("bert"), metas, seed=1).eval()
    split = make_split("inference", n=20)
    together = make_batch("inference", split, np.arange(20))
    with torch.no_grad():
        outputs = model(together)
        for place, row in enumerate(together.rows):
            one = model(make_batch("inference", split, np.array([row])))
            torch.testing.assert_close(outputs[place], one[0], atol=1e-5, rtol=1e-4)


LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=25).map(sorted)


@settings(deadline=None, max_examples=25)
@given(LENGTHS, st.integers(0, 5))
def test_attention_is_softmax_within_each_sequence(lengths: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    query, key, value = torch.randn(3, 1, 2, sum(lengths), 4, generator=generator)  # (1, N, T, D) each
    output, _ = packed_attention(nn.Identity(), query, key, value, None, layout=layout_of(lengths), scaling=0.7)
    tokens = zip(*(x[0].split(lengths, dim=1) for x in (query, key, value)), strict=True)
    expected = [(torch.softmax(q @ k.mT * 0.7, dim=-1) @ v).transpose(0, 1) for q, k, v in tokens]  # (L, N, D)
    torch.testing.assert_close(output[0], torch.cat(expected), atol=1e-5, rtol=1e-4)
