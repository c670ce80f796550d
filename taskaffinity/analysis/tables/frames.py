"""Tidy tables: every score, every arrow with its evidence, and the table that the terminal shows.

``scores_frame`` is raw: scores on the metric's own scale ([0, 1]). ``edges_frame`` is in points throughout. What is not
known is an empty cell, never a word or a NaN in print; ``untested_reason`` says why.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.captions import (
    OF_A_RACE,
    SYNTHETIC,
    describe_level,
    describe_margin,
    describe_seeds,
    describe_stage,
)
from taskaffinity.analysis.statistics.power import MOST_SEEDS
from taskaffinity.analysis.style import STYLES, probability, signed_plainly
from taskaffinity.runs.files import write_atomic
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

_ARMS = ("single", "matched", "pair", "full", "finetune", "placebo", "half", "halves")
SCORES_COLUMNS = ("source", "target", "split", "seed", "arm", "metric", "score")
EDGES_COLUMNS = (
    *("source", "target", "gain", "low", "high", "p", "q", "verdict"),
    *("q_tost", "p_tost", "df", "se_seeds", "se_examples"),
    *("n_test", "seeds_pair", "seeds_single", "score_single", "score_pair", "metric", "untested_reason"),
    *("mde", "seeds_to_significance", "seeds_to_equivalence", "recommendation"),
    *(
        "alpha_spent",
        "decided_at_seeds",
        "alpha",
        "margin",
        "correction",
        "estimand",
        "baseline",
        "evaluated_after",
        "init_from",
        "synthetic",
    ),
)
CONTROLS_COLUMNS = ("control", "target", "gain", "low", "high", "p", "seeds", "seeds_against", "untested_reason")


def scores_frame(study: Study, store: RunStore) -> pd.DataFrame:
    """One row a score: ``SCORES_COLUMNS``, by target in the suite's order, then arm, source, seed and split.

    ``source`` is empty for ``single`` and the other tasks joined by ``+`` for ``full``; of ``finetune`` it is that of
    the run that was fine-tuned. Runs that are not in the store have no row.
    """
    order = {card.name: place for place, card in enumerate(study.tasks)}
    rows = []
    for spec in study.plan:
        run = store.get(spec)
        for target, outcome in run.outcomes.items() if run else ():
            company = spec.trained_as.task_names
            others = sorted((name for name in company if name != target), key=order.__getitem__)
            others += [spec.partner[0]] if spec.partner else []
            place = (order[target], _ARMS.index(spec.arm), [order[name] for name in others], spec.seed)
            for split, score in (("dev", outcome.dev), ("test", outcome.test)):
                row = ("+".join(others), target, split, spec.seed, spec.arm, outcome.metric, score)
                rows.append(((*place, split), row))
    return pd.DataFrame([row for _, row in sorted(rows)], columns=list(SCORES_COLUMNS))


_GRIDS = frozenset(EDGES_COLUMNS[2:13]) | {
    "seeds_pair",
    "seeds_single",
    "untested_reason",
    "mde",
    "recommendation",
    "alpha_spent",
    "decided_at_seeds",
}
"""The columns that are arrays of the matrix."""


def edges_frame(matrix: AffinityMatrix) -> pd.DataFrame:
    """One row an arrow: ``EDGES_COLUMNS``, by source, then target, in the suite's order; gains and scores in points."""
    rows = [
        {
            "source": matrix.tasks[s],
            "target": matrix.tasks[t],
            "n_test": int(matrix.n_test[t]),
            "score_single": matrix.baseline[s, t],
            "score_pair": matrix.baseline[s, t] + matrix.gain[s, t],
            "metric": matrix.metrics[t],
            "seeds_to_significance": _within_reach(matrix.seeds_to_significance[s, t]),
            "seeds_to_equivalence": _within_reach(matrix.seeds_to_equivalence[s, t]),
            "alpha": matrix.rule.alpha,
            "margin": matrix.margins[t],
            "correction": matrix.rule.correction,
            "estimand": matrix.rule.estimand,
            "baseline": matrix.study.baseline,
            "evaluated_after": matrix.study.evaluate_after,
            "init_from": matrix.study.init_from,
            "synthetic": matrix.study.synthetic,
            **{name: getattr(matrix, name)[s, t] for name in EDGES_COLUMNS if name in _GRIDS},
        }
        for s, t in matrix.arrows
    ]
    return pd.DataFrame(rows, columns=list(EDGES_COLUMNS))


def controls_frame(matrix: AffinityMatrix) -> pd.DataFrame:
    """One row a control, in points: ``CONTROLS_COLUMNS``."""
    rows = [
        (
            c.kind,
            c.target,
            *(POINTS * value for value in (c.gain, c.low, c.high)),
            c.p,
            c.seeds,
            c.seeds_against,
            c.untested_reason,
        )
        for c in matrix.controls
    ]
    return pd.DataFrame(rows, columns=list(CONTROLS_COLUMNS))


def _within_reach(seeds: float) -> float:
    return seeds if seeds <= MOST_SEEDS else math.nan


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """``as_csv`` into a file."""
    write_atomic(path, as_csv(frame).encode())


def as_csv(frame: pd.DataFrame) -> str:
    """The same text for the same frame: six digits, true and false, empty for unknown, one kind of line end."""
    plain = frame.copy()
    for name in plain.columns:
        if plain[name].dtype == bool:
            plain[name] = plain[name].map({True: "true", False: "false"})
        elif plain[name].dtype == float:
            plain[name] = [("" if math.isnan(value) else f"{value + 0.0:.6g}") for value in plain[name]]
    return plain.to_csv(index=False, lineterminator="\n")


def edge_table(matrix: AffinityMatrix) -> Table:
    """The arrows for a terminal of 80 columns; the verdict has a sign as well as a colour.

    ``q`` is that of the verdict: of "no effect" its own (``q_tost`` in edges.csv), else that of a colour.
    """
    table = Table(title=_title(matrix), caption=Text(_caption(matrix)), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("source", "target"):
        table.add_column(name, overflow="fold")
    table.add_column("gain", justify="right", no_wrap=True)
    level = "" if matrix.standing else f"{describe_level(matrix)} "
    table.add_column(f"{level}interval", justify="right", no_wrap=True)
    table.add_column("q", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for s, t in matrix.arrows:
        style = STYLES[matrix.verdict[s, t]]
        reason = matrix.untested_reason[s, t] and f"\n  {matrix.untested_reason[s, t]}"
        interval = f"[{signed_plainly(matrix.low[s, t])}, {signed_plainly(matrix.high[s, t])}]"
        cells: list[str | Text] = [
            Text(matrix.titles[s]),
            Text(matrix.titles[t]),
            signed_plainly(matrix.gain[s, t]),
            "" if math.isnan(matrix.low[s, t]) else Text(interval),
            probability(_q_of_verdict(matrix, s, t)),
            Text(f"{style.sign} {matrix.verdict[s, t]}{':' * bool(reason)}{reason}", style=style.terminal),
        ]
        table.add_row(*cells)
    return table


def _q_of_verdict(matrix: AffinityMatrix, s: int, t: int) -> float:
    q = matrix.q_tost if matrix.verdict[s, t] == "no effect" else matrix.q
    return float(q[s, t])


def _title(matrix: AffinityMatrix) -> str:
    stamp = f"\n{SYNTHETIC}: not real text" if matrix.study.synthetic else ""
    return f"Gain of training with the source over training alone, in points{stamp}"


def _caption(matrix: AffinityMatrix) -> str:
    lines = [f"{describe_seeds(matrix)}; no effect: surely within {describe_margin(matrix)}"]
    if matrix.standing:
        lines.append(f"interval: {OF_A_RACE}")
    lines += [*describe_stage(matrix), *matrix.failed]
    return "\n".join(lines)
