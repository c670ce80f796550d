"""Twenty refinement steps equal a plain PyTorch loop written from the paper: same losses, same weights.

The loop below pads, masks, and keeps its optimiser's state in dictionaries; nothing of ``taskaffinity.training`` is in
it but the rows that each mini-batch holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModel

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.inputs.batches import epoch_batches
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import fit
from taskaffinity.training.model import MultiTaskModel

KINDS = ("similarity", "relation", "inference", "ner")
EPOCHS, BATCH, SEED = 2, 5, 7
RECIPE = Recipe(learning_rate=2e-3, num_train_epochs=EPOCHS, batch_size=BATCH, head_dropout=0.0)

MakeMeta = Callable[..., TaskMeta]
MakeSplit = Callable[..., EncodedSplit]
MakeEncoder = Callable[..., Path]
Optimizer = Literal["adamax", "adamw"]


class PlainModel(nn.Module):
    """Algorithm 1's model: transformers' encoder with its pooler, and a linear layer a task."""

    def __init__(self, folder: Path, heads: dict[str, nn.Linear]) -> None:
        super().__init__()
        self.bert = AutoModel.from_pretrained(folder, attn_implementation="eager")
        self.heads = nn.ModuleDict(heads)

    def loss(self, kind: str, split: EncodedSplit, rows: np.ndarray) -> torch.Tensor:
        ranges = [(split.bounds[row], split.bounds[row + 1]) for row in rows]
        longest = max(end - start for start, end in ranges)
        tokens, types, mask = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(3))
        for i, (start, end) in enumerate(ranges):
            tokens[i, : end - start] = torch.tensor(split.tokens[start:end].astype(np.int64))
            types[i, : end - start] = torch.tensor(split.token_types[start:end].astype(np.int64))
            mask[i, : end - start] = 1
        out = self.bert(input_ids=tokens, token_type_ids=types, attention_mask=mask)
        if kind == "ner":
            states, tags = [], []
            for i, row in enumerate(rows):
                words = range(split.word_bounds[row], split.word_bounds[row + 1])
                states += [out.last_hidden_state[i, split.word_positions[word]] for word in words]
                tags += [int(split.targets[word]) for word in words]
            return nn.functional.cross_entropy(self.heads[kind](torch.stack(states)), torch.tensor(tags))
        scores = self.heads[kind](out.pooler_output)
        targets = torch.tensor(split.targets[split.examples_of_rows[rows]])
        if kind == "similarity":
            return ((scores.squeeze(1) - targets) ** 2).mean()
        return nn.functional.cross_entropy(scores, targets)


class PlainUpdate:
    """Clipping, schedule, Adamax or Adam with decoupled decay: ours, or the released code's."""

    def __init__(self, model: nn.Module, recipe: Recipe, n_steps: int) -> None:
        self.named = dict(model.named_parameters())
        self.recipe, self.n_steps, self.step_number = recipe, n_steps, 0
        self.t: dict[str, int] = {}
        self.m = {name: torch.zeros_like(p) for name, p in self.named.items()}
        self.v = {name: torch.zeros_like(p) for name, p in self.named.items()}

    def decay(self, name: str) -> float:
        return 0.0 if name.endswith("bias") or "LayerNorm" in name else 0.01

    def rate(self, t: int) -> float:
        n, peak = self.n_steps, self.recipe.learning_rate
        if self.recipe.protocol == "paper":
            x = t / n
            return peak * (x / 0.1 if x < 0.1 else 1 - x)
        warm = max(1, round(0.1 * n))
        return peak * (
            (self.step_number + 1) / warm if self.step_number < warm else (n - self.step_number) / (n - warm)
        )

    @torch.no_grad()
    def step(self) -> None:
        norm = math.sqrt(sum(float((p.grad**2).sum()) for p in self.named.values() if p.grad is not None))
        scale = min(1.0, 1.0 / norm)
        for name, p in self.named.items():
            if p.grad is None and (self.recipe.protocol is None or name not in self.t):
                continue
            g = torch.zeros_like(p) if p.grad is None else p.grad * scale
            t = self.t.get(name, 0)
            lr = self.rate(t)
            self.t[name] = t + 1
            m, v = self.m[name], self.v[name]
            m.copy_(0.9 * m + 0.1 * g)
            if self.recipe.protocol == "paper":
                if self.recipe.optimizer == "adamax":
                    v.copy_(torch.maximum(0.999 * v, g.abs() + 1e-6))
                    move = m / (v + 1e-6)
                else:
                    v.copy_(0.999 * v + 0.001 * g * g)
                    move = m / (v.sqrt() + 1e-6)
                p -= lr * (move + self.decay(name) * p)
                continue
            p *= 1 - lr * self.decay(name)
            if self.recipe.optimizer == "adamax":
                v.copy_(torch.maximum(0.999 * v, g.abs() + 1e-8))
                p -= lr / (1 - 0.9 ** (t + 1)) * m / v
            else:
                v.copy_(0.999 * v + 0.001 * g * g)
                p -= lr * (m / (1 - 0.9 ** (t + 1))) / ((v / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8)
        for p in self.named.values():
            p.grad = None
        self.step_number += 1


@pytest.mark.parametrize("optimizer", ["adamax", "adamw"])
@pytest.mark.parametrize("protocol", [None, "paper"], ids=["honest", "paper"])
def test_twenty_refinement_steps_equal_a_plain_loop(
    protocol: Literal["paper"] | None,
    optimizer: Optimizer,
    make_encoder: MakeEncoder,
    make_meta: MakeMeta,
    make_split: MakeSplit,
) -> None:
    recipe = replace(RECIPE, protocol=protocol, optimizer=optimizer)
    folder = make_encoder("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    metas = {kind: make_meta(kind, kind) for kind in KINDS}
    splits = {kind: make_split(kind, n=12 + i, seed=i) for i, kind in enumerate(KINDS)}
    model = MultiTaskModel(folder, metas, seed=SEED, head_dropout=0.0)
    heads: dict[str, nn.Linear] = {}
    for kind, head in model.heads.items():
        heads[kind] = nn.Linear(16, head.output.out_features)
        heads[kind].load_state_dict(head.output.state_dict())
    plain = PlainModel(folder, heads)
    schedule: list[tuple[str, Any]] = []
    per_epoch: list[dict[str, list[float]]] = []
    batches = [list(epoch_batches(splits, BATCH, seed=SEED, epoch=epoch)) for epoch in range(1, EPOCHS + 1)]
    update = PlainUpdate(plain, recipe, sum(map(len, batches)))
    for epoch in batches:
        per_epoch.append({kind: [] for kind in KINDS})
        for batch in epoch:
            loss = plain.loss(batch.task, splits[batch.task], batch.rows)
            loss.backward()
            update.step()
            per_epoch[-1][batch.task].append(float(loss.detach()))
            schedule.append((batch.task, batch.rows))
    assert len(schedule) >= 20
    for ours, theirs in zip(fit(model, splits, recipe, seed=SEED), per_epoch, strict=True):
        for kind, losses in theirs.items():
            assert ours.losses[kind] == pytest.approx(sum(losses) / len(losses), rel=1e-5, abs=1e-5)
    own = {name.removeprefix("encoder."): p for name, p in model.named_parameters() if name.startswith("encoder.")}
    own |= {name: p for name, p in model.named_parameters() if name.startswith("pooler.")}
    given = dict(plain.bert.named_parameters())
    assert own.keys() == given.keys()
    for name, value in given.items():
        if name.endswith("key.bias"):  # adds the same to all scores of a query: its gradient is rounding noise alone
            continue
        torch.testing.assert_close(own[name], value, atol=1e-5, rtol=1e-4, msg=name)
    for kind, head in model.heads.items():
        torch.testing.assert_close(head.output.weight, heads[kind].weight, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(head.output.bias, heads[kind].bias, atol=1e-5, rtol=1e-4)
