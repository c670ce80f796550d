"""A task's tokens as flat arrays.

A *row* is one input sequence of the encoder; an *example* is one scored item. Each example is one row, with three
exceptions: a long tagged sentence has several rows (``sentence_rows.py``), each window of a task that is read in
windows is a row, and so is each option of choice. Mini-batches draw *units*: a row of tagging or spans, otherwise an
example with all its rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict

from taskaffinity.errors import STRICT, InputError
from taskaffinity.runs.stored.json_files import parse_model
from taskaffinity.tasks.kinds import TAG_KINDS, TRAITS
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.reading import DEFAULT, Reading
from taskaffinity.tasks.task import SCORE_KINDS, Kind, Split, Task

IntArray = npt.NDArray[np.int64]

TOKEN_CLASSES = ("X", "CLS", "SEP")
"""Classes of the released code for tokens that begin no word: they continue a word, or are the first or last token."""


class Scale(NamedTuple):
    """Mean and SD of a task's scores in its training examples, in the unit of the data."""

    mean: float
    sd: float

    @classmethod
    def of(cls, scores: Sequence[float]) -> Scale:
        """Return the scale of these scores; the SD is 1 if all are equal."""
        values = np.asarray(scores, dtype=np.float64)
        if values.min() == values.max():  # rounding may give equal scores an SD of 1e-17
            return cls(float(values[0]), 1.0)
        return cls(float(values.mean()), float(values.std()) or 1.0)


@dataclass(frozen=True)
class TaskMeta:
    """The properties of a task that training needs, without its arrays."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    kind: Kind
    outputs: tuple[str, ...]
    """Classes, or tags (``O``, ``B-x``, ``I-x``, ...), in the order of the head's outputs; letters of the options of
    choice; empty for similarity."""
    scored: tuple[str, ...]
    """The labels that the metric counts."""
    metric_name: str
    missed: Mapping[Split, int] = field(default_factory=dict)
    """Split -> number of gold relations without an example; empty if unknown."""
    token_classes: tuple[str, ...] = ()
    """Classes that follow ``outputs`` in the training loss only (``TOKEN_CLASSES``); empty by default."""
    scale: Scale | None = None
    """Scale that turns outputs into scores, if they were learned on standardised scores. None: outputs are scores."""
    reading: Reading = DEFAULT
    """How texts that are longer than an input are read."""
    test_sets: tuple[str, ...] = ()
    """Names of further test sets."""

    @property
    def n_options(self) -> int:
        """The most options of an example of choice; 0 for other kinds."""
        return len(self.outputs) if TRAITS[self.kind].label == "option" else 0

    @property
    def negative(self) -> str | None:
        """The class that is trained but not scored; None if there is none."""
        if self.kind in TAG_KINDS:
            return None
        return next((label for label in self.outputs if label not in self.scored), None)


@dataclass(frozen=True)
class EncodedSplit:
    """One split of one task, as flat arrays (memory-mapped from the cache)."""

    ids: Sequence[str]  # (n_examples,)
    gold: Sequence[Any]  # (n_examples,) labels in the metric's form; of spans the text, then the places of its answers
    documents: Sequence[str]  # (n_examples,) hashes of document names; empty strings if unknown
    tokens: npt.NDArray[np.int32]  # (T,)
    token_types: npt.NDArray[np.int8]  # (T,)
    bounds: IntArray  # (n_rows + 1,) row i has the tokens bounds[i]:bounds[i + 1]
    examples_of_rows: IntArray  # (n_rows,) number of each row's example
    targets: npt.NDArray[Any]
    """(n_examples,) scores or classes; (n_examples, C) 0 or 1 for multilabel; (n_words,) of words for ner and spans."""
    word_positions: npt.NDArray[np.int32]  # (n_words,) position of each word's first token in its row
    word_numbers: npt.NDArray[Any]  # (n_words,) number of each word in its sentence; for spans ``packed_characters``
    word_bounds: IntArray  # (n_rows + 1,) row i has the words word_bounds[i]:word_bounds[i + 1]
    is_tagging: bool
    """Whether the head reads several tokens of a row, each with a target: for ner and spans."""
    n_options: int = 0
    """For choice, the most options of an example; its rows are its options. 0: an example's rows are windows."""

    @property
    def n_rows(self) -> int:
        return len(self.bounds) - 1

    @property
    def n_examples(self) -> int:
        return len(self.ids)

    @property
    def n_units(self) -> int:
        return self.n_rows if self.is_tagging else self.n_examples

    @cached_property
    def unit_bounds(self) -> IntArray:
        """Unit i has the rows ``unit_bounds[i]:unit_bounds[i + 1]``, (n_units + 1,)."""
        if self.n_units == self.n_rows:
            return np.arange(self.n_rows + 1)
        return np.searchsorted(self.examples_of_rows, np.arange(self.n_examples + 1))

    @property
    def unit_lengths(self) -> IntArray:
        """Number of tokens of each unit, (n_units,)."""
        return np.diff(self.bounds[self.unit_bounds])

    def rows_of(self, units: IntArray) -> IntArray:
        """Return the rows of units, in their order."""
        if self.n_units == self.n_rows:
            return units
        return ranges(self.unit_bounds[units], np.diff(self.unit_bounds)[units])

    def n_pooled(self, rows: IntArray) -> int:
        """Return the number of examples of these rows; 0 if each row is a unit."""
        if self.n_units == self.n_rows:
            return 0
        n = len(np.unique(self.examples_of_rows[rows]))
        return n if n < len(rows) else 0

    def sample(self, n: int | None, seed: int) -> EncodedSplit:
        """Return a random sample of ``n`` examples with all their rows, in the original order.

        It is the whole split if ``n`` is None or the split has no more than ``n`` examples.
        """
        if n is None or n >= self.n_examples:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(self.n_examples, n, replace=False)))

    def downsample_negatives(self, negative: str, ratio: float, seed: int) -> EncodedSplit:
        """Keep all positive examples and a random sample of the negative ones.

        Parameters
        ----------
        negative : str
            The negative class.
        ratio : float
            The largest number of negative examples per positive example. At least one negative example stays.
        """
        is_negative = np.array([label == negative for label in self.gold])
        negatives, others = np.flatnonzero(is_negative), np.flatnonzero(~is_negative)
        n = min(len(negatives), max(1, round(ratio * len(others))))
        sample = np.random.default_rng(seed).choice(negatives, n, replace=False) if len(negatives) else negatives
        return self.take(np.sort(np.concatenate([others, sample])))

    def label_every_token(self, n_tags: int) -> EncodedSplit:
        """Return tagged sentences in which every token has a target, as in the released code.

        The first token of a word keeps its tag. All other tokens have the classes ``TOKEN_CLASSES``.

        Parameters
        ----------
        n_tags : int
            Number of tags; the other classes follow them.
        """
        continuation, first, last = range(n_tags, n_tags + len(TOKEN_CLASSES))
        starts = self.bounds[:-1]
        targets = np.full(len(self.tokens), continuation, dtype=np.int64)
        targets[starts], targets[self.bounds[1:] - 1] = first, last
        targets[np.repeat(starts, np.diff(self.word_bounds)) + self.word_positions] = self.targets
        positions = (np.arange(len(self.tokens)) - np.repeat(starts, np.diff(self.bounds))).astype(np.int32)
        return replace(self, targets=targets, word_positions=positions, word_numbers=positions, word_bounds=self.bounds)

    def split_half(self, seed: int) -> tuple[EncodedSplit, EncodedSplit]:
        """Return two random halves of the examples; the first has one more if the number is odd.

        Raises
        ------
        InputError
            If there are fewer than two examples.
        """
        if self.n_examples < 2:
            raise InputError(
                f"{self.n_examples} training example(s); a positive control splits them in two, so it needs at least 2"
            )
        order = np.random.default_rng(seed).permutation(self.n_examples)
        middle = (self.n_examples + 1) // 2
        return self.take(np.sort(order[:middle])), self.take(np.sort(order[middle:]))

    def standardize(self, scale: Scale) -> EncodedSplit:
        """Return the split with standardised targets; ``gold`` keeps the unit of the data.

        Targets are computed from ``gold`` in double precision, so that scores in another unit give the same targets.
        """
        targets = (np.asarray(self.gold, dtype=np.float64) - scale.mean) / scale.sd
        return replace(self, targets=targets.astype(np.float32))

    def take(self, chosen: IntArray) -> EncodedSplit:
        """Return the examples with these numbers, in ascending order, with all their rows."""
        rows = np.flatnonzero(np.isin(self.examples_of_rows, chosen))
        tokens = ranges(self.bounds[rows], np.diff(self.bounds)[rows])
        words = ranges(self.word_bounds[rows], np.diff(self.word_bounds)[rows])
        return EncodedSplit(
            ids=[self.ids[i] for i in chosen],
            gold=[self.gold[i] for i in chosen],
            documents=[self.documents[i] for i in chosen],
            tokens=self.tokens[tokens],
            token_types=self.token_types[tokens],
            bounds=bounds_of(np.diff(self.bounds)[rows]),
            examples_of_rows=np.searchsorted(chosen, self.examples_of_rows[rows]),
            targets=self.targets[words] if self.is_tagging else self.targets[chosen],
            word_positions=self.word_positions[words],
            word_numbers=self.word_numbers[words],
            word_bounds=bounds_of(np.diff(self.word_bounds)[rows]),
            is_tagging=self.is_tagging,
            n_options=self.n_options,
        )


def task_meta(task: Task) -> TaskMeta:
    """Return the properties of a task that training needs."""
    outputs = task.labels
    if task.kind in TAG_KINDS:
        outputs = ("O", *(f"{prefix}-{label}" for label in task.labels for prefix in "BI"))
    return TaskMeta(
        *(task.name, task.kind, outputs, task.scored, task.metric_name, dict(task.missed)),
        reading=task.reading,
        test_sets=task.test_sets,
    )


def meta_of(content: Mapping[str, Any]) -> TaskMeta:
    """Rebuild a ``TaskMeta`` from its JSON object, or raise ``ValueError`` in one line."""
    meta: TaskMeta = parse_model(json.dumps(content), TaskMeta)
    if meta.metric_name not in METRICS or bool(meta.outputs) == (meta.kind in SCORE_KINDS):
        raise ValueError("metric or outputs of another kind of task")
    if meta.scale is not None and not (np.isfinite(meta.scale).all() and meta.scale.sd > 0):
        raise ValueError("a scale that is none")
    return meta


def bounds_of(lengths: Sequence[int] | IntArray) -> IntArray:
    """Return the bounds of consecutive parts with these lengths, ``(n + 1,)``, from 0 to the sum."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """Return the ranges ``s, ..., s + n - 1`` of all starts and lengths, concatenated."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + np.repeat(starts - (ends - lengths), lengths))
