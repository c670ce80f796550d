"""Pruning the embedding table does not change the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.inputs.vocabulary import prune_embeddings, renumbered, used_token_ids
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.prediction import predict

KINDS = ("inference", "similarity", "ner")
RECIPE = Recipe(learning_rate=1e-3, num_train_epochs=6, batch_size=4, weight_decay=0.1)  # 54 steps

MakeMeta = Callable[..., TaskMeta]
MakeSplit = Callable[..., EncodedSplit]
MakeEncoder = Callable[..., Path]


@pytest.fixture
def splits(make_split: MakeSplit) -> dict[str, EncodedSplit]:
    def sparse(split: EncodedSplit) -> EncodedSplit:
        return replace(split, tokens=np.where(split.tokens % 3 == 0, split.tokens - 1, split.tokens))

    return {kind: sparse(make_split(kind, n=12, seed=i)) for i, kind in enumerate(KINDS)}


@pytest.mark.parametrize("optimizer", ["adamax", pytest.param("adamw", marks=pytest.mark.long)])
@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "deberta-v2", "electra"])
@pytest.mark.slow
def test_pruning_does_not_change_losses_weights_or_predictions(
    architecture: str,
    optimizer: str,
    make_encoder: MakeEncoder,
    make_meta: MakeMeta,
    splits: dict[str, EncodedSplit],
) -> None:
    metas = {kind: make_meta(kind, kind) for kind in KINDS}
    no_dropout = (
        {"dropout": 0.0, "attention_dropout": 0.0}
        if architecture == "distilbert"
        else {
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        }
    )
    folder = make_encoder(architecture, **no_dropout)
    recipe = replace(RECIPE, optimizer=optimizer)
    whole, cut = (MultiTaskModel(folder, metas, seed=3, head_dropout=0.0) for _ in range(2))
    tokens = used_token_ids(splits.values(), cut.encoder)
    before = whole.encoder.get_input_embeddings().weight.detach().clone()
    assert prune_embeddings(cut.encoder, tokens)
    own = {name: renumbered(split, tokens) for name, split in splits.items()}
    for one, other in zip(
        TrainingLoop(whole, splits, recipe, seed=5).epochs(),
        TrainingLoop(cut, own, recipe, seed=5).epochs(),
        strict=True,
    ):
        assert one.losses == pytest.approx(other.losses, abs=1e-4)
    for kind in KINDS:
        if kind == "similarity":
            assert predict(whole, metas[kind], splits[kind]) == pytest.approx(
                predict(cut, metas[kind], own[kind]), abs=1e-3
            )
        else:
            assert predict(whole, metas[kind], splits[kind]) == predict(cut, metas[kind], own[kind])

    after, kept = (model.encoder.get_input_embeddings().weight.detach() for model in (whole, cut))
    assert len(kept) == len(tokens) < len(after)
    torch.testing.assert_close(after[tokens], kept, atol=2e-3, rtol=1e-2)
    # the others have only decayed, all by the same factor
    others = np.setdiff1d(np.arange(len(after)), tokens)
    factors = (after[others] / before[others])[before[others].abs() > 1e-3]
    assert float(factors.std()) < 1e-5
    assert 0 < float(factors.mean()) < 1


def test_the_id_of_padding_does_not_change(
    make_encoder: MakeEncoder, splits: dict[str, EncodedSplit], make_meta: MakeMeta
) -> None:
    model = MultiTaskModel(make_encoder("roberta"), {"ner": make_meta("ner", "ner")}, seed=0)
    tokens = used_token_ids(splits.values(), model.encoder)
    assert tokens[:2].tolist() == [0, 1]
    prune_embeddings(model.encoder, tokens)
    table = model.encoder.get_input_embeddings()
    assert isinstance(table, torch.nn.Embedding)
    assert table.padding_idx == model.encoder.config.pad_token_id == 1


def test_renumbered_tokens_are_rows_of_the_table(splits: dict[str, EncodedSplit], make_encoder: MakeEncoder) -> None:
    model = MultiTaskModel(make_encoder("bert"), {}, seed=0)
    tokens = used_token_ids([splits["ner"]], model.encoder)
    again = renumbered(splits["ner"], tokens)
    assert np.array_equal(tokens[again.tokens], splits["ner"].tokens)
    assert again.tokens.max() < len(tokens)
