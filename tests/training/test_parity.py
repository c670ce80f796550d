"""Training equals a plain PyTorch loop written from the paper: same losses, same weights.

The loop below pads, masks, and keeps its optimiser's state in dictionaries; nothing of ``taskaffinity.training`` is in
it but the rows that each mini-batch holds. Twenty steps are compared in both protocols. Both stages of the released
code, 84 steps, are compared from the text on.
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
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.tasks.task import Example, Kind, Task
from taskaffinity.training.encoders.load import Encoder, find_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.inputs.batches import batches_of, epoch_cuts
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.setup import setup_run

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
    batches = [
        list(batches_of(epoch_cuts(splits, BATCH, seed=SEED, epoch=epoch), splits)) for epoch in range(1, EPOCHS + 1)
    ]
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
    for ours, theirs in zip(TrainingLoop(model, splits, recipe, seed=SEED).epochs(), per_epoch, strict=True):
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


RELEASED = Recipe(
    learning_rate=2e-4,
    num_train_epochs=3,
    batch_size=BATCH,
    optimizer="adamw",
    head_dropout=0.0,
    max_length=48,
    protocol="paper",
    released_classes=True,
    reversed_pairs=True,
)
N_TRAIN, N_DEV, N_TEST = 13, 4, 3
TAGS = ("O", "B-x", "I-x", "X", "CLS", "SEP")
"""Classes of a tagging task in the order of the released task definition."""


def random_word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("abefghij"), rng.integers(1, 5)))


def random_text(rng: np.random.Generator) -> str:
    return " ".join(random_word(rng) for _ in range(rng.integers(2, 6)))


def random_task(kind: Kind, seed: int) -> Task:
    """A task of random words; most words have several tokens."""
    rng = np.random.default_rng(seed)

    def example(name: str) -> Example:
        if kind == "ner":
            tags = rng.choice(["O", "B-x"], rng.integers(3, 9)).tolist()
            return Example(name, tuple(tags), words=tuple(random_word(rng) for _ in tags))
        label = float(rng.uniform(0, 5)) if kind == "similarity" else str(rng.choice(["no", "yes", "other"]))
        return Example(name, label, random_text(rng), None if kind == "relation" else random_text(rng))

    sizes = {"train": N_TRAIN + seed, "dev": N_DEV, "test": N_TEST}
    made = {split: [example(f"{split}.{i}") for i in range(n)] for split, n in sizes.items()}
    labels = {"similarity": (), "ner": ("x",)}.get(kind, ("no", "yes", "other"))
    return Task(kind, kind, made.__getitem__, labels)


def tokens_of(text: str, vocabulary: dict[str, int]) -> list[list[int]]:
    """The tokens of each word, which are its letters."""
    return [[vocabulary[word[0]], *(vocabulary[f"##{letter}"] for letter in word[1:])] for word in text.split()]


def released_input(task: Task, example: Example, vocabulary: dict[str, int]) -> tuple[list[int], list[int], Any]:
    """Tokens, token types and target of an example as the released code makes them: second text first."""
    first, last = [vocabulary["[CLS]"]], [vocabulary["[SEP]"]]
    if task.kind == "ner":
        words = tokens_of(" ".join(example.words), vocabulary)
        assert isinstance(example.label, tuple)
        classes = ["CLS"]
        for tag, word in zip(example.label, words, strict=True):
            classes += [tag, *["X"] * (len(word) - 1)]
        tokens = [*first, *(token for word in words for token in word), *last]
        return tokens, [0] * len(tokens), [TAGS.index(name) for name in (*classes, "SEP")]
    target = example.label if task.kind == "similarity" else task.labels.index(str(example.label))
    texts = [example.text] if example.text_pair is None else [example.text_pair, example.text]
    parts = [[token for word in tokens_of(text, vocabulary) for token in word] + last for text in texts]
    tokens = first + [token for part in parts for token in part]
    types = [0] * (1 + len(parts[0])) + [1] * sum(len(part) for part in parts[1:])
    return tokens, types, target


def released_loss(model: PlainModel, task: Task, examples: list[Example], vocabulary: dict[str, int]) -> torch.Tensor:
    """The loss of one mini-batch: mean squared error, or cross-entropy over all tokens that are not padding."""
    inputs = [released_input(task, example, vocabulary) for example in examples]
    longest = max(len(tokens) for tokens, _, _ in inputs)

    def padded(rows: list[list[int]], value: int = 0) -> torch.Tensor:
        return torch.tensor([row + [value] * (longest - len(row)) for row in rows])

    out = model.bert(
        input_ids=padded([tokens for tokens, _, _ in inputs]),
        token_type_ids=padded([types for _, types, _ in inputs]),
        attention_mask=padded([[1] * len(tokens) for tokens, _, _ in inputs]),
    )
    head, targets = model.heads[task.kind], [target for _, _, target in inputs]
    if task.kind == "ner":
        logits, classes = head(out.last_hidden_state), padded(targets, -1)
        return nn.functional.cross_entropy(logits.flatten(0, 1), classes.flatten(), ignore_index=-1)
    scores = head(out.pooler_output)
    if task.kind == "similarity":
        return ((scores.squeeze(1) - torch.tensor(targets, dtype=scores.dtype)) ** 2).mean()
    return nn.functional.cross_entropy(scores, torch.tensor(targets))


class TwoStages:
    """The tasks, and one run of them by this package and by the plain loop."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.tasks = {kind: random_task(kind, seed) for seed, kind in enumerate(KINDS)}
        self.encoder: Encoder = find_encoder(str(folder))
        self.vocabulary = {word: i for i, word in enumerate((folder / "vocab.txt").read_text().split())}
        self.cache, self.store = cache, RunStore(cache / "results")
        self.refs = {kind: task.ref for kind, task in self.tasks.items()}
        self.plain = PlainModel(folder, {}).double()
        self.n_steps = 0
        prepare(list(self.tasks.values()), self.encoder, RELEASED, cache)

    def run(self, spec: RunSpec) -> tuple[RunResult, list[dict[str, float]]]:
        """Run a spec; also return the losses of the plain loop, whose model goes on from the stage before."""
        start = None if spec.parent is None else self.store.weights(spec.parent, spec.task_names[0])
        places: dict[str, Any] = {"encoder_folder": self.encoder.folder, "cache": self.cache, "start": start}
        setup = setup_run(spec, **places)
        losses = self.plain_loop(spec, setup.model, setup.training.splits)
        result = execute(spec, **places, keep_weights=True)
        self.store.write(result)
        return result, losses

    def plain_loop(self, spec: RunSpec, model: MultiTaskModel, splits: Any) -> list[dict[str, float]]:
        self.plain.heads = nn.ModuleDict()
        for kind, head in model.heads.items():
            parts = [part for part in (head.output, getattr(head, "token_output", None)) if part is not None]
            plain = nn.Linear(16, sum(part.out_features for part in parts)).double()
            plain.weight.data = torch.cat([part.weight.data for part in parts]).double()
            plain.bias.data = torch.cat([part.bias.data for part in parts]).double()
            self.plain.heads[kind] = plain
        cuts = [epoch_cuts(splits, BATCH, seed=SEED, epoch=1 + e) for e in range(RELEASED.num_train_epochs)]
        epochs = [list(batches_of(of_epoch, splits)) for of_epoch in cuts]
        update = PlainUpdate(self.plain, spec.recipe, sum(map(len, epochs)))
        means = []
        for epoch in epochs:
            losses: dict[str, list[float]] = {kind: [] for kind in spec.task_names}
            for batch in epoch:
                task = self.tasks[batch.task]  # type: ignore[index]
                examples = [*task.examples["train"], *task.examples["dev"]]
                loss = released_loss(self.plain, task, [examples[row] for row in batch.rows], self.vocabulary)
                loss.backward()
                update.step()
                losses[batch.task].append(float(loss.detach()))
                self.n_steps += 1
            means.append({kind: sum(of_kind) / len(of_kind) for kind, of_kind in losses.items()})
        return means

    def assert_equal(self, result: RunResult, losses: list[dict[str, float]]) -> None:
        for row, expected in zip(result.history, losses, strict=True):
            assert row["loss"] == pytest.approx(expected, abs=1e-6, rel=1e-6)
        (weights,) = result.weights.values()
        token_ids = weights["pieces"]
        for name, value in self.plain.bert.named_parameters():
            ours = torch.from_numpy(weights[name if name.startswith("pooler") else f"encoder.{name}"])
            theirs = value.detach()
            if name.endswith("word_embeddings.weight"):
                theirs = theirs[token_ids]
            if not name.endswith("key.bias"):  # its gradient is rounding noise alone, as above
                assert float((ours.double() - theirs).abs().max()) < 1e-6, name


def test_both_stages_of_the_released_code_equal_a_plain_loop(
    make_encoder: MakeEncoder, tokenizer: Any, tmp_path: Path
) -> None:
    """84 updates: all tasks together, then three of them fine-tuned, each from the joint weights."""
    folder = make_encoder("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    tokenizer.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)))
    both = TwoStages(folder, tmp_path)
    joint = RunSpec(tuple(sorted(both.refs.values())), both.encoder.ref, SEED, RELEASED)
    both.assert_equal(*both.run(joint))
    refined = {name: value.clone() for name, value in both.plain.bert.state_dict().items()}
    tuned = replace(RELEASED, learning_rate=1e-4)
    for kind in ("ner", "inference", "similarity"):
        both.plain.bert.load_state_dict(refined)
        both.assert_equal(*both.run(RunSpec((both.refs[kind],), both.encoder.ref, SEED, tuned, parent=joint)))
    assert both.n_steps == 84
