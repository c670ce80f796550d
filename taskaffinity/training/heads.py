"""Heads: what turns the encoder's states into a task's outputs, and outputs into a loss (paper 3.1-3.4).

A sentence head mirrors the architecture's own ``...ForSequenceClassification`` head, so that a trained task can be
exported exactly: BERT's is its pooler (shared by all tasks where the checkpoint brings one, else the head's own),
dropout, linear; RoBERTa's and ELECTRA's are dropout, dense, activation, dropout, linear; DistilBERT's is dense, ReLU,
dropout, linear. An architecture without an entry in ``FORMS`` gets RoBERTa's.
"""

# B sequences, W words of the batch, H width, C classes

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig
from transformers.activations import ACT2FN

from taskaffinity.training.inputs.batches import Batch


@dataclass(frozen=True)
class Form:
    """The layers between a sequence's first state and the linear output."""

    activation: str
    dropout_first: bool
    pooler: bool = False
    """Whether the architecture's own sentence head goes through the encoder's pooler."""


FORMS: dict[str, Form] = {
    "bert": Form("tanh", dropout_first=False, pooler=True),
    "roberta": Form("tanh", dropout_first=True),
    "xlm-roberta": Form("tanh", dropout_first=True),
    "camembert": Form("tanh", dropout_first=True),
    "electra": Form("gelu", dropout_first=True),
    "deberta-v2": Form("gelu", dropout_first=True),
    "distilbert": Form("relu", dropout_first=False),
}


def form_of(config: PretrainedConfig) -> Form:
    """The architecture's own form, or RoBERTa's."""
    return FORMS.get(config.model_type, FORMS["roberta"])


class SentenceHead(nn.Module):
    """One output vector a sequence, from the state of its first word piece."""

    def __init__(self, config: PretrainedConfig, n_outputs: int, dropout: float, pooler: nn.Module | None) -> None:
        super().__init__()
        form = form_of(config)
        self.shared = [pooler]  # in a list: the model owns it, once
        self.dropout_first = form.dropout_first
        if pooler is None:
            self.dense = nn.Linear(config.hidden_size, config.hidden_size)
            self.activation = ACT2FN[form.activation]
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(config.hidden_size, n_outputs)

    def forward(self, first: Tensor) -> Tensor:  # (B, H)
        pooler = self.shared[0]
        if pooler is not None:
            pooled = pooler(first[:, None])
        else:
            pooled = self.activation(self.dense(self.dropout(first) if self.dropout_first else first))
        outputs: Tensor = self.output(self.dropout(pooled))
        return outputs  # (B, C)


class RegressionHead(SentenceHead):
    """Similarity: one number, mean squared error on the raw score."""

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return nn.functional.mse_loss(outputs[:, 0], batch.targets)


class ClassificationHead(SentenceHead):
    """Relation, inference, classification: cross-entropy."""

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return nn.functional.cross_entropy(outputs, batch.targets)


class TaggingHead(nn.Module):
    """Tagging: cross-entropy on each word's first piece. Continuation pieces and special tokens are not classes."""

    def __init__(self, config: PretrainedConfig, n_outputs: int, dropout: float, pooler: nn.Module | None) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(config.hidden_size, n_outputs)

    def forward(self, first: Tensor) -> Tensor:  # (W, H)
        outputs: Tensor = self.output(self.dropout(first))
        return outputs  # (W, C)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return nn.functional.cross_entropy(outputs, batch.targets)


Head = RegressionHead | ClassificationHead | TaggingHead

HEADS: dict[str, type[RegressionHead] | type[ClassificationHead] | type[TaggingHead]] = {
    "similarity": RegressionHead,
    "relation": ClassificationHead,
    "classification": ClassificationHead,
    "inference": ClassificationHead,
    "ner": TaggingHead,
}


def make_head(
    kind: str, outputs: Sequence[str], config: PretrainedConfig, dropout: float, pooler: nn.Module | None
) -> Head:
    """A fresh head, its weights N(0, ``initializer_range``), biases 0, drawn from torch's current generator."""
    head = HEADS[kind](config, max(1, len(outputs)), dropout, pooler)
    for module in head.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=getattr(config, "initializer_range", 0.02))
            nn.init.zeros_(module.bias)
    return head


def outputs_to_predictions(kind: str, outputs: Tensor) -> Tensor:
    """Scores of a regression, else the number of the best class."""
    return outputs[:, 0].float() if kind == "similarity" else torch.argmax(outputs, dim=-1)
