"""The paper's claims about its Figure 2, beside the verdicts of a study.

The figure has no numbers, and no file gives its arrows. A study is therefore compared with those sentences of the text
that name a task. A sentence with one open end ("is improved by other tasks") is about ``some`` or ``every`` arrow of
the named task. We read "hardly moves" as no effect by our margin.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import pandas as pd

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import describe_margin, describe_seeds
from taskaffinity.analysis.statistics.verdicts import NOT_MEASURED, Verdict
from taskaffinity.analysis.style import signed
from taskaffinity.analysis.tables.printed_columns import PRINTED_COLUMNS
from taskaffinity.analysis.training_conditions import describe_precision, encoder_name
from taskaffinity.runs.paper_protocol import describe_protocol

SUITES = ("clinical", "biomedical")
"""Suites of Figure 2."""

CLAIMS_COLUMNS = tuple(PRINTED_COLUMNS["figure2"])

Standing = Literal["agrees", "contradicts", "undecided here"]

_FULFIL: dict[str, tuple[Verdict, ...]] = {
    "improves": ("improves",),
    "degrades": ("degrades",),
    "no effect": ("no effect",),
    "does not improve": ("degrades", "no effect"),
}
"""Verdicts that agree with a claim; all others but those of ``_OPEN`` contradict it."""

_OTHERS = 3
"""Arrows of a claim about some or every other task: both suites have four tasks. A study may have fewer of them."""

_OPEN: tuple[Verdict, ...] = ("inconclusive", NOT_MEASURED)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, in a few words."""

    source: str
    """A task, or ``some`` or ``every`` other task; ``target`` likewise, but never both."""
    target: str
    claim: str
    """A key of ``_FULFIL``."""
    words: str
    where: str

    @property
    def of(self) -> str:
        """Number of arrows that the claim is about: ``one``, ``some`` or ``every``."""
        return next((end for end in (self.source, self.target) if end in ("some", "every")), "one")


@dataclass(frozen=True)
class Answer:
    """A claim beside the verdicts of a study."""

    claim: Claim
    arrows: tuple[tuple[int, int], ...]
    """Arrows of the study that the claim is about."""
    standing: Standing


@cache
def claims() -> tuple[Claim, ...]:
    """Return the claims about both suites."""
    with (files("taskaffinity.analysis") / "paper" / "figure2_claims.csv").open(encoding="utf-8") as file:
        return tuple(Claim(*map(str, row)) for row in pd.read_csv(file).itertuples(index=False))


def answers(matrix: AffinityMatrix) -> tuple[Answer, ...]:
    """Return the claims about the tasks of a study, each with the study's answer.

    An arrow of a claim about some or every other task is open if the study does not have that task.
    """
    known = []
    for claim in claims():
        named = {claim.source, claim.target} - {"some", "every"}
        if named <= {*matrix.tasks}:
            arrows = tuple(
                (s, t)
                for s, t in matrix.arrows
                if claim.source in (matrix.tasks[s], claim.of) and claim.target in (matrix.tasks[t], claim.of)
            )
            lacking = 0 if claim.of == "one" else _OTHERS - len(arrows)
            verdicts = [matrix.verdict[arrow] for arrow in arrows] + [NOT_MEASURED] * lacking
            known.append(Answer(claim, arrows, _standing(claim, verdicts)))
    return tuple(known)


def _standing(claim: Claim, verdicts: Sequence[Verdict]) -> Standing:
    fulfilled = [verdict in _FULFIL[claim.claim] for verdict in verdicts if verdict not in _OPEN]
    is_open = len(fulfilled) < len(verdicts)
    if claim.of == "some":
        return "agrees" if any(fulfilled) else "undecided here" if is_open else "contradicts"
    return "contradicts" if not all(fulfilled) else "undecided here" if is_open else "agrees"


def figure2_table(matrix: AffinityMatrix) -> pd.DataFrame:
    """Return the printed table: one row per claim."""
    rows = [(f"paper: {a.claim.words}", _in_study(matrix, a.arrows), a.standing) for a in answers(matrix)]
    return pd.DataFrame([row[1:] for row in rows], index=[row[0] for row in rows], columns=["here", "standing"])


def figure2_frame(matrix: AffinityMatrix) -> pd.DataFrame:
    """Return one row per claim and arrow that it is about: ``CLAIMS_COLUMNS``; gains in points."""
    rows = [
        (
            *(answer.claim.words, answer.claim.where, answer.claim.claim, answer.claim.of),
            *(matrix.tasks[s], matrix.tasks[t], matrix.gain[s, t], matrix.low[s, t], matrix.high[s, t]),
            *(matrix.verdict[s, t], answer.standing),
        )
        for answer in answers(matrix)
        for s, t in answer.arrows
    ]
    return pd.DataFrame(rows, columns=list(CLAIMS_COLUMNS))


def describe_claims(matrix: AffinityMatrix) -> str:
    """Return how to read the table."""
    counts = Counter(answer.standing for answer in answers(matrix))
    return (
        "Claims of the paper's text about its Figure 2, beside this study: "
        f"{', '.join(f'{counts[standing]} {standing}' for standing in get_args(Standing))}. The paper has one seed and "
        'gives no numbers, threshold, interval or baseline for them; "hardly moves" is read as no effect. '
        f"{describe_seeds(matrix)}; encoder {encoder_name(matrix)}{describe_precision(matrix.study)}; "
        f"suite {matrix.study.suite}; "
        f"{describe_protocol(matrix.study)}; no effect: within {describe_margin(matrix)} (TOST)."
    )


def _in_study(matrix: AffinityMatrix, arrows: Sequence[tuple[int, int]]) -> str:
    if len(arrows) != 1:
        counts = Counter(matrix.verdict[arrow] for arrow in arrows)
        found = [f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict) if counts[verdict]]
        return ", ".join(found) or "no other task"
    [arrow] = arrows
    if math.isnan(matrix.gain[arrow]):
        return f"not measured ({matrix.untested_reason[arrow]})"
    interval = (
        f" ({matrix.untested_reason[arrow]})"
        if math.isnan(matrix.low[arrow])
        else f" [{signed(matrix.low[arrow])}, {signed(matrix.high[arrow])}]"
    )
    return f"{signed(matrix.gain[arrow])}{interval}, {matrix.verdict[arrow]}"
