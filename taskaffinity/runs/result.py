"""The result of a run.

Counts and predictions refer to example ids. A result holds no text of a corpus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field

from taskaffinity.errors import STRICT
from taskaffinity.runs.limits import MOST_EPOCHS
from taskaffinity.runs.spec import RunSpec, TaskName
from taskaffinity.runs.stored.json_files import FiniteScore


@dataclass(frozen=True)
class Outcome:
    """The selected epoch of one task of a run, and its scores."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    metric: str
    epoch: Annotated[int, Field(ge=0, le=MOST_EPOCHS)]
    """Selected epoch, from 1: the one with the best dev score of this task. 0 for an external run."""
    dev: FiniteScore | None
    """Dev score at that epoch in [0, 1] (Pearson: [-1, 1]). ``test`` is scored once, at the same epoch. None for an
    external run."""
    test: FiniteScore
    test_sets: Mapping[TaskName, FiniteScore] = field(default_factory=dict)
    """Name of a further test set -> score on it, at the same epoch."""

    @property
    def dev_score(self) -> float:
        """``dev`` of a run that this tool trained."""
        if self.dev is None:
            raise ValueError("an external run has no dev score")
        return self.dev


@dataclass(frozen=True)
class Predictions:
    """Gold and predicted labels of one task and split, in the order of the counts."""

    ids: Sequence[str]
    gold: Sequence[str]
    predicted: Sequence[str]
    """Labels as strings; the tags of a sentence are joined by spaces."""
    classes: Sequence[str] = ()
    """The classes of the columns of ``probabilities``, in their order."""
    probabilities: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    """``(n_examples, n_classes)``; None on dev, and for kinds without classes of an example."""


@dataclass(frozen=True)
class Head:
    """The output layer of one task in a trained model."""

    weights: Mapping[str, npt.NDArray[Any]]
    about: Mapping[str, str]
    """Facts for prediction besides the weights: kind, outputs, path of the encoder."""


@dataclass(frozen=True)
class RunResult:
    """One finished run."""

    spec: RunSpec
    outcomes: Mapping[str, Outcome]
    """By task name."""
    counts: Mapping[str, npt.NDArray[np.float64]]
    """``"mednli/test"`` -> (n_examples, n_counts): the columns of the official metric at the selected epoch. For test
    also those of secondary metrics: ``"mednli/test/macro_f1"``. Further test sets are splits such as ``test@notes``."""
    history: Sequence[Mapping[str, Any]] = ()
    """One row per epoch: epoch, loss and dev score by task, seconds."""
    work: Mapping[str, float] = field(default_factory=dict)
    """``load_seconds``, ``train_seconds``, ``evaluate_seconds``, ``total_seconds``, ``steps``, ``pieces`` (tokens
    trained on), ``peak_memory_mib`` (of the process so far, or of the GPU)."""
    versions: Mapping[str, str] = field(default_factory=dict)
    predictions: Mapping[str, Predictions] = field(default_factory=dict)
    """Keys as in ``counts``; empty if predictions are not stored."""
    weights: Mapping[int, Mapping[str, npt.NDArray[Any]]] = field(default_factory=dict)
    """Selected epoch -> weights of the encoder. Empty if no run starts from this one and no model is stored."""
    heads: Mapping[str, Head] = field(default_factory=dict)
    """The head of each task after its selected epoch; empty if no model is stored."""
    documents: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    """Keys as in ``counts`` -> (n_examples,): the document number of each row. Only for keys whose rows share
    documents."""
