"""The gain of one arrow from counts, without the other arms of a study."""

from __future__ import annotations

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.gain_error import FloatArray, GainError
from taskaffinity.analysis.statistics.standard_errors import standard_error, variance_components
from taskaffinity.runs.rule import Estimand, Test
from taskaffinity.tasks.metrics import Metric


def gain_error(
    pair: FloatArray,
    single: FloatArray,
    metric: Metric,
    estimand: Estimand = "population",
    test: Test = "behrens-fisher",
) -> GainError:
    """Return one arrow's gain in score units, without moderated variances.

    Parameters
    ----------
    pair, single : (n_runs, n_examples, n_counts)
        Counts of one target in the two arms, on the same test examples in the same order. The numbers of runs may
        differ.
    metric : Metric
    """
    arms = Arm.from_counts(pair, metric), Arm.from_counts(single, metric)
    return standard_error(variance_components(*arms, estimand=estimand), estimand, test)
