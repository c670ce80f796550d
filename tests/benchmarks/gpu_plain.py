"""Training as a textbook has it, with padded batches: what our step is checked against, and compared with.

It shares no code with the package's batches, attention, heads or optimizer, only the weights that it is given.
"""

# B sequences, L the longest of the batch, H width, C outputs of the task

from __future__ import annotations

import copy
import time
from collections.abc import Mapping

import torch
from gpu_inputs import Inputs, Rows
from torch import Tensor, nn
from transformers import AutoModel

from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray
from taskaffinity.training.model import MultiTaskModel

IGNORED = -100


def padded_batch(split: EncodedSplit, rows: IntArray, device: str) -> tuple[dict[str, Tensor], Tensor]:
    """The arguments of an encoder, each ``(B, L)``, and the targets: ``(B,)``, or ``(B, L)`` for tagging."""
    bounds = [(int(split.bounds[row]), int(split.bounds[row + 1])) for row in rows]
    longest = max(last - first for first, last in bounds)
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    types, mask = torch.zeros_like(tokens), torch.zeros_like(tokens)
    tags = torch.full_like(tokens, IGNORED)
    for i, (row, (first, last)) in enumerate(zip(rows, bounds, strict=True)):
        tokens[i, : last - first] = torch.from_numpy(split.tokens[first:last]).long()
        types[i, : last - first] = torch.from_numpy(split.token_types[first:last]).long()
        mask[i, : last - first] = 1
        if split.is_tagging:
            words = slice(int(split.word_bounds[row]), int(split.word_bounds[row + 1]))
            tags[i, torch.from_numpy(split.word_positions[words]).long()] = torch.from_numpy(split.targets[words])
    targets = tags if split.is_tagging else torch.from_numpy(split.targets[rows])
    inputs = {"input_ids": tokens, "token_type_ids": types, "attention_mask": mask}
    return {name: tensor.to(device) for name, tensor in inputs.items()}, targets.to(device)


class PlainModel(nn.Module):
    """A stock encoder with its pooler, and a linear layer for each task.

    Parameters
    ----------
    like : MultiTaskModel, optional
        A model whose weights it copies; its names of parameters are other ones. Default: weights of its own.
    attention : {"eager", "sdpa"}
    """

    def __init__(self, inputs: Inputs, dropout: float, attention: str, like: MultiTaskModel | None = None) -> None:
        super().__init__()
        config = copy.deepcopy(inputs.config)
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout
        self.encoder = AutoModel.from_config(config, attn_implementation=attention)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(config.hidden_size, len(meta.outputs) or 1) for name, meta in inputs.metas.items()}
        )
        self.dropout = nn.Dropout(dropout)
        if like is not None:
            self.encoder.set_input_embeddings(copy.deepcopy(like.encoder.get_input_embeddings()))
            self.encoder.load_state_dict(like.encoder.state_dict(), strict=False)
            self.encoder.pooler.load_state_dict(like.pooler.state_dict())
            for name, head in self.heads.items():
                head.load_state_dict(like.heads[name].output.state_dict())

    def loss(self, task: str, split: EncodedSplit, rows: IntArray) -> Tensor:
        """Mean loss of a mini-batch, a scalar."""
        device = next(self.parameters()).device.type
        inputs, targets = padded_batch(split, rows, device)
        states = self.encoder(**inputs)
        if split.is_tagging:
            outputs = self.heads[task](self.dropout(states.last_hidden_state)).float()  # (B, L, C)
            return nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
        outputs = self.heads[task](self.dropout(states.pooler_output)).float()  # (B, C)
        if targets.is_floating_point():
            return nn.functional.mse_loss(outputs[:, 0], targets)
        return nn.functional.cross_entropy(outputs, targets)

    def named_like(self, model: MultiTaskModel) -> Mapping[str, Tensor]:
        """This model's parameters by the names that ``model`` gives to its own."""
        own = dict(self.named_parameters())
        shared = {id(p): f"encoder.{name}" for name, p in model.encoder.named_parameters()}
        shared |= {id(p): f"encoder.pooler.{name}" for name, p in (model.pooler or nn.Module()).named_parameters()}
        for task, head in model.heads.items():
            shared |= {id(p): f"heads.{task}.{name}" for name, p in head.output.named_parameters()}
        return {name: own[shared[id(p)]] for name, p in model.named_parameters()}


class PlainWay:
    """The plain loop: SDPA attention, AdamW in one kernel, autocast."""

    def __init__(self, inputs: Inputs, device: str, precision: str | None) -> None:
        torch.manual_seed(0)
        self.splits, self.device, self.in_bf16 = inputs.splits, device, precision == "bf16"
        self.model = PlainModel(inputs, 0.1, "sdpa").to(device).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=5e-5, weight_decay=0.01, fused=True)

    def train(self, batches: Rows) -> float:
        """Seconds that these mini-batches took."""
        wait(self.device)
        began = time.perf_counter()
        for name, rows in batches:
            with torch.autocast(self.device, torch.bfloat16, enabled=self.in_bf16):
                loss = self.model.loss(name, self.splits[name], rows)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        wait(self.device)
        return time.perf_counter() - began


def precisions(device: str) -> tuple[str, ...]:
    """The precisions to measure, that of a run first: a GPU before the A100 does not multiply in bf16."""
    has_bf16 = device == "cpu" or torch.cuda.get_device_capability() >= (8, 0)
    return ("bf16", "fp32") if has_bf16 else ("fp32",)


def wait(device: str) -> None:
    """Wait until a GPU has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
