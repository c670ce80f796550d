"""What the paper says in words about its Figure 2, beside the verdicts of a study of our own.

The figure has no numbers, and no file gives its arrows: only sentences of the text are held against a study, and only
where they name the task. A sentence that leaves one end open ("is improved by other tasks") is about ``some`` arrows of
the named task or ``every`` one. That "hardly moves" means no effect, by our margin, is our reading.
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
from taskaffinity.analysis.captions import describe_margin, describe_precision, describe_seeds, encoder_name
from taskaffinity.analysis.statistics.verdicts import Verdict
from taskaffinity.analysis.style import signed
from taskaffinity.analysis.tables.columns import PRINTED_COLUMNS
from taskaffinity.runs.paper_protocol import describe_protocol

SUITES = ("clinical", "biomedical")
"""Those of Figure 2."""

CLAIMS_COLUMNS = tuple(PRINTED_COLUMNS["figure2"])

Standing = Literal["agrees", "contradicts", "undecided here"]

_FULFIL: dict[str, tuple[Verdict, ...]] = {
    "improves": ("improves",),
    "degrades": ("degrades",),
    "no effect": ("no effect",),
    "does not improve": ("degrades", "no effect"),
}
"""The verdicts that agree with a claim; all others contradict it, but for "inconclusive"."""


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, in few words."""

    source: str
    """A task, or ``some`` or ``every`` other; so ``target``, but never both."""
    target: str
    claim: str
    """A key of ``_FULFIL``."""
    words: str
    where: str

    @property
    def of(self) -> str:
        """``one`` arrow, ``some`` or ``every``."""
        return next((end for end in (self.source, self.target) if end in ("some", "every")), "one")


@dataclass(frozen=True)
class Answer:
    """A claim beside a study."""

    claim: Claim
    arrows: tuple[tuple[int, int], ...]
    """The study's arrows that it is about."""
    standing: Standing


@cache
def claims() -> tuple[Claim, ...]:
    """All that are known, of both suites."""
    with (files("taskaffinity.analysis") / "paper" / "figure2_claims.csv").open(encoding="utf-8") as file:
        return tuple(Claim(*map(str, row)) for row in pd.read_csv(file).itertuples(index=False))


def answers(matrix: AffinityMatrix) -> tuple[Answer, ...]:
    """The claims about the tasks of a study, each with what the study says."""
    found = []
    for claim in claims():
        named = {claim.source, claim.target} - {"some", "every"}
        if named <= {*matrix.tasks}:
            arrows = tuple(
                (s, t)
                for s, t in matrix.arrows
                if claim.source in (matrix.tasks[s], claim.of) and claim.target in (matrix.tasks[t], claim.of)
            )
            found.append(Answer(claim, arrows, _standing(claim, [matrix.verdict[arrow] for arrow in arrows])))
    return tuple(found)


def _standing(claim: Claim, verdicts: Sequence[Verdict]) -> Standing:
    fulfilled = [verdict in _FULFIL[claim.claim] for verdict in verdicts if verdict != "inconclusive"]
    is_open = len(fulfilled) < len(verdicts)
    if claim.of == "some":
        return "agrees" if any(fulfilled) else "undecided here" if is_open else "contradicts"
    return "contradicts" if not all(fulfilled) else "undecided here" if is_open else "agrees"


def figure2_table(matrix: AffinityMatrix) -> pd.DataFrame:
    """The table for people, cells as words: a row a claim."""
    rows = [(f"paper: {a.claim.words}", _here(matrix, a.arrows), a.standing) for a in answers(matrix)]
    return pd.DataFrame([row[1:] for row in rows], index=[row[0] for row in rows], columns=["here", "standing"])


def figure2_frame(matrix: AffinityMatrix) -> pd.DataFrame:
    """One row a claim and arrow that it is about: ``CLAIMS_COLUMNS``; gains in points, ``standing`` of the claim."""
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
    """How to read that table."""
    told = Counter(answer.standing for answer in answers(matrix))
    return (
        "What the paper's text says of its Figure 2, in few words, beside this study: "
        f"{', '.join(f'{told[standing]} {standing}' for standing in get_args(Standing))}. The paper has one seed, and "
        'gives no numbers, threshold, interval or baseline for these; "hardly moves" is read as no effect. '
        f"{describe_seeds(matrix)}; encoder {encoder_name(matrix)}{describe_precision(matrix.study)}; "
        f"suite {matrix.study.suite}; "
        f"{describe_protocol(matrix.study.protocol)}; no effect: surely within {describe_margin(matrix)}."
    )


def _here(matrix: AffinityMatrix, arrows: Sequence[tuple[int, int]]) -> str:
    if len(arrows) != 1:
        told = Counter(matrix.verdict[arrow] for arrow in arrows)
        return ", ".join(f"{told[verdict]} {verdict}" for verdict in get_args(Verdict) if told[verdict])
    [arrow] = arrows
    if math.isnan(matrix.gain[arrow]):
        return f"not measured ({matrix.untested_reason[arrow]})"
    interval = (
        f" ({matrix.untested_reason[arrow]})"
        if math.isnan(matrix.low[arrow])
        else f" [{signed(matrix.low[arrow])}, {signed(matrix.high[arrow])}]"
    )
    return f"{signed(matrix.gain[arrow])}{interval}, {matrix.verdict[arrow]}"
