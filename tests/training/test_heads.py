"""Heads, compared with the stock classifiers of transformers with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch import nn
from transformers import AlbertConfig

from taskaffinity.tasks.kinds import KINDS
from taskaffinity.training.inputs.batches import Batch, make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.outputs import outputs_to_predictions

STOCK = {
    "bert": ("BertForSequenceClassification", {"classifier": "output"}),
    "roberta": (
        "RobertaForSequenceClassification",
        {"classifier.dense": "dense", "classifier.out_proj": "output"},
    ),
    "distilbert": ("DistilBertForSequenceClassification", {"pre_classifier": "dense", "classifier": "output"}),
    "electra": ("ElectraForSequenceClassification", {"classifier.dense": "dense", "classifier.out_proj": "output"}),
    "modernbert": (
        "ModernBertForSequenceClassification",
        {"head.dense": "before.dense", "head.norm": "before.norm", "classifier": "output"},
    ),
}
MakeMeta = Callable[..., TaskMeta]
MakeSplit = Callable[..., EncodedSplit]
MakeEncoder = Callable[..., Path]


@pytest.fixture(scope="module")
def meta(make_meta: MakeMeta) -> dict[str, TaskMeta]:
    return {"toy": make_meta("toy", "inference")}


@pytest.fixture(scope="module")
def batch(make_split: MakeSplit) -> Batch:
    return make_batch("toy", make_split("inference", n=6), np.arange(6))


def stock_logits(stock: nn.Module, batch: Batch, pad: int, has_token_types: bool) -> torch.Tensor:
    """The stock classifier on a batch padded here, by hand."""
    longest = int(batch.lengths.max())
    rows = zip(*(tensor.split(batch.lengths.tolist()) for tensor in (batch.tokens, batch.token_types)), strict=True)
    tokens, types, mask = [], [], []
    for ids, kinds in rows:
        missing = longest - len(ids)
        tokens.append([*ids.tolist(), *[pad] * missing])
        types.append([*kinds.tolist(), *[0] * missing])
        mask.append([1] * len(ids) + [0] * missing)
    extra = {"token_type_ids": torch.tensor(types)} if has_token_types else {}
    logits: torch.Tensor = stock(input_ids=torch.tensor(tokens), attention_mask=torch.tensor(mask), **extra).logits
    return logits


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])
@pytest.mark.parametrize("architecture", STOCK)
def test_a_sentence_head_equals_the_stock_head(
    architecture: str, packed: bool, make_encoder: MakeEncoder, meta: dict[str, TaskMeta], batch: Batch
) -> None:
    name, renamed = STOCK[architecture]
    folder = make_encoder(architecture, name, num_labels=3)
    stock = getattr(transformers, name).from_pretrained(folder).eval()
    model = MultiTaskModel(folder, meta, seed=1, packed=packed).eval()
    head = model.heads["toy"]
    for theirs, ours in renamed.items():
        head.get_submodule(ours).load_state_dict(stock.get_submodule(theirs).state_dict())
    with torch.no_grad():
        expected = stock_logits(stock, batch, model.encoder.config.pad_token_id, model.has_token_types)
        torch.testing.assert_close(model(batch), expected, rtol=0, atol=1e-6 if not packed else 1e-5)
    assert expected.std() > 0.1


@pytest.mark.parametrize("architecture", ["roberta", "electra", "distilbert"])
def test_a_pooler_in_the_checkpoint_does_not_change_the_head(
    architecture: str, make_encoder: MakeEncoder, meta: dict[str, TaskMeta]
) -> None:
    model = MultiTaskModel(make_encoder(architecture), meta, seed=1)
    expected = {"dense.weight", "dense.bias", "output.weight", "output.bias"}
    assert set(model.heads["toy"].state_dict()) == expected
    assert not any(name.startswith("pooler") for name in model.state_dict())


def test_an_unlisted_architecture_has_one_output_vector_per_sequence(
    tmp_path: Path, meta: dict[str, TaskMeta], batch: Batch
) -> None:
    config = AlbertConfig(
        vocab_size=60,
        embedding_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=48,
    )
    transformers.AlbertModel(config).save_pretrained(tmp_path)
    model = MultiTaskModel(tmp_path, meta, seed=1).eval()
    assert model(batch).shape == (6, 3)


def test_sentence_heads_of_bert_share_the_pooler_of_the_checkpoint(
    make_encoder: MakeEncoder, make_meta: MakeMeta
) -> None:
    folder = make_encoder("bert")
    stock = transformers.BertModel.from_pretrained(folder)
    metas = {name: make_meta(name, kind) for name, kind in (("a", "inference"), ("b", "similarity"), ("c", "ner"))}
    model = MultiTaskModel(folder, metas, seed=1)
    torch.testing.assert_close(
        model.get_submodule("pooler").state_dict(), stock.get_submodule("pooler").state_dict(), rtol=0, atol=0
    )
    assert all(set(model.heads[name].state_dict()) == {"output.weight", "output.bias"} for name in metas)
    assert sum("pooler" in name for name, _ in model.named_parameters()) == 2


def test_a_pooler_missing_from_the_checkpoint_is_absent(make_encoder: MakeEncoder, meta: dict[str, TaskMeta]) -> None:
    model = MultiTaskModel(make_encoder("bert", "BertForMaskedLM"), meta, seed=1)
    assert model.pooler is None
    assert set(model.heads["toy"].state_dict()) == {"dense.weight", "dense.bias", "output.weight", "output.bias"}
    lone = MultiTaskModel(make_encoder("bert", "BertForMaskedLM"), meta, seed=2)
    torch.testing.assert_close(lone.encoder.state_dict(), model.encoder.state_dict(), rtol=0, atol=0)


def test_initial_weights_of_a_head_depend_only_on_seed_and_name(make_encoder: MakeEncoder, make_meta: MakeMeta) -> None:
    folder = make_encoder("distilbert")

    def head(name: str, *others: str, seed: int = 1) -> torch.Tensor:
        metas = {other: make_meta(other, "inference") for other in sorted((name, *others))}
        return MultiTaskModel(folder, metas, seed=seed).heads[name].output.weight

    assert torch.equal(head("b"), head("b", "a", "c"))
    assert not torch.equal(head("b"), head("b", seed=2))
    assert not torch.equal(head("b"), head("c"))


def test_losses_agree_with_numpy(make_encoder: MakeEncoder, make_meta: MakeMeta, make_split: MakeSplit) -> None:
    metas = {kind: make_meta(kind, kind) for kind in KINDS if kind != "spans"}  # its loss: test_answers
    model = MultiTaskModel(make_encoder("bert"), metas, seed=1).eval()
    for kind in metas:
        batch = make_batch(kind, make_split(kind), np.arange(12))
        with torch.no_grad():
            loss, outputs = float(model.loss(batch)), model(batch).double().numpy()
        targets = batch.targets.numpy()
        if kind in ("similarity", "regression"):
            assert outputs.shape == (12, 1)
            expected = np.mean((outputs[:, 0] - targets) ** 2)
        elif kind == "multilabel":
            chances = 1 / (1 + np.exp(-outputs))
            expected = -np.mean(np.where(targets == 1, np.log(chances), np.log(1 - chances)))
        else:
            rows = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            chances = rows / rows.sum(axis=1, keepdims=True)
            expected = -np.mean([np.log(chances[i, target]) for i, target in enumerate(targets)])
        assert loss == pytest.approx(expected, rel=1e-5)


def test_a_tagger_reads_only_first_tokens(
    make_encoder: MakeEncoder, make_meta: MakeMeta, make_split: MakeSplit
) -> None:
    model = MultiTaskModel(make_encoder("bert"), {"t": make_meta("t", "ner")}, seed=1).eval()
    split = make_split("ner", n=5)
    batch = make_batch("t", split, np.arange(5))
    head = model.heads["t"]
    hidden = torch.randn(len(batch.tokens), 16)
    outputs = head(hidden[batch.layout.read])
    weight, bias = head.get_parameter("output.weight"), head.get_parameter("output.bias")
    assert outputs.shape == (len(split.targets), 3)
    places = [
        int(start) + int(position)
        for start, row in zip(np.cumsum([0, *batch.lengths[:-1]]), batch.rows, strict=True)
        for position in split.word_positions[split.word_bounds[row] : split.word_bounds[row + 1]]
    ]
    for output, place in zip(outputs, places, strict=True):
        torch.testing.assert_close(output, weight @ hidden[place] + bias)


def test_a_prediction_is_the_score_or_the_best_class() -> None:
    assert outputs_to_predictions("similarity", torch.tensor([[1.5], [-2.0]])).tolist() == [1.5, -2.0]
    assert outputs_to_predictions("ner", torch.tensor([[0.0, 1.0], [3.0, 2.0]])).tolist() == [1, 0]
