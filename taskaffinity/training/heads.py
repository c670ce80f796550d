"""Task heads: from the encoder's states to a task's outputs and loss (paper 3.1-3.4).

A head mirrors that of the architecture's stock model for the task, so that export copies it exactly. For sentences:

* BERT: pooler (shared by all tasks if the checkpoint has one), dropout, linear.
* RoBERTa, ELECTRA: dropout, dense, activation, dropout, linear.
* DistilBERT: dense, ReLU, dropout, linear.
* ModernBERT: dense, activation, norm, dropout, linear.

Heads of tokens are dropout and linear; those of ModernBERT are as for sentences. Architectures without an entry in
``FORMS`` get RoBERTa's head.
"""

# B sequences, W words of the batch, H width, C classes

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig
from transformers.activations import ACT2FN

from taskaffinity.tasks.kinds import TRAITS, LabelForm
from taskaffinity.training.inputs.answers import END, START
from taskaffinity.training.inputs.batches import Batch
from taskaffinity.training.inputs.encoded import TaskMeta
from taskaffinity.training.losses import class_loss
from taskaffinity.training.outputs import EXCLUDED


@dataclass(frozen=True)
class Form:
    """The layers between a sequence's first state and the output layer."""

    activation: str
    dropout_first: bool
    pooler: bool = False
    """Whether the head uses the encoder's pooler."""
    norm: bool = False
    """Whether the dense layer has a norm after its activation, and heads of tokens have both, too."""


FORMS: dict[str, Form] = {
    "bert": Form("tanh", dropout_first=False, pooler=True),
    "roberta": Form("tanh", dropout_first=True),
    "xlm-roberta": Form("tanh", dropout_first=True),
    "camembert": Form("tanh", dropout_first=True),
    "electra": Form("gelu", dropout_first=True),
    "deberta-v2": Form("gelu", dropout_first=True),
    "distilbert": Form("relu", dropout_first=False),
    "modernbert": Form("gelu", dropout_first=False, norm=True),
}


def form_of(config: PretrainedConfig) -> Form:
    """Return the form of the architecture's head, or RoBERTa's."""
    return FORMS.get(config.model_type, FORMS["roberta"])


class DenseNorm(nn.Module):
    """ModernBERT's layers before the output: dense, activation, norm; biases as its configuration says."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size, config.classifier_bias)
        self.activation = ACT2FN[config.classifier_activation]
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=config.norm_bias)

    def forward(self, states: Tensor) -> Tensor:  # (..., H)
        normed: Tensor = self.norm(self.activation(self.dense(states)))
        return normed


class SentenceHead(nn.Module):
    """One output vector per sequence, from the state of its first token."""

    def __init__(self, config: PretrainedConfig, n_outputs: int, dropout: float, pooler: nn.Module | None) -> None:
        super().__init__()
        form = form_of(config)
        self.shared = [pooler]  # in a list, so that only the model registers it
        self.dropout_first = form.dropout_first
        self.before = DenseNorm(config) if form.norm else None
        if pooler is None and self.before is None:
            self.dense = nn.Linear(config.hidden_size, config.hidden_size)
            self.activation = ACT2FN[form.activation]
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(config.hidden_size, n_outputs)

    def forward(self, first: Tensor) -> Tensor:  # (B, H)
        pooler = self.shared[0]
        if self.before is not None:
            pooled = self.before(first)
        elif pooler is not None:
            pooled = pooler(first[:, None])
        else:
            pooled = self.activation(self.dense(self.dropout(first) if self.dropout_first else first))
        outputs: Tensor = self.output(self.dropout(pooled))
        return outputs  # (B, C)


class RegressionHead(SentenceHead):
    """Similarity and regression: one output, mean squared error.

    The target is a standardised or a raw score.
    """

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return nn.functional.mse_loss(outputs[:, 0], batch.targets)


class ClassificationHead(SentenceHead):
    """Relation, inference, classification: cross-entropy."""

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return class_loss(outputs, batch.targets, getattr(self, "class_weights", None))


class MultiLabelHead(SentenceHead):
    """Multi-label classification: mean binary cross-entropy over examples and classes."""

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, batch.targets)


class ChoiceHead(SentenceHead):
    """Multiple choice: one output per option, cross-entropy over the options of an example."""

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return nn.functional.cross_entropy(outputs, batch.targets)


class TokenHead(nn.Module):
    """One output vector per token that is read."""

    def __init__(self, config: PretrainedConfig, n_outputs: int, dropout: float, pooler: nn.Module | None) -> None:
        super().__init__()
        self.before = DenseNorm(config) if form_of(config).norm else None
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(config.hidden_size, n_outputs)

    def states(self, first: Tensor) -> Tensor:  # (W, H)
        """Return what the output layer reads, (W, H)."""
        dropped: Tensor = self.dropout(first if self.before is None else self.before(first))
        return dropped

    def forward(self, first: Tensor) -> Tensor:  # (W, H)
        outputs: Tensor = self.output(self.states(first))
        return outputs  # (W, C)


class TaggingHead(TokenHead):
    """Tagging: cross-entropy on each word's first token; other tokens have no target.

    With token classes, every token of a training batch is a word. Their outputs follow those of the tags in training;
    an evaluated head gives only tags.
    """

    def __init__(
        self,
        config: PretrainedConfig,
        n_outputs: int,
        dropout: float,
        pooler: nn.Module | None,
        n_token_classes: int = 0,
    ) -> None:
        super().__init__(config, n_outputs, dropout, pooler)
        self.token_output = nn.Linear(config.hidden_size, n_token_classes) if n_token_classes else None

    def forward(self, first: Tensor) -> Tensor:  # (W, H)
        states = self.states(first)
        outputs: Tensor = self.output(states)
        if self.training and self.token_output is not None:
            return torch.cat([outputs, self.token_output(states)], dim=1)
        return outputs  # (W, C)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return class_loss(outputs, batch.targets, getattr(self, "class_weights", None))


class AnswerHead(TokenHead):
    """Extractive question answering: start and end logits of the first token and of those of the context.

    The loss is the mean of two cross-entropies over the tokens of a row, those of the start and of the end. The first
    token is the answer of a row without one.
    """

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        bounds = batch.layout.read_bounds
        words = torch.arange(len(outputs), device=outputs.device)
        is_of_row = (words >= bounds[:-1, None]) & (words < bounds[1:, None])  # (B, W)
        losses = []
        for side, bit in enumerate((START, END)):
            is_gold = (batch.targets > 0) & (batch.targets & bit > 0)  # (W,)
            has_gold = (is_of_row & is_gold).any(dim=1)  # not the room of a captured step
            totals = outputs[:, side].masked_fill(~is_of_row, EXCLUDED).logsumexp(dim=1)
            found = (totals * has_gold).sum() - (outputs[:, side] * is_gold).sum()
            losses.append(found / has_gold.sum())
        return torch.stack(losses).mean()


Head = RegressionHead | ClassificationHead | MultiLabelHead | ChoiceHead | AnswerHead | TaggingHead

HEADS: dict[LabelForm, type[Head]] = {
    "score": RegressionHead,
    "class": ClassificationHead,
    "classes": MultiLabelHead,
    "option": ChoiceHead,
    "answers": AnswerHead,
    "tags": TaggingHead,
}


def make_head(task: TaskMeta, config: PretrainedConfig, dropout: float, pooler: nn.Module | None) -> Head:
    """Return a new head: weights N(0, ``initializer_range``), zero biases.

    The weights come from torch's global generator.
    """
    traits = TRAITS[task.kind]
    n_outputs = traits.n_outputs or len(task.outputs)
    if traits.label == "tags":
        head: Head = TaggingHead(config, n_outputs, dropout, pooler, len(task.token_classes))
    else:
        head = HEADS[traits.label](config, n_outputs, dropout, pooler)
    for module in head.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=getattr(config, "initializer_range", 0.02))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return head
