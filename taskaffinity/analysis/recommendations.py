"""What would decide each inconclusive arrow: further seeds, or another recipe where runs collapse."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.statistics.power import PowerAnalysis, describe_power, per_comparison_alpha, power_analysis
from taskaffinity.analysis.statistics.sequential import alpha_spending
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents, Words
from taskaffinity.analysis.statistics.verdicts import Decision
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.study import Study

BEFORE_SEEDS = "a recipe under which no run collapses helps more than seeds"
"""Added to the recommendation of an arrow with a collapsed run."""


def recommend(
    study: Study, rule: Rule, margins: FloatArray, evidence: VarianceComponents, test: Decision
) -> PowerAnalysis:
    """Return the power analysis of a study's arrows; decided arrows need no seeds, so theirs are NaN."""
    is_open = test.verdict == "inconclusive"
    significant = int(np.isin(test.verdict, ("improves", "degrades")).sum())
    equivalent = int((test.verdict == "no effect").sum())
    alpha = alpha_spending(study.interim_seeds, rule.alpha)[-1] if study.interim_seeds else rule.alpha
    return power_analysis(
        evidence,
        margins,
        alpha=per_comparison_alpha(test.p, alpha, significant, rule.correction),
        alpha_equivalence=per_comparison_alpha(test.p_tost, alpha, equivalent, rule.correction),
        rule=rule,
        wanted=is_open,
    )


def describe_recommendations(
    power: PowerAnalysis, verdict: Words, n_test: npt.NDArray[np.int64], has_collapsed: npt.NDArray[np.bool_]
) -> Words:
    """Return ``describe_power``; where a run collapsed, seeds are not the first thing to add."""
    words = describe_power(power, verdict, n_test)
    for arrow in zip(*np.nonzero(has_collapsed), strict=True):
        if words[arrow]:
            words[arrow] = f"{words[arrow]}; {BEFORE_SEEDS}"
    return words
