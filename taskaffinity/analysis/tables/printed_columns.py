"""The columns that commands print, with ``--format csv`` or ``--json``, each with its meaning and unit."""

from __future__ import annotations

from collections.abc import Mapping

from taskaffinity.analysis.tables.columns import COLUMNS

_EDGES = COLUMNS["edges.csv"]

PRINTED_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "compare": {
        "source": _EDGES["source"],
        "target": _EDGES["target"],
        "change": "Gain of the second study less that of the first, in points.",
        "low": "Lower end of the change's 1 - alpha interval, in points, not adjusted for multiple comparisons.",
        "high": "Upper end of the same interval, in points.",
        "p": "Two-sided p-value of the hypothesis that the gain is the same in both studies.",
        "q": "p adjusted for all arrows by Benjamini and Hochberg's correction.",
        "verdict_first": "Verdict of the first study.",
        "verdict_second": "Verdict of the second study.",
        "changed_verdict": "Whether the verdicts differ: true or false.",
        "gain_first": "Gain in the first study, in points.",
        "low_first": "Lower end of that gain's interval, in points.",
        "high_first": "Upper end of that gain's interval, in points.",
        "gain_second": "Gain in the second study, in points.",
        "low_second": "Lower end of that gain's interval, in points.",
        "high_second": "Upper end of that gain's interval, in points.",
        "se": "Standard error of the change, in points.",
        "df": "Degrees of freedom of the change's standard error.",
        "se_first": "Standard error of the gain in the first study, in points.",
        "df_first": "Its degrees of freedom.",
        "se_second": "Standard error of the gain in the second study, in points.",
        "df_second": "Its degrees of freedom.",
        "metric": _EDGES["metric"],
        "untested_reason": "Why the change has no test, by study; empty if it has one.",
        "alpha": "Significance level of the first study, between 0 and 1.",
        "test": "Test of the changes: that of both studies (--test), or satterthwaite if theirs differ.",
        "synthetic": _EDGES["synthetic"],
    },
    "helpers": {
        "target": "Task that is helped; a name of the suite.",
        "helper": "Task that is trained with it, in the order of selection.",
        "chosen": "Whether the selection takes the helper: true or false.",
        "gain": "Gain of the target in the pair with this helper, in points.",
        "bound": "Lower confidence bound of that gain, in points; the gain itself with --risk none.",
        "set_gain": "Predicted gain with this helper and all before it, in points: the mean of their gains, or the "
        "measured gain if the study trained this set.",
        "set_bound": "Lower confidence bound of it: the mean of their bounds, or that of the measured gain.",
        "set_measured": "Whether the study trained this set, so that its gain is measured: true or false.",
        "estimated": "Whether the gain is an estimate, because the pair was not measured: true or false.",
        "verdict": "Verdict of the arrow from the helper to the target.",
        "synthetic": _EDGES["synthetic"],
    },
    "figure2": {
        "words": "The paper's claim, in a few words.",
        "where": "Section of the paper.",
        "claim": "improves, degrades, no effect or does not improve.",
        "of": "How many arrows the claim is about: one, some or every.",
        "source": _EDGES["source"],
        "target": _EDGES["target"],
        "gain": "Gain in this study, in points.",
        "low": "Lower end of the gain's interval, in points.",
        "high": "Upper end of the gain's interval, in points.",
        "verdict": "Verdict of this study.",
        "standing": "Whether this study agrees, contradicts or is undecided here.",
    },
}
"""Meaning of every column that a command prints, with ``--format csv`` or ``--json``."""
