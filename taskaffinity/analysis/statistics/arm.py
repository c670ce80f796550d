"""An arm: the runs of a task under one condition, reduced to what a standard error needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taskaffinity.analysis.statistics.collapse import predicts_nothing
from taskaffinity.analysis.statistics.documents import effective_number, unit_of
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.tasks.metrics import GIVEN_SCORE, Metric


@dataclass(frozen=True, eq=False)
class Arm:
    """The runs of one task under one condition: single-task, or with one partner."""

    scores: FloatArray
    """(n_runs,)"""
    influence: FloatArray
    """(n_runs, n_documents), influence of each document on the run's score; mean zero within a run. An example whose
    document is unknown is a document by itself."""
    spread: FloatArray
    """(n_runs,), variance of one example's influence."""
    counting: npt.NDArray[np.bool_]
    """(n_runs, n_examples), whether the example has any count in the run: F1 ignores some sentences."""
    document_sizes: FloatArray
    """(n_documents,), gold items of each document (``Metric.items``)."""
    constant: npt.NDArray[np.bool_]
    """(n_runs,), whether the run predicts one class, no mention, or one value (``collapse.predicts_nothing``)."""
    step: float | None = None
    """Smallest difference of two scores of the task if no example is known, only scores; 0 if all are equal."""

    @classmethod
    def from_counts(cls, counts: FloatArray, metric: Metric, documents: npt.NDArray[np.int64] | None = None) -> Arm:
        """Reduce the counts of runs to what a standard error needs.

        Parameters
        ----------
        counts : (n_runs, n_examples, n_counts)
        metric : Metric
        documents : (n_examples,), optional
            Number of each example's document, from 0. Default: all examples are independent.
        """
        scores = np.asarray(metric.score_examples(counts), dtype=np.float64)
        influence = metric.influence(counts)
        spread = influence.var(axis=1)
        sizes = metric.items(counts[0])  # gold, so all runs have the same
        if documents is not None:
            influence = metric.influence(counts, documents)
            sizes = np.bincount(documents, weights=sizes).astype(np.float64)
        constant = np.array([predicts_nothing(run, metric) for run in counts])
        counting = np.logical_or.reduce([counts[..., column] != 0 for column in range(counts.shape[2])])
        step = float(counts[0, 0, 2]) if metric.name == GIVEN_SCORE else None
        return cls(scores, influence, spread, counting, sizes, constant, step)

    def of_runs(self, places: Sequence[int]) -> Arm:
        """Return the arm with the runs at these places only."""
        at = list(places)
        return replace(
            self,
            scores=self.scores[at],
            influence=self.influence[at],
            spread=self.spread[at],
            counting=self.counting[at],
            constant=self.constant[at],
        )

    @cached_property
    def counted(self) -> int:
        """Test examples that can change the score."""
        return int(self.counting.any(axis=0).sum())

    @cached_property
    def mean_score(self) -> float:
        """Mean over the runs."""
        return float(self.scores.mean())

    @cached_property
    def learned_nothing(self) -> bool:
        """Whether every run scores 0 or predicts one class."""
        return bool((self.constant | (self.scores == 0)).all())

    @property
    def n_runs(self) -> int:
        return len(self.scores)

    @property
    def n_examples(self) -> int:
        """Test examples; 0 if only scores are known."""
        if self.step is not None:
            return 0
        return int(self.counting.shape[1])

    @property
    def n_documents(self) -> int:
        return int(self.influence.shape[1])

    @cached_property
    def effective_documents(self) -> float:
        """``effective_number`` of the documents."""
        return effective_number(self.document_sizes)

    @property
    def unit_of_documents(self) -> str:
        """``document``, or ``example`` if every example is a document by itself."""
        return unit_of(self.n_documents, self.n_examples)

    @cached_property
    def mean_influence(self) -> FloatArray:
        """(n_documents,), mean over the runs."""
        return np.asarray(self.influence.mean(axis=0))

    @cached_property
    def s2(self) -> float:
        """Variance of a run's score over seeds; NaN with one run.

        The lower bound is the variance of one example that changes sides, one over the squared number of counted
        examples: seeds that agree by chance do not prove that seeds have no effect. If only scores are known, it is
        that of a score that moves by the smallest difference of two scores of the task.
        """
        if self.n_runs < 2 or not self.counted or self.step == 0:
            return math.nan
        if self.step is not None:
            return max(float(self.scores.var(ddof=1)), self.step**2)
        return max(float(self.scores.var(ddof=1)), 1.0 / self.counted**2)

    @cached_property
    def unit(self) -> float:
        """Variance of one example's influence within a run, the unit in which seed variances are compared.

        For accuracy it is p (1 - p), so a score near its ceiling is expected to vary less. The lower bound is one
        example's share. It is 1 if only scores are known.
        """
        return max(float(self.spread.mean()), 1.0 / max(1, self.counted))

    @cached_property
    def interaction(self) -> float:
        """Variance of the run x document residual; NaN with one run or one document."""
        freedom = (self.n_runs - 1) * (self.n_documents - 1)
        # An influence has mean zero within its run, so subtracting the document's mean gives the residual.
        return float(((self.influence - self.mean_influence) ** 2).sum() / freedom) if freedom else math.nan
