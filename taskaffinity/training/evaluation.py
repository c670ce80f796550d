"""Evaluate a split: predictions, and their counts and score by the task's metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from taskaffinity.runs.result import Predictions
from taskaffinity.tasks.answers import NO_ANSWER, answer_text
from taskaffinity.tasks.kinds import TRAITS
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.secondary_metrics import documents_of, secondary_metrics, tally
from taskaffinity.tasks.splits import Split, is_test
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.prediction import predict_split

Counts = np.ndarray[Any, Any]


class Evaluated(NamedTuple):
    """The predictions of one split, and their counts and score."""

    metric: str
    """The task's metric."""
    score: float
    counts: Counts
    """``(n_examples, n_counts)``, by the task's metric."""
    predictions: Predictions
    secondary: Mapping[str, Counts]
    """Counts by secondary metrics."""
    documents: Mapping[str, npt.NDArray[np.int64]]
    """Metric -> document number of each row of its counts. Only for metrics whose rows share documents."""
    predicted: Sequence[Any] = ()
    """The labels that ``predict`` returns. All other fields follow from them and the split."""


def secondary_of(task: TaskMeta) -> tuple[str, ...]:
    """Return the secondary metrics of a task, as keys of ``METRICS``."""
    may_abstain = TRAITS[task.kind].label == "answers" and NO_ANSWER in task.outputs
    return secondary_metrics(task.kind, task.metric_name, missed_are_known=bool(task.missed), may_abstain=may_abstain)


def evaluate(
    model: MultiTaskModel,
    task: TaskMeta,
    split: Split,
    arrays: EncodedSplit,
    device: str,
    secondary: Sequence[str] = (),
) -> Evaluated:
    """Predict a split and count by the task's metric and by ``secondary`` metrics.

    The predictions of a test set have the probabilities of classes.
    """
    found = predict_split(model, task, arrays, device, with_probabilities=is_test(split))
    return evaluated(task, split, arrays, found.labels, secondary, found.probabilities)


def evaluated(
    task: TaskMeta,
    split: Split,
    arrays: EncodedSplit,
    predicted: Sequence[Any],
    secondary: Sequence[str] = (),
    probabilities: npt.NDArray[np.float32] | None = None,
) -> Evaluated:
    """Count the predictions of a split, one per example.

    Parameters
    ----------
    probabilities : (n_examples, n_classes) array or None
        Probabilities of the classes, which are kept with the predictions.
    """
    missed, (gold, said) = task.missed.get(split, 0), _in_form_of_metric(task, arrays.gold, predicted)

    def counts_by(metric: str) -> Counts:
        return tally(metric, arrays.ids, gold, said, task.scored, missed)

    documents = {
        metric: documents_of(metric, arrays.ids, arrays.documents, missed) for metric in (task.metric_name, *secondary)
    }
    counts = counts_by(task.metric_name)
    return Evaluated(
        metric=task.metric_name,
        score=float(METRICS[task.metric_name].score_examples(counts)),
        counts=counts,
        predictions=Predictions(
            arrays.ids,
            [_as_text(task, g) for g in arrays.gold],
            [_as_text(task, p) for p in predicted],
            () if probabilities is None else task.outputs,
            probabilities,
        ),
        secondary={metric: counts_by(metric) for metric in secondary},
        documents={metric: numbers for metric, numbers in documents.items() if numbers is not None},
        predicted=predicted,
    )


def _in_form_of_metric(
    task: TaskMeta, gold: Sequence[Any], predicted: Sequence[Any]
) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return gold and predicted labels as the metric compares them: answers as texts, others as they are."""
    if TRAITS[task.kind].label != "answers":
        return gold, predicted
    answers = [[answer_text(text, place) for place in places] for text, *places in gold]
    return answers, [answer_text(text, place) for (text, *_), place in zip(gold, predicted, strict=True)]


def _as_text(task: TaskMeta, label: Any) -> str:
    """Return a label as text: tags joined by spaces; multi-label classes, and places of answers, by ``|``."""
    if not isinstance(label, list):
        return str(label)
    form = TRAITS[task.kind].label
    if form == "answers":
        _, *label = label  # the first is the text
    return (" " if form == "tags" else "|").join(label)
