"""Each optimization of speed changes only the time: training with it and without it, over all heads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from taskaffinity.runs.recipe import Recipe
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.training import loop
from taskaffinity.training import model as models
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.inputs.vocabulary import prune_embeddings, renumbered, used_token_ids
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.optimizer import decayed_parameters, learning_rate
from taskaffinity.training.packing import layout, packed
from taskaffinity.training.prediction import predict

KINDS = ("similarity", "relation", "inference", "ner")
TECHNIQUES = (
    *("packing", "blocks in one operation", "long ones alone", "narrow last layer"),
    *("cheap dropout", "cut vocabulary", "one pass"),
)
NO_DROP = 1e-9
"""A dropout that takes its own way and drops nothing."""

MakeMeta = Callable[..., TaskMeta]
MakeSplit = Callable[..., EncodedSplit]
MakeEncoder = Callable[..., Path]
Splits = dict[str, EncodedSplit]
Build = Callable[..., tuple[MultiTaskModel, Splits, Splits]]


class PlainStepper:
    """torch's own clipping and optimisers, none of them fused, decay before them."""

    def __init__(self, model: nn.Module, recipe: Recipe, n_steps: int) -> None:
        self.recipe, self.n_steps, self.number = recipe, n_steps, 0
        self.parameters, self.decayed = list(model.parameters()), decayed_parameters(model)
        kind = torch.optim.Adamax if recipe.optimizer == "adamax" else torch.optim.Adam
        self.optimizer = kind(self.parameters, foreach=False)

    def step(self, *, counts: bool = True) -> None:
        rate = learning_rate(self.recipe, self.number, self.n_steps)
        nn.utils.clip_grad_norm_(self.parameters, self.recipe.max_grad_norm)
        self.optimizer.param_groups[0]["lr"] = rate
        with torch.no_grad():
            for weight in self.decayed:
                if weight.grad is not None:
                    weight.mul_(1 - rate * self.recipe.weight_decay)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.number += counts


@pytest.fixture
def build(make_encoder: MakeEncoder, make_meta: MakeMeta, make_split: MakeSplit) -> Build:
    """A model of all heads, its training and its dev splits, some techniques off."""

    def made(
        off: Collection[str], monkeypatch: pytest.MonkeyPatch, p: float, seed: int = 3, n: int = 24, step: int = 1
    ) -> tuple[MultiTaskModel, Splits, Splits]:
        if "long ones alone" in off:
            monkeypatch.setattr(layout, "_SINGLE", 10**9)
        else:
            monkeypatch.setattr(layout, "_SINGLE", 10)  # sequences here have 3 to 20 tokens
        if "narrow last layer" in off:
            monkeypatch.setattr(models, "narrow_last_layer", lambda encoder, max_length: False)
        if "cheap dropout" in off:
            monkeypatch.setattr(models, "replace_dropout", lambda model: None)
        if "blocks in one operation" in off:
            monkeypatch.setattr(packed.BlockAttention, "apply", blocks_by_autograd)
        if "one pass" in off:
            monkeypatch.setattr(loop, "Stepper", PlainStepper)
        folder = make_encoder("bert", hidden_dropout_prob=p, attention_probs_dropout_prob=p)
        train, dev = (
            {kind: make_split(kind, n=n, seed=i, step=step) for i, kind in enumerate(KINDS, first)} for first in (0, 50)
        )
        metas = {kind: make_meta(kind, kind) for kind in KINDS}
        model = MultiTaskModel(folder, metas, seed=seed, head_dropout=p, packed="packing" not in off)
        if "cut vocabulary" not in off:
            tokens = used_token_ids([*train.values(), *dev.values()], model.encoder)
            assert prune_embeddings(model.encoder, tokens)
            train, dev = ({n: renumbered(split, tokens) for n, split in splits.items()} for splits in (train, dev))
        return model, train, dev

    return made


def blocks_by_autograd(
    q: Any, k: Any, v: Any, query_blocks: Any, blocks: Any, dropout: float, scaling: float
) -> torch.Tensor:
    return packed._attend(q, k, v, query_blocks, blocks, dropout, scaling)


@pytest.mark.parametrize("optimizer", ["adamax", pytest.param("adamw", marks=pytest.mark.long)])
@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.slow
def test_losses_are_equal_with_and_without_each_optimization(
    technique: str, optimizer: str, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(learning_rate=1e-3, num_train_epochs=3, batch_size=5, weight_decay=0.1)
    recipe = replace(recipe, optimizer=optimizer)
    losses, steps = [], 0
    for off in ((), (technique,)):
        with monkeypatch.context() as patched:
            model, splits, _ = build(off, patched, NO_DROP)
            assert model.is_packed == ("packing" not in off)
            assert model.is_narrow == (not {"packing", "narrow last layer"} & set(off))
            epochs = list(TrainingLoop(model, splits, recipe, seed=5).epochs())
        losses.append([epoch.losses[kind] for epoch in epochs for kind in KINDS])
        steps = sum(epoch.steps for epoch in epochs)
    assert steps >= 50
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-4)
    assert losses[0] != [losses[0][0]] * len(losses[0])


@pytest.mark.slow
@pytest.mark.parametrize("precision", [None, pytest.param("bf16", marks=pytest.mark.long)])
def test_with_dropout_dev_scores_are_equal_within_noise(
    precision: Any, build: Build, make_meta: MakeMeta, make_split: MakeSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All techniques on against all off, three seeds each: the means differ by less than three standard errors. All
    heads learn, or nothing could be seen: with a dropout of a half in its place none does."""
    recipe = Recipe(learning_rate=5e-3, num_train_epochs=12, batch_size=8, optimizer="adamw")
    learned = {"similarity": 0.7, "relation": 0.8, "inference": 0.8, "ner": 0.9}
    scores: dict[str, dict[str, list[float]]] = {way: {kind: [] for kind in KINDS} for way in ("on", "off")}
    for way, seed in itertools.product(scores, range(3)):
        with monkeypatch.context() as patched:
            model, train, dev = build(TECHNIQUES if way == "off" else (), patched, 0.1, seed, n=120, step=5)
            model.precision = precision if way == "on" else None
            for _ in TrainingLoop(model, train, recipe, seed=seed).epochs():
                pass
        for kind in KINDS:
            meta, split = make_meta(kind, kind), dev[kind]
            metric = METRICS[meta.metric_name]
            counts = metric.tally(split.gold, predict(model, meta, split), meta.scored)
            scores[way][kind].append(float(metric.score(counts.sum(axis=0))))
    for kind in KINDS:
        on, off = (np.array(scores[way][kind]) for way in ("on", "off"))
        assert off.mean() > learned[kind], (kind, off)
        error = np.sqrt((on.var(ddof=1) + off.var(ddof=1)) / 3)
        assert abs(on.mean() - off.mean()) <= 3 * error + 0.02, (kind, on, off)
        assert on.std() > 0 or on.mean() == 1


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])
@pytest.mark.slow
def test_bf16_trains_and_predicts_like_fp32(
    packed: bool, make_encoder: MakeEncoder, make_meta: MakeMeta, make_split: MakeSplit
) -> None:
    """Losses and scores agree within eight bits of mantissa; set back to fp32, the model gives the same bits."""
    folder = make_encoder("bert")
    metas = {kind: make_meta(kind, kind) for kind in KINDS}
    splits = {kind: make_split(kind, n=24, seed=i) for i, kind in enumerate(KINDS)}
    recipe = Recipe(learning_rate=1e-3, num_train_epochs=3, batch_size=5)
    losses = {}
    for precision in (None, "bf16"):
        model = MultiTaskModel(folder, metas, seed=3, head_dropout=0.0, packed=packed)
        model.precision = precision
        for dropout in model.modules():
            if isinstance(dropout, nn.Dropout):
                dropout.p = 0.0
        losses[precision] = [
            loss for epoch in TrainingLoop(model, splits, recipe, seed=5).epochs() for loss in epoch.losses.values()
        ]
        assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert losses["bf16"] != losses[None]
    np.testing.assert_allclose(losses["bf16"], losses[None], rtol=0.05, atol=0.02)
    plain = MultiTaskModel(folder, metas, seed=3, packed=packed)
    plain.load_state_dict(model.state_dict())
    short, exact = (predict(some, metas["similarity"], splits["similarity"]) for some in (model, plain))
    assert short != exact
    np.testing.assert_allclose(short, exact, rtol=0.05, atol=0.02)
    model.precision = None
    for kind in KINDS:
        assert predict(model, metas[kind], splits[kind]) == predict(plain, metas[kind], splits[kind])
