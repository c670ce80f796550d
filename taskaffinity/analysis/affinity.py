"""The affinity matrix: the gain of every arrow, its interval and its verdict.

Every array is ``(n_tasks, n_tasks)`` and is read ``[source, target]``; the diagonal is NaN. Gains, intervals and
standard errors are in points (100 times the target's metric). Gains in different metrics cannot be added.

By default the estimand is the *population's* gain: what training with the source changes on average over seeds and
test sets like this one, for this encoder, recipe and data. It is not a property of the two tasks alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taskaffinity.analysis.cautions.collapsed_runs import CollapsedRun
from taskaffinity.analysis.cautions.equal_runs import EqualRuns
from taskaffinity.analysis.cautions.rare_classes import RareClass
from taskaffinity.analysis.estimates.stored import StoredEstimates
from taskaffinity.analysis.statistics.controls import Control
from taskaffinity.analysis.statistics.gain_error import FloatArray, GainError
from taskaffinity.analysis.statistics.sequential import SequentialState
from taskaffinity.analysis.statistics.sequential_simulation import SimulatedRates
from taskaffinity.analysis.statistics.standard_errors import Words
from taskaffinity.analysis.statistics.verdicts import NONE_BESIDE, Beside, Verdict
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.studied_task import Undertrained
from taskaffinity.runs.study import Study

POINTS = 100.0


@dataclass(frozen=True, eq=False)
class AffinityMatrix:
    """Gains, intervals, verdicts and evidence of a study; arrays are ``[source, target]``."""

    study: Study
    rule: Rule
    error: GainError
    """Errors of the gains, in score units."""
    failed: tuple[str, ...]
    """Failed runs, which are left out, each with its reason."""
    controls: tuple[Control, ...]
    """Placebos and positive controls, in score units; no array includes them."""
    sequential: SequentialState | None
    """None for a fixed design. An arrow's entries are those of the interim analysis that decided it, at its level."""
    simulated: SimulatedRates | None
    """Simulated error rates and savings of a finished sequential design."""

    single_mean: FloatArray
    """(n_tasks,), points, mean single-task score over seeds; NaN without a run."""
    runs_single: npt.NDArray[np.int64]
    """(n_tasks,), number of these runs."""
    baseline: FloatArray
    """Points, mean score that the pair is compared with: single-task, or compute-matched."""
    seeds_single: npt.NDArray[np.int64]
    """Finished runs of the baseline."""
    seeds_pair: npt.NDArray[np.int64]
    """Finished runs of the pair that score the target; symmetric, except for runs that were trained elsewhere."""
    n_test: npt.NDArray[np.int64]
    """(n_tasks,), test examples; 0 without a run."""
    n_documents: npt.NDArray[np.int64]
    """(n_tasks,), test documents; ``n_test`` if the examples' documents are unknown."""
    effective_documents: FloatArray
    """(n_tasks,), ``Arm.effective_documents``."""
    collapsed_pair: npt.NDArray[np.int64]
    """Collapsed runs (``collapse``) of the pair, for the target, and of the baseline."""
    collapsed_single: npt.NDArray[np.int64]
    rare_classes: tuple[RareClass, ...]
    """Classes whose few test examples decide macro-F1."""
    collapsed_runs: tuple[CollapsedRun, ...]
    """Every collapsed run, also those of which no gain is made."""
    undertrained: tuple[Undertrained, ...]
    """Tasks that are not trained to their end in single-task runs."""
    equal_runs: tuple[EqualRuns, ...]
    """Tasks with runs that have the results of another run."""
    gpu_models: Mapping[str, int]
    """Runs by model of GPU; empty for a study on CPUs."""

    gain: FloatArray
    """NaN if an arm has no run."""
    gain_trained: FloatArray
    """Gain among the runs that are not collapsed; NaN if an arm has no such run."""
    low: FloatArray
    """Ends of the ``1 - alpha_spent`` interval, adjusted for the number of arrows under ``dunnett`` only. This and
    every later array is NaN where ``untested_reason`` says why."""
    high: FloatArray
    p: FloatArray
    """Two-sided p-value of a gain of zero."""
    q: FloatArray
    """``p`` after the rule's correction for all measured arrows; an arrow with no effect counts as p = 1."""
    p_tost: FloatArray
    """p-value of the equivalence test: the gain is at least the margin in size."""
    q_tost: FloatArray
    df: FloatArray
    se_seeds: FloatArray
    se_examples: FloatArray
    """Known with one seed too."""
    se: FloatArray
    """Standard error over seeds and examples together, behind tests and intervals."""
    mde: FloatArray
    """Minimum detectable effect: the smallest gain that is significant with a power of 80%."""
    seeds_to_significance: FloatArray
    """Further seeds per pair; see ``power.PowerAnalysis``. NaN for a decided arrow."""
    seeds_to_equivalence: FloatArray
    alpha_spent: FloatArray
    """Level that q is compared with: ``rule.alpha``, or the part of it that the deciding interim analysis spends."""
    decided_at_seeds: FloatArray
    """Seeds per pair at the interim analysis that decided the arrow; NaN if none has, and for a fixed design."""
    verdict: Words
    """Empty on the diagonal; "not measured" where a sequential design defers the pair."""
    untested_reason: Words
    """Why an arrow has no test; empty if it has one."""
    recommendation: Words
    """What would decide an inconclusive arrow, in words."""
    pools_seeds: bool
    """Whether the variances over seeds shrink towards values that all arrows share."""
    estimates: StoredEstimates | None = None
    """Estimates of gains, which give no verdict; see ``with_estimates``."""
    estimates_ignored: str = ""
    """Why the estimates of the folder are not used; empty if they are, or if there are none."""
    test_set: str = ""
    """Name of the test set that all gains are measured on; empty for the split ``test``."""
    beside: Beside = NONE_BESIDE
    """Arrows on other test sets, which the correction counts too; none under ``dunnett``."""

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Names in the suite's order, which every array and figure follows."""
        return tuple(card.name for card in self.study.tasks)

    @cached_property
    def titles(self) -> tuple[str, ...]:
        return tuple(card.title for card in self.study.tasks)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Keys of ``METRICS``, one per task."""
        return tuple(card.metric for card in self.study.tasks)

    @cached_property
    def margins(self) -> tuple[float, ...]:
        """Equivalence margins in points, one per task."""
        return tuple(self.rule.margin_of(metric) for metric in self.metrics)

    @property
    def table(self) -> str:
        """Name of the file that has all arrows of the test set."""
        return "test_sets.csv" if self.test_set else "edges.csv"

    @cached_property
    def targets(self) -> tuple[int, ...]:
        """The tasks that have the test set, as places in the suite."""
        cards = enumerate(self.study.tasks)
        return tuple(t for t, card in cards if not self.test_set or self.test_set in card.test_sets)

    @cached_property
    def arrows(self) -> tuple[tuple[int, int], ...]:
        """``(source, target)`` of every arrow, row by row."""
        return tuple((s, t) for s in range(len(self.tasks)) for t in self.targets if s != t)

    def select(self, *verdicts: Verdict) -> tuple[tuple[int, int], ...]:
        """Return the arrows with one of these verdicts."""
        return tuple(arrow for arrow in self.arrows if self.verdict[arrow] in verdicts)
