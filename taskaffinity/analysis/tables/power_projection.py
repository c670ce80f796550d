"""Projected standard error of every gain with more seeds and more test examples.

Like ``power``, projections take the estimated variances as true and keep the ratio of single-task runs to pair runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.statistics.power import (
    drop_last_axis,
    minimum_detectable,
    per_comparison_alpha,
    with_more_seeds,
)
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents, standard_error
from taskaffinity.runs.store import RunStore

PROJECTION_COLUMNS = ("source", "target", "seeds_pair", "n_test", "se_seeds", "se_examples", "se", "mde")


def projection_frame(
    matrix: AffinityMatrix,
    store: RunStore,
    *,
    seeds: Sequence[int] | None = None,
    times_examples: Sequence[float] = (1.0,),
) -> pd.DataFrame:
    """Return one row per arrow, number of seeds and size of the test set: ``PROJECTION_COLUMNS``, in points.

    ``se_seeds`` and ``se_examples`` both have the part that they share, so their squares add to slightly more than that
    of ``se``. ``mde`` is the smallest gain that is significant with a power of 80%, at the level that one more arrow
    must reach besides the significant arrows of the study. Untested arrows have no row. A sequential design is treated
    as a fixed one.

    Parameters
    ----------
    seeds : sequence of int, optional
        Seeds per pair, 2 or more each. Default: the seeds of each arrow.
    times_examples : sequence of float
        Factors by which the test set grows, with examples drawn like the present ones.
    """
    if seeds is not None and min(seeds, default=2) < 2:
        raise ValueError(f"seeds {min(seeds)}: a standard error needs 2 seeds or more")
    evidence = read_arms(matrix.study, store, rule=matrix.rule, test_set=matrix.test_set).evidence
    decided, beside = len(matrix.select("improves", "degrades")) + matrix.beside.significant, matrix.beside.tested
    alpha = per_comparison_alpha(matrix.p, matrix.rule.alpha, decided, matrix.rule.correction, beside)
    rows: list[pd.DataFrame] = []
    for times in times_examples:
        larger = with_more_examples(evidence, times)
        for n_seeds in seeds if seeds is not None else (None,):
            more = np.zeros(()) if n_seeds is None else n_seeds - evidence.n_pair
            later = drop_last_axis(with_more_seeds(larger, np.asarray(more)[..., None]))
            error = standard_error(later, matrix.rule.estimand, matrix.rule.test)
            mde = minimum_detectable(later, alpha, matrix.rule)
            rows += [
                pd.DataFrame(
                    [
                        (
                            matrix.tasks[s],
                            matrix.tasks[t],
                            int(later.n_pair[s, t]),
                            int(matrix.n_test[t] * times),
                            *(POINTS * part[s, t] for part in (error.se_seeds, error.se_examples, error.se)),
                            POINTS * mde[s, t],
                        )
                        for s, t in matrix.arrows
                        if not np.isnan(error.variance[s, t])
                    ],
                    columns=list(PROJECTION_COLUMNS),
                )
            ]
    return pd.concat(rows, ignore_index=True)


def with_more_examples(evidence: VarianceComponents, times: float) -> VarianceComponents:
    """Project the evidence to ``times`` as many test examples; gains and seeds stay the same.

    The interaction of seed and example is part of a score's variance over seeds and shrinks with a larger test set; the
    rest of that variance does not.
    """
    share = 1 / times
    return dataclasses.replace(
        evidence,
        s2_pair=evidence.s2_pair - np.minimum(evidence.i_pair, evidence.s2_pair) * (1 - share),
        s2_single=evidence.s2_single - np.minimum(evidence.i_single, evidence.s2_single) * (1 - share),
        v_examples=evidence.v_examples * share,
        i_pair=evidence.i_pair * share,
        i_single=evidence.i_single * share,
        effective_documents=evidence.effective_documents * times,
    )
