"""Metrics: every score is a function of a sum over examples.

A metric is three functions.

* ``tally(gold, predicted, labels)`` returns counts, ``(n_examples, n_counts)``.
* ``score(counts.sum(axis=-2))`` turns summed counts ``(..., n_counts)`` into scores ``(...)`` in [0, 1]
  (Pearson: [-1, 1]).
* ``items(counts)`` returns how many gold items of each example the score counts, ``(n_examples,)``. An item is an
  example for accuracy and Pearson, and a positive example or a mention for F1.

``Metric.influence`` follows from them: it leaves out one example at a time (the jackknife), or one document if the
examples of a document are not independent. The sum without an example is a difference, so no example is visited twice.

Conventions: ``labels`` are the scored classes; the caller removes a negative class. The unit of every count is an
example. For a tagging task it is a sentence, because the tokens of a sentence are not independent. An undefined score
(no positive example, a constant prediction) is 0, as in scikit-learn with ``zero_division=0``, never NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from taskaffinity.tasks.answers import answer_f1_tally, answered_tally, exact_match_tally
from taskaffinity.tasks.given_score import GIVEN_SCORE as GIVEN_SCORE
from taskaffinity.tasks.given_score import given_tally, no_items
from taskaffinity.tasks.mentions import lenient_mentions, strict_mentions
from taskaffinity.tasks.pearson import Counts as Counts
from taskaffinity.tasks.pearson import centred_moments, pearson_score, pearson_tally


@dataclass(frozen=True)
class Metric:
    """A score computed from per-example counts; the module docstring describes its functions."""

    name: str
    title: str
    """Full name for captions, with the average and the excluded classes."""
    tally: Callable[[Sequence[Any], Sequence[Any], Sequence[str]], Counts]
    score: Callable[[Counts], Counts]
    items: Callable[[Counts], Counts]

    def score_examples(self, counts: Counts) -> Counts:
        """Return scores ``(...)`` of examples ``(..., n_examples, n_counts)``.

        A score is ``score`` of the sum of the counts.

        Moments of Pearson are centred first, because sums of large numbers lose digits. Other counts are whole numbers,
        whose sum is exact in any order. A product with ones adds them several times faster.
        """
        if self.score is pearson_score:
            return self.score(centred_moments(counts).sum(axis=-2))
        return self.score(_ones(counts.shape[-2]) @ counts)

    def influence(self, counts: Counts, documents: npt.NDArray[np.integer[Any]] | None = None) -> Counts:
        """Return how far each example or document moves the score, with mean zero.

        The value of an example is ``(n_examples - 1) (score - score without the example)``, less the mean. The
        standard error of the score is ``std() / sqrt(n)``, with the n values of a run. A document of ``size`` examples
        has the factor ``n_documents (1 - size / n_examples)``, so that a document counts by its size (the
        pseudo-values of Busing et al. 1999). A score that is undefined without the example is 0, as always.

        Parameters
        ----------
        counts : (..., n_examples, n_counts)
        documents : (n_examples,), optional
            Number of each example's document, from 0 without gaps. Default: all examples are independent.

        Returns
        -------
        (..., n_examples) or (..., n_documents)

        Examples
        --------
        >>> METRICS["accuracy"].influence(np.array([[1.0, 1], [1, 1], [0, 1], [0, 1]]))
        array([ 0.5,  0.5, -0.5, -0.5])
        """
        if counts.ndim > 2:
            return np.stack([self.influence(run, documents) for run in counts])
        parts = centred_moments(counts) if self.score is pearson_score else counts
        sizes = np.ones(len(counts))
        if documents is not None:
            sizes = np.bincount(documents).astype(np.float64)
            parts = np.stack([np.bincount(documents, weights=column) for column in parts.T], axis=1)
        total = parts.sum(axis=0)
        moved = len(sizes) * (1 - sizes / len(counts)) * (self.score(total) - self.score(total - parts))
        return np.asarray(moved - moved.mean())


@lru_cache(maxsize=1024)
def _ones(n: int) -> Counts:
    return np.ones(n)


def every_example(counts: Counts) -> Counts:
    """Return one item per example, ``(n_examples,)``."""
    return np.ones(len(counts))


def gold_positives(counts: Counts) -> Counts:
    """Return the number of gold items of the scored classes, ``tp + fn``."""
    return np.asarray(_by_class(counts)[..., [0, 2]].sum(axis=(-1, -2)))


def accuracy_tally(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> Counts:
    """Return ``(n_examples, 2)`` counts: correct (0 or 1), and 1."""
    right = np.array([g == p for g, p in zip(gold, predicted, strict=True)], dtype=np.float64)
    return np.stack([right, np.ones_like(right)], axis=1)


def accuracy_score(sums: Counts) -> Counts:
    """Return the share of correct predictions, the mean F1 of answers, or the given score."""
    return _ratio(sums[..., 0], sums[..., 1])


def micro_f1_tally(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> Counts:
    """Return ``(n_examples, 3)`` counts: tp, fp, fn over the scored classes together."""
    counted = set(labels)
    counts = np.zeros((len(gold), 3))
    for row, (g, p) in enumerate(zip(gold, predicted, strict=True)):
        counts[row, 0] = g == p and g in counted
        counts[row, 1] = g != p and p in counted
        counts[row, 2] = g != p and g in counted
    return counts


def micro_f1_score(sums: Counts) -> Counts:
    """``2 tp / (2 tp + fp + fn)``; 0 if nothing is positive."""
    return _ratio(2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2])


def macro_f1_tally(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> Counts:
    """Return ``(n_examples, 3 n_classes)`` counts: tp, fp, fn of each scored class.
    An example has one class, or a sequence of classes.
    """
    tally = micro_f1_tally if all(isinstance(label, str) for label in gold) else document_f1_tally
    blocks = [tally(gold, predicted, [label]) for label in labels]
    return np.concatenate(blocks, axis=1)


def macro_f1_score(sums: Counts) -> Counts:
    """Return the mean F1 of the classes; a class without positives counts as 0."""
    return np.asarray(micro_f1_score(_by_class(sums)).mean(axis=-1))


def document_f1_tally(
    gold: Sequence[str | Sequence[str]], predicted: Sequence[str | Sequence[str]], labels: Sequence[str]
) -> Counts:
    """Return ``(n_rows, 3)`` counts: tp, fp, fn over the scored classes together.

    A row may have several classes, or none. For ``multilabel_f1`` a row is an example. For ``document_f1`` it is a pair
    of mentions; a relation without an example is a pair without a prediction. ``secondary_metrics.by_pair`` builds
    these pairs from a task's examples.
    """
    counted = set(labels)
    counts = np.zeros((len(gold), 3))
    for row, sides in enumerate(zip(gold, predicted, strict=True)):
        g, p = (counted & ({side} if isinstance(side, str) else set(side)) for side in sides)
        counts[row] = len(g & p), len(p - g), len(g - p)
    return counts


def span_f1_tally(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], labels: Sequence[str]) -> Counts:
    """Return ``(n_sentences, 3)`` counts: tp, fp, fn of mentions.

    A predicted mention is correct if its type and both boundaries are. A mention is ``B-x`` followed by any number of
    ``I-x``. An ``I-x`` after anything else is no mention (strict IOB2 of seqeval).
    """
    return _mention_tally(gold, predicted, labels, strict_mentions)


def conlleval_tally(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], labels: Sequence[str]) -> Counts:
    """As ``span_f1_tally``, with the mentions of ``conlleval``.

    An ``I`` after no mention of its type begins a mention.
    """
    return _mention_tally(gold, predicted, labels, lenient_mentions)


def _mention_tally(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    labels: Sequence[str],
    mentions_of: Callable[[Sequence[str]], list[tuple[str, int, int]]],
) -> Counts:
    counted = set(labels)
    counts = np.zeros((len(gold), 3))
    for row, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted, strict=True)):
        if len(gold_tags) != len(predicted_tags):
            raise ValueError(f"sentence {row}: {len(gold_tags)} gold tags, {len(predicted_tags)} predicted")
        g = {mention for mention in mentions_of(gold_tags) if mention[0] in counted}
        p = {mention for mention in mentions_of(predicted_tags) if mention[0] in counted}
        counts[row] = len(g & p), len(p - g), len(g - p)
    return counts


def _by_class(counts: Counts) -> Counts:
    return counts.reshape(*counts.shape[:-1], counts.shape[-1] // 3, 3)


def _ratio(top: Counts, bottom: Counts) -> Counts:
    bottom = np.asarray(bottom, dtype=np.float64)
    if not bottom.ndim:
        return np.asarray(top / bottom if bottom > 0 else 0.0)
    return np.asarray(np.divide(top, bottom, out=np.zeros_like(bottom), where=bottom > 0))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", accuracy_tally, accuracy_score, every_example),
        Metric(
            "exact_match",
            "exact match of answers",
            exact_match_tally,
            accuracy_score,
            every_example,
        ),
        Metric("answer_f1", "word F1 of answers", answer_f1_tally, accuracy_score, every_example),
        Metric("answered", "F1 of finding whether there is an answer", answered_tally, micro_f1_score, gold_positives),
        Metric("pearson", "Pearson's r", pearson_tally, pearson_score, every_example),
        Metric(
            "micro_f1",
            "micro-F1 without the negative class",
            micro_f1_tally,
            micro_f1_score,
            gold_positives,
        ),
        Metric(
            "macro_f1",
            "macro-F1 without the negative class",
            macro_f1_tally,
            macro_f1_score,
            gold_positives,
        ),
        Metric(
            "document_f1",
            "micro-F1 of documents' relations, those without a text missed",
            document_f1_tally,
            micro_f1_score,
            gold_positives,
        ),
        Metric(
            "multilabel_f1",
            "micro-F1 over all labels",
            document_f1_tally,
            micro_f1_score,
            gold_positives,
        ),
        Metric("span_f1", "span F1, strict", span_f1_tally, micro_f1_score, gold_positives),
        Metric(
            "span_f1_conlleval",
            "span F1 as conlleval reads tags",
            conlleval_tally,
            micro_f1_score,
            gold_positives,
        ),
        Metric(GIVEN_SCORE, "score as given", given_tally, accuracy_score, no_items),
    )
}
