"""What our training step is compared with: the way of the paper's code, and the Hugging Face Trainer.

Both are given the same rows of the same encoded corpora, so that only the way of training differs.
"""

# B sequences, L the longest of the batch, H width, C classes

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_pt_utils import LengthGroupedSampler

from taskaffinity.training.encoders.load import load_tokenizer
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray, TaskMeta

Rows = Sequence[tuple[str, IntArray]]
"""Mini-batches: a task and rows of its training split."""


def now(device: str) -> float:
    """Seconds on a clock, read when the device is done with what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def features_of(split: EncodedSplit, row: int, *, ignored: int = -100) -> dict[str, Any]:
    """A row as Python lists: tokens, segments, and its class or a tag a token (``ignored`` where a token has none)."""
    first, last = split.bounds[row], split.bounds[row + 1]
    found = {
        "input_ids": split.tokens[first:last].tolist(),
        "token_type_ids": split.token_types[first:last].tolist(),
    }
    if not split.is_tagging:
        return {**found, "labels": int(split.targets[split.examples_of_rows[row]])}
    words = slice(split.word_bounds[row], split.word_bounds[row + 1])
    tags = [ignored] * (last - first)
    for place, tag in zip(split.word_positions[words], split.targets[words], strict=True):
        tags[place] = int(tag)
    return {**found, "labels": tags}


class PaperWay:
    """MT-DNN's loop as the paper ran it: a list to a tensor, sample by sample, in every step; padded to the longest;
    eager attention, fp32; its Adamax over every tensor, all of them at every update; the loss read at every update."""

    def __init__(
        self, folder: Path, metas: Mapping[str, TaskMeta], splits: Mapping[str, EncodedSplit], device: str = "cpu"
    ) -> None:
        torch.manual_seed(0)
        self.device = device
        self.encoder = AutoModel.from_pretrained(folder, attn_implementation="eager").to(device)
        width = self.encoder.config.hidden_size
        self.heads = nn.ModuleList(nn.Linear(width, len(meta.outputs)) for meta in metas.values()).to(device)
        self.number = {name: i for i, name in enumerate(metas)}
        self.samples = {
            name: [features_of(split, row) for row in range(split.n_rows)] for name, split in splits.items()
        }
        self.is_tagging = {name: split.is_tagging for name, split in splits.items()}
        self.optimizer = PaperAdamax([*self.encoder.parameters(), *self.heads.parameters()])

    def train(self, batches: Rows) -> float:
        """Seconds that these mini-batches took."""
        self.encoder.train()
        began = now(self.device)
        for name, rows in batches:
            loss = self._loss(name, [self.samples[name][row] for row in rows])
            self.optimizer.zero_grad(set_to_none=False)
            loss.backward()
            nn.utils.clip_grad_norm_(self.optimizer.param_groups[0]["params"], 1.0)
            self.optimizer.step()
            loss.item()
        return now(self.device) - began

    def _loss(self, name: str, samples: Sequence[Mapping[str, Any]]) -> Tensor:
        longest = max(len(sample["input_ids"]) for sample in samples)
        tokens = torch.zeros(len(samples), longest, dtype=torch.long)
        types, mask = torch.zeros_like(tokens), torch.zeros_like(tokens)
        tags = torch.full_like(tokens, -100)
        for i, sample in enumerate(samples):
            n = len(sample["input_ids"])
            tokens[i, :n] = torch.LongTensor(sample["input_ids"])
            types[i, :n] = torch.LongTensor(sample["token_type_ids"])
            mask[i, :n] = torch.LongTensor([1] * n)
            if self.is_tagging[name]:
                tags[i, :n] = torch.LongTensor(sample["labels"])
        tokens, types, mask, tags = (tensor.to(self.device) for tensor in (tokens, types, mask, tags))
        states = self.encoder(input_ids=tokens, token_type_ids=types, attention_mask=mask)
        head = self.heads[self.number[name]]
        if not self.is_tagging[name]:
            outputs = head(nn.functional.dropout(states.pooler_output, 0.1))
            classes = torch.tensor([sample["labels"] for sample in samples]).to(self.device)
            return nn.functional.cross_entropy(outputs, classes)
        hidden = states.last_hidden_state  # (B, L, H)
        shared = nn.functional.dropout(torch.ones_like(hidden[:, :1]), 0.1)  # one mask over all positions
        return nn.functional.cross_entropy(head(hidden * shared).flatten(0, 1), tags.flatten(), ignore_index=-100)


class PaperAdamax(torch.optim.Optimizer):
    """The released code's: no bias correction, and the larger of two through a copy of both."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__(parameters, {"lr": 5e-5})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["m"], state["u"] = torch.zeros_like(p), torch.zeros_like(p)
                m, u = state["m"], state["u"]
                m.mul_(0.9).add_(p.grad, alpha=0.1)
                both = torch.cat([u.mul_(0.999).unsqueeze(0), p.grad.abs().add_(1e-6).unsqueeze_(0)], 0)
                torch.max(both, 0, keepdim=False, out=(u, u.new().long()))
                update = m / (u + 1e-6)
                if p.dim() > 1:
                    update += 0.01 * p
                p.add_(-group["lr"] * update)


class TrainerWay:
    """The Hugging Face ``Trainer`` on one task, as its documentation sets it up: padded to the longest of the batch,
    SDPA attention, fused AdamW; with ``precision="bf16"`` by its own autocast."""

    def __init__(
        self,
        folder: Path,
        meta: TaskMeta,
        split: EncodedSplit,
        work: Path,
        device: str = "cpu",
        precision: Literal["bf16"] | None = None,
    ) -> None:
        torch.manual_seed(0)
        kind = AutoModelForTokenClassification if split.is_tagging else AutoModelForSequenceClassification
        self.model = kind.from_pretrained(folder, num_labels=len(meta.outputs))
        tokenizer = load_tokenizer(folder)
        collator = DataCollatorForTokenClassification if split.is_tagging else DataCollatorWithPadding
        self.collator = collator(tokenizer)
        self.samples = [features_of(split, row) for row in range(split.n_rows)]
        self.lengths = np.diff(split.bounds).tolist()
        self.work = work
        self.device = device
        self.precision = precision
        self.optimizer: torch.optim.Optimizer | None = None
        """The Trainer's own, of the first call: it goes on with what it has, as it would within one training."""

    def grouped(self, batch_size: int, n: int, seed: int, rounds: int, among: int | None = None) -> list[IntArray]:
        """``n`` mini-batches of an epoch with ``group_by_length`` over all rows, or ``among`` so many of them (its
        groups are a quarter of a small training set, so that they are less alike); evenly spaced from the longest
        to the shortest, others in each of ``rounds`` rounds."""
        rows = np.arange(len(self.lengths))
        if among is not None:
            rows = np.random.default_rng(seed).choice(rows, min(among, len(rows)), replace=False)
        lengths = [self.lengths[row] for row in rows]
        generator = torch.Generator().manual_seed(seed)
        order = rows[list(LengthGroupedSampler(batch_size, lengths=lengths, generator=generator))]
        batches = [order[i : i + batch_size] for i in range(0, len(order) - batch_size + 1, batch_size)]
        batches.sort(key=lambda rows: max(self.lengths[row] for row in rows))
        places = (np.arange(n) + (seed + 0.5) / rounds) * len(batches) / n
        return [batches[int(place)] for place in places]

    def train(self, batches: Sequence[IntArray]) -> float:
        """Seconds from the first step's beginning to the last one's end."""
        clock = Clock(self.device)
        arguments = TrainingArguments(
            output_dir=str(self.work),
            per_device_train_batch_size=len(batches[0]),
            max_steps=len(batches),
            learning_rate=5e-5,
            weight_decay=0.01,
            train_sampling_strategy="sequential",
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=self.device == "cpu",
            bf16=self.precision == "bf16",
        )
        trainer = Trainer(
            model=self.model,
            args=arguments,
            train_dataset=[self.samples[row] for rows in batches for row in rows],
            data_collator=self.collator,
            callbacks=[clock],
            optimizers=(self.optimizer, None),
        )
        trainer.train()
        self.optimizer = getattr(trainer.optimizer, "optimizer", trainer.optimizer)  # accelerate wraps it
        return clock.seconds


class Clock(TrainerCallback):
    """Leaves out what the Trainer does before its first step and after its last."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.began = self.seconds = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.began = self.began or now(self.device)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.seconds = now(self.device) - self.began
