"""How the error of every gain would shrink with more seeds and with more test examples.

Projections take the variances found so far for true, as those of ``needs`` do, and keep the proportion of single runs
to pair runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix, margins_of
from taskaffinity.analysis.statistics.arms import read_arms
from taskaffinity.analysis.statistics.power import drop_last_axis, per_comparison_alpha, power_analysis, with_more_seeds
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents, standard_error
from taskaffinity.runs.store import RunStore

PROSPECTS_COLUMNS = ("source", "target", "seeds_pair", "n_test", "se_seeds", "se_examples", "se", "mde")


def prospects_frame(
    matrix: AffinityMatrix,
    store: RunStore,
    *,
    seeds: Sequence[int] | None = None,
    times_examples: Sequence[float] = (1.0,),
) -> pd.DataFrame:
    """One row an arrow, a number of seeds and a size of test set: ``PROSPECTS_COLUMNS``, in points.

    ``se_seeds`` and ``se_examples`` hold the part that both share, so that their squares add to a little more than
    that of ``se``. ``mde`` is the smallest gain that would be called with a chance of 80 %, at the level that
    one more arrow must reach beside those that the study has coloured. Arrows that could not be tested have no row. Of
    a race: as if its seeds had been fixed beforehand.

    Parameters
    ----------
    seeds : sequence of int, optional
        Seeds a pair, 2 or more each. Default: as many as each arrow has.
    times_examples : sequence of float
        How many times as many test examples as there are, drawn like them.
    """
    if seeds is not None and min(seeds, default=2) < 2:
        raise ValueError(f"seeds {min(seeds)}: an error needs two seeds or more")
    evidence = read_arms(matrix.study, store).evidence
    decided = len(matrix.select("improves", "degrades"))
    alpha = per_comparison_alpha(matrix.p, matrix.rule.alpha, decided, matrix.rule.correction)
    margins = margins_of(matrix.study, matrix.rule)
    rows: list[pd.DataFrame] = []
    for times in times_examples:
        larger = with_more_examples(evidence, times)
        for wanted in seeds if seeds is not None else (None,):
            more = np.zeros(()) if wanted is None else wanted - evidence.n_pair
            later = drop_last_axis(with_more_seeds(larger, np.asarray(more)[..., None]))
            error = standard_error(later, matrix.rule.estimand)
            found = power_analysis(
                later, margins, alpha=alpha, alpha_equivalence=matrix.rule.alpha, estimand=matrix.rule.estimand
            )
            rows += [
                pd.DataFrame(
                    [
                        (
                            matrix.tasks[s],
                            matrix.tasks[t],
                            int(later.n_pair[s, t]),
                            int(matrix.n_test[t] * times),
                            *(POINTS * part[s, t] for part in (error.se_seeds, error.se_examples, error.se)),
                            POINTS * found.mde[s, t],
                        )
                        for s, t in matrix.arrows
                        if not np.isnan(error.variance[s, t])
                    ],
                    columns=list(PROSPECTS_COLUMNS),
                )
            ]
    return pd.concat(rows, ignore_index=True)


def with_more_examples(evidence: VarianceComponents, times: float) -> VarianceComponents:
    """The evidence as it would be with ``times`` as many test examples; gains, seeds and what seeds do stay.

    What one run adds by itself on its examples (seed x example) is part of a score's variance over seeds, and shrinks
    with the test set; the rest of that variance does not.
    """
    share = 1 / times
    return dataclasses.replace(
        evidence,
        s2_pair=np.maximum(evidence.s2_pair - evidence.i_pair, 0) + evidence.i_pair * share,
        s2_single=np.maximum(evidence.s2_single - evidence.i_single, 0) + evidence.i_single * share,
        v_examples=evidence.v_examples * share,
        i_pair=evidence.i_pair * share,
        i_single=evidence.i_single * share,
        n_documents=evidence.n_documents * times,
    )
