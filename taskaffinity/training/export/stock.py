"""The stock model of transformers for each kind of task and architecture, and where its head has our layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from transformers import (
    AutoModelForMultipleChoice,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from taskaffinity.tasks.kinds import Kind

_Problem = Literal["regression", "multi_label_classification", "single_label_classification"]
Layers = Mapping[str, Mapping[str, str]]
"""Architecture -> layer of the stock head -> its name in the head of ``training.heads``."""

_ROBERTA = {"classifier.dense": "dense", "classifier.out_proj": "output"}
_ROBERTA_CHOICE = {"base_model.pooler.dense": "dense", "classifier": "output"}
_MODERNBERT = {"head.dense": "before.dense", "head.norm": "before.norm", "classifier": "output"}
_CLASSIFIERS: Layers = {
    "bert": {"classifier": "output"},
    "electra": _ROBERTA,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "deberta-v2": {"pooler.dense": "dense", "classifier": "output"},
    "distilbert": {"pre_classifier": "dense", "classifier": "output"},
    "modernbert": _MODERNBERT,
}
"""BERT's dense layer is its pooler."""
_CHOICES: Layers = {
    **_CLASSIFIERS,
    "electra": {"sequence_summary.summary": "dense", "classifier": "output"},
    "roberta": _ROBERTA_CHOICE,
    "xlm-roberta": _ROBERTA_CHOICE,
    "camembert": _ROBERTA_CHOICE,
}


def _of_tokens(output: str) -> Layers:
    """Return the layers of heads of tokens, whose output layer has this name in most architectures."""
    return {architecture: {output: "output"} for architecture in _CLASSIFIERS} | {"modernbert": _MODERNBERT}


@dataclass(frozen=True)
class Stock:
    """The stock model of a kind of task."""

    auto: Any
    """Its class of transformers."""
    pipeline: str
    """Its pipeline, as model hubs name it."""
    takes: str
    """What it takes and returns, for the model card."""
    layers: Layers = field(default_factory=lambda: _CLASSIFIERS)
    problem: _Problem | None = None
    """``problem_type`` of its configuration."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Other settings of its configuration."""

    @property
    def all_settings(self) -> Mapping[str, object]:
        """Settings of its configuration, where the architecture has them: heads of sentences read the first token."""
        return {"classifier_pooling": "cls", **self.settings}


_ONE_LABEL: _Problem = "single_label_classification"
_SENTENCES = (AutoModelForSequenceClassification, "text-classification")
STOCK: dict[Kind, Stock] = {
    "similarity": Stock(*_SENTENCES, "two texts (`text`, `text_pair`) and returns a score", problem="regression"),
    "regression": Stock(*_SENTENCES, "a text and returns a score", problem="regression"),
    "inference": Stock(*_SENTENCES, "two texts (`text`, `text_pair`) and returns a class", problem=_ONE_LABEL),
    "relation": Stock(
        *_SENTENCES,
        "a text whose two arguments are masked as in the training data, and returns a class",
        problem=_ONE_LABEL,
    ),
    "classification": Stock(*_SENTENCES, "a text and returns a class", problem=_ONE_LABEL),
    "multilabel": Stock(*_SENTENCES, "a text and returns any number of classes", problem="multi_label_classification"),
    "choice": Stock(
        AutoModelForMultipleChoice,
        "multiple-choice",
        "a text (and perhaps a second, a question) with any number of options, and returns the best option",
        _CHOICES,
        settings={"summary_type": "first", "summary_use_proj": True, "summary_activation": "gelu"},
    ),
    "spans": Stock(
        AutoModelForQuestionAnswering,
        "question-answering",
        "a question (`text`) and a text (`text_pair`), and returns the part of the text that answers the question",
        _of_tokens("qa_outputs"),
    ),
    "ner": Stock(
        AutoModelForTokenClassification,
        "token-classification",
        "a sentence and returns mentions",
        _of_tokens("classifier"),
    ),
}
