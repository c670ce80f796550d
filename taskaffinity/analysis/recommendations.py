"""What would decide each inconclusive arrow: further seeds, or another recipe where runs collapse."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.statistics.power import PowerAnalysis, describe_power, per_comparison_alpha, power_analysis
from taskaffinity.analysis.statistics.sequential import SequentialState, alpha_spending
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents, Words
from taskaffinity.analysis.statistics.verdicts import Decision
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.study import Study

BEFORE_SEEDS = "a recipe under which no run collapses helps more than seeds"
"""Added to the recommendation of an arrow with a collapsed run."""


def recommend(
    study: Study, rule: Rule, margins: FloatArray, evidence: VarianceComponents, test: Decision
) -> PowerAnalysis:
    """Return the power analysis of a study's arrows.

    A decided arrow needs no seeds, so its entries are NaN.
    """
    is_open = test.verdict == "inconclusive"
    significant = int(np.isin(test.verdict, ("improves", "degrades")).sum()) + test.beside.significant
    equivalent = int((test.verdict == "no effect").sum()) + test.beside.equivalent
    alpha = alpha_spending(study.interim_seeds, rule.alpha)[-1] if study.interim_seeds else rule.alpha
    return power_analysis(
        evidence,
        margins,
        alpha=per_comparison_alpha(test.p, alpha, significant, rule.correction, test.beside.tested),
        alpha_equivalence=per_comparison_alpha(test.p_tost, alpha, equivalent, rule.correction, test.beside.tested),
        rule=rule,
        wanted=is_open,
    )


def describe_recommendations(
    power: PowerAnalysis,
    verdict: Words,
    n_test: npt.NDArray[np.int64],
    has_collapsed: npt.NDArray[np.bool_],
    state: SequentialState | None = None,
) -> Words:
    """Return the phrases of ``describe_power``.

    Where a run collapsed, seeds are not the first thing to add.

    A sequential design adds why it trains no more seeds for the arrow, if it does not.
    """
    words = describe_power(power, verdict, n_test)
    for arrow in zip(*np.nonzero(words != ""), strict=True):
        if has_collapsed[arrow]:
            words[arrow] += f"; {BEFORE_SEEDS}"
        if state is not None and state.n_done:
            words[arrow] += _why_stopped(int(state.n_shown[arrow]), int(state.n_pair[arrow]), state.interim_seeds[-1])
    return words


def _why_stopped(analysed: int, wanted: int, most: int) -> str:
    if analysed == most:
        return f"; all {most} seeds of the design are spent"
    if analysed == wanted:
        return f"; stopped after {analysed} of {most} seeds, because the others would hardly decide it"
    return ""
