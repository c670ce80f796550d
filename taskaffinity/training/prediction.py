"""Predict the labels of a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from taskaffinity.tasks.answers import NO_ANSWER
from taskaffinity.tasks.kinds import TRAITS
from taskaffinity.training.inputs.answers import best_answers
from taskaffinity.training.inputs.batches import Batch, batches_of
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray, TaskMeta
from taskaffinity.training.inputs.feed import Feed, row_of
from taskaffinity.training.loop import Diverged
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.outputs import outputs_to_predictions, outputs_to_probabilities
from taskaffinity.training.updates.steps import on_gpu

EVALUATION_TOKENS = {"cpu": 1024, "cuda": 16384}
"""Tokens in a batch of predictions: enough to keep a core busy, few enough for its cache. Larger batches were slower on
a CPU. The GPU value is not measured."""


class Predicted(NamedTuple):
    """The predictions of a split, one per example."""

    labels: list[Any]
    """Each is a score, a class, a list of classes, the tags of a sentence, or the place of an answer (empty: none)."""
    probabilities: npt.NDArray[np.float32] | None
    """Probability of each class, ``(n_examples, n_classes)``. None if not asked for, or for kinds without classes of
    an example."""


def predict(model: MultiTaskModel, task: TaskMeta, split: EncodedSplit, *, device: str = "cpu") -> list[Any]:
    """Return the label of each example; see ``predict_split``."""
    return predict_split(model, task, split, device).labels


@torch.inference_mode()
def predict_split(
    model: MultiTaskModel, task: TaskMeta, split: EncodedSplit, device: str, *, with_probabilities: bool = False
) -> Predicted:
    """Predict each example of a split.

    Raises
    ------
    Diverged
        If an output is infinite or not a number.
    """
    model.eval()
    predicted, probabilities, finite, order = [], [], [], []
    for batch in _evaluated_batches(model, task.name, split, EVALUATION_TOKENS[device]):
        raw = model(batch)
        predicted.append(outputs_to_predictions(task.kind, raw))
        if with_probabilities and (of_batch := outputs_to_probabilities(task.kind, raw)) is not None:
            probabilities.append(of_batch)
        finite.append(torch.isfinite(raw).all())
        order.append(batch.rows)
    found = torch.cat(predicted).cpu().numpy()  # only here the CPU waits for a GPU
    if not bool(torch.stack(finite).all()):  # the last step can break the weights after the last loss
        raise Diverged(f"diverged: outputs for {task.name} are not numbers; try a smaller learning_rate")
    rows = np.concatenate(order)
    by_example = torch.cat(probabilities).cpu().numpy()[np.argsort(rows)] if probabilities else None
    return Predicted(_labels(task, split, found, rows), by_example)


def _labels(task: TaskMeta, split: EncodedSplit, found: np.ndarray[Any, Any], rows: np.ndarray[Any, Any]) -> list[Any]:
    """Return the label of each example, from the predictions of its rows in the order of ``rows``."""
    sizes = np.diff(split.word_bounds)[rows] if split.is_tagging else np.ones_like(rows)
    outputs: list[np.ndarray[Any, Any]] = [np.zeros(0)] * split.n_units
    for row, values in zip(rows, np.split(found, np.cumsum(sizes)[:-1]), strict=True):
        outputs[row] = values
    form = TRAITS[task.kind].label
    if form == "answers":
        return [best.place for best in best_answers(split, outputs, can_abstain=NO_ANSWER in task.outputs)]
    if split.is_tagging:
        return tags_of_sentences(task.outputs, split, outputs)
    values = np.concatenate(outputs)
    if form == "classes":
        return [[label for label, holds in zip(task.outputs, row, strict=True) if holds] for row in values]
    if form != "score":
        return [task.outputs[int(v)] for v in values]
    mean, sd = task.scale or (0.0, 1.0)
    return [float(v) * sd + mean for v in values]


def _evaluated_batches(model: MultiTaskModel, name: str, split: EncodedSplit, max_tokens: int) -> Iterator[Batch]:
    """The mini-batches of a split that is predicted, on the model's device."""
    cuts = [(name, split.rows_of(units)) for units in batches_by_tokens(split.unit_lengths, max_tokens)]
    if not on_gpu(model):
        yield from batches_of(cuts, {name: split})
        return
    feed = Feed({name: split}, next(model.parameters()).device)
    rows = [row_of(name, split, of_batch) for _, of_batch in cuts]
    for row, numbers in zip(rows, feed.upload(rows), strict=True):
        yield feed.batch(row.shape, row.rows, numbers)


def batches_by_tokens(lengths: IntArray, max_tokens: int) -> Iterator[IntArray]:
    """All units in ascending length, in batches of at most ``max_tokens`` tokens or of one unit."""
    order = np.argsort(lengths, kind="stable")
    first, n_tokens = 0, 0
    for i, row in enumerate(order):
        if n_tokens and n_tokens + lengths[row] > max_tokens:
            yield order[first:i]
            first, n_tokens = i, 0
        n_tokens += int(lengths[row])
    if first < len(order):
        yield order[first:]


def tags_of_sentences(
    tags: Sequence[str], split: EncodedSplit, outputs: Sequence[np.ndarray[Any, Any]]
) -> list[list[str]]:
    """Return the tags of each sentence, from the predicted tag numbers of each row's words."""
    sentences = [["O"] * len(gold) for gold in split.gold]
    for row, predicted in enumerate(outputs):
        sentence = sentences[split.examples_of_rows[row]]
        numbers = split.word_numbers[split.word_bounds[row] : split.word_bounds[row + 1]]
        for number, tag in zip(numbers, predicted, strict=True):
            sentence[number] = tags[int(tag)]
    return sentences
