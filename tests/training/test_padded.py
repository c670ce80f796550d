"""Padded batches: the same states as a naive implementation, and no shape that depends on GPU values."""

# B sequences, L the longest, T tokens, H width

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from taskaffinity.training.inputs.batches import Batch, make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.model import MultiTaskModel

KINDS = ("inference", "ner")
MakeSplit = Callable[..., EncodedSplit]


def by_masks(model: MultiTaskModel, batch: Batch) -> Tensor:
    """The states that are read, by boolean masks."""
    mask = torch.arange(int(batch.lengths.max()))[None] < batch.lengths[:, None]  # (B, L)
    tokens = torch.full(mask.shape, model.encoder.config.pad_token_id or 0)
    tokens[mask] = batch.tokens
    extra = {}
    if model.has_token_types:
        extra = {"token_type_ids": torch.zeros_like(tokens)}
        extra["token_type_ids"][mask] = batch.token_types
    hidden: Tensor = model.encoder(input_ids=tokens, attention_mask=mask.long(), **extra).last_hidden_state
    return hidden[mask][batch.layout.read]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra", "deberta-v2", "modernbert"])
def test_states_and_gradients_equal_a_naive_padding_bit_for_bit(
    architecture: str,
    kind: str,
    make_encoder: Callable[..., Path],
    make_meta: Callable[..., TaskMeta],
    make_split: MakeSplit,
) -> None:
    model = MultiTaskModel(make_encoder(architecture), {kind: make_meta(kind, kind)}, seed=0, packed=False).eval()
    batch = make_batch(kind, make_split(kind, lengths=[9, 3, 4, 20, 4, 10, 5, 40]), np.arange(8))
    found = []
    for way in (MultiTaskModel._padded, by_masks):
        model.zero_grad()
        states = way(model, batch)
        (states * torch.linspace(-1, 1, states.numel()).view_as(states)).sum().backward()
        found.append((states, [p.grad for p in model.encoder.parameters()]))
    (states, gradients), (expected, their_gradients) = found
    assert torch.equal(states, expected)
    for ours, theirs in zip(gradients, their_gradients, strict=True):
        assert (ours is None) == (theirs is None)
        assert ours is None or torch.equal(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_no_shape_depends_on_values_on_the_device(kind: str, make_split: MakeSplit) -> None:
    """Tensors without values raise where a value decides a shape or comes to the host."""
    batch = make_batch(kind, make_split(kind), np.arange(8))
    with FakeTensorMode() as mode:

        def fake(owner: Any) -> dict[str, Tensor]:
            return {name: mode.from_tensor(value) for name, value in vars(owner).items() if isinstance(value, Tensor)}

        batch = replace(batch, **fake(batch), layout=replace(batch.layout, **fake(batch.layout)))

        def encoder(input_ids: Tensor, **_: Tensor) -> SimpleNamespace:
            return SimpleNamespace(last_hidden_state=torch.zeros(*input_ids.shape, 4))

        encoder.config = SimpleNamespace(pad_token_id=0, type_vocab_size=2)  # type: ignore[attr-defined]
        model: Any = SimpleNamespace(encoder=encoder, has_token_types=True)
        assert MultiTaskModel._padded(model, batch).shape == (len(batch.layout.read), 4)
        with pytest.raises(RuntimeError):
            by_masks(model, batch)
