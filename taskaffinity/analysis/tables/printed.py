"""The table of arrows that the command prints.

If a study has more arrows than a terminal shows, decided arrows come first and the others are counted.
"""

from __future__ import annotations

import math
from collections import Counter

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import (
    SEQUENTIAL_LEVEL,
    SYNTHETIC,
    describe_level,
    describe_margin,
    describe_seeds,
    describe_stage,
)
from taskaffinity.analysis.cautions.of_study import COLLAPSED_MARK, collapsed_arrows, describe_collapsed_arrows
from taskaffinity.analysis.decisions import MOST_ARROWS, Arrow, decided_first
from taskaffinity.analysis.statistics.verdicts import NOT_MEASURED, VERDICTS
from taskaffinity.analysis.style import MINUS, plural, probability, signed, signed_plainly, style_of
from taskaffinity.analysis.training_conditions import baseline_words

_MOST_FAILURES = 3


def edge_table(matrix: AffinityMatrix, at_most: int = MOST_ARROWS) -> Table:
    """The table of arrows for a terminal of 80 columns.

    The verdict has a sign as well as a colour. "p adj" is the adjusted p-value of the test behind the verdict:
    ``q_tost`` of ``edges.csv`` for "no effect", otherwise ``q``.

    Parameters
    ----------
    at_most : int
        Lines of arrows. A study of more arrows shows the first of ``decided_first``; the caption counts the others.
    """
    shown, with_collapse = decided_first(matrix, at_most), collapsed_arrows(matrix)
    caption = Text("\n".join([*_rest(matrix, shown), _caption(matrix)]))
    table = Table(title=_title(matrix), caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("source", "target"):
        table.add_column(name, overflow="fold")
    table.add_column("gain", justify="right", no_wrap=True)
    level = "" if matrix.sequential else f"{describe_level(matrix)} "
    table.add_column(f"{level}interval", justify="right", no_wrap=True)
    table.add_column("p adj", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for s, t in shown:
        style = style_of(matrix.verdict[s, t])
        reason = matrix.untested_reason[s, t] and f"\n  {matrix.untested_reason[s, t]}"
        verdict = f"{matrix.verdict[s, t]}{f' {COLLAPSED_MARK}' * ((s, t) in with_collapse)}"
        interval = f"[{signed_plainly(matrix.low[s, t])}, {signed_plainly(matrix.high[s, t])}]"
        cells: list[str | Text] = [
            Text(matrix.titles[s]),
            Text(matrix.titles[t]),
            signed_plainly(matrix.gain[s, t]),
            "" if math.isnan(matrix.low[s, t]) else Text(interval),
            _q_of_verdict(matrix, s, t),
            Text(f"{style.sign} {verdict}{':' * bool(reason)}{reason}", style=style.terminal),
        ]
        table.add_row(*cells)
    return table


def arrow_table(matrix: AffinityMatrix) -> pd.DataFrame:
    """Return every arrow as words for a publication: a row ``source → target`` with the columns of ``edge_table``."""
    names, rows = [], []
    for s, t in matrix.arrows:
        ends = [signed(end) for end in (matrix.low[s, t], matrix.high[s, t]) if not math.isnan(end)]
        gain = "" if math.isnan(matrix.gain[s, t]) else signed(matrix.gain[s, t])
        q, verdict = _q_of_verdict(matrix, s, t), matrix.verdict[s, t]
        if verdict != NOT_MEASURED:  # the caption says why it is not
            verdict = matrix.untested_reason[s, t] or verdict
        names.append(f"{matrix.titles[s]} → {matrix.titles[t]}")
        rows.append((gain, " to ".join(ends), q, verdict))
    level = "" if matrix.sequential else f"{describe_level(matrix)} "
    return pd.DataFrame(rows, index=names, columns=["gain", f"{level}interval", "p adj", "verdict"])


def _rest(matrix: AffinityMatrix, shown: tuple[Arrow, ...]) -> list[str]:
    """A line that counts the arrows which the table leaves out; none if it shows all."""
    hidden = set(matrix.arrows) - set(shown)
    if not hidden:
        return []
    deferred = set(matrix.select(NOT_MEASURED))
    counts = Counter(
        "untested" if matrix.untested_reason[arrow] and arrow not in deferred else matrix.verdict[arrow]
        for arrow in hidden
    )
    words = ", ".join(f"{counts[name]} {name}" for name in (*VERDICTS, "untested", NOT_MEASURED) if counts[name])
    return [f"and {plural(len(hidden), 'more arrow')}, all in {matrix.table}: {words}"]


def _q_of_verdict(matrix: AffinityMatrix, s: int, t: int) -> str:
    q = matrix.q_tost if matrix.verdict[s, t] == "no effect" else matrix.q
    return probability(float(q[s, t]), float(matrix.alpha_spent[s, t]))


def _title(matrix: AffinityMatrix) -> str:
    stamp = f"\n{SYNTHETIC}: not real data" if matrix.study.synthetic else ""
    on = f", on test set {matrix.test_set}" * bool(matrix.test_set)
    return f"Gain of training with the source over {baseline_words(matrix.study)}, in points{on}{stamp}"


def _caption(matrix: AffinityMatrix) -> str:
    lines = [f"{COLLAPSED_MARK} {line.replace(MINUS, '-')}" for line in describe_collapsed_arrows(matrix)]
    lines.append(f"{describe_seeds(matrix)}; no effect: within {describe_margin(matrix)} (TOST)")
    if matrix.sequential:
        lines.append(f"interval: {SEQUENTIAL_LEVEL}")
    failed = list(matrix.failed)
    if len(matrix.arrows) > MOST_ARROWS and len(failed) > _MOST_FAILURES:
        more = plural(len(failed) - _MOST_FAILURES, "more run")
        failed = [*failed[:_MOST_FAILURES], f"and {more} failed: taskaffinity status"]
    return "\n".join([*lines, *describe_stage(matrix), *failed])
