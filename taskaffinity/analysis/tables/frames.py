"""Tidy frames of a study: every score, every arrow with its evidence, every control.

``scores_frame`` is raw: scores on the metric's own scale. The other frames are in points. An unknown value is NaN or
empty, and ``untested_reason`` says why; ``columns.COLUMNS`` says what every column means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.cautions.collapsed_runs import CollapsedRun, find_collapsed_runs, trained_with
from taskaffinity.analysis.cautions.notes import arrow_notes
from taskaffinity.analysis.statistics.power import MOST_SEEDS
from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.atomic import write_atomic
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import GIVEN_SCORE
from taskaffinity.tasks.splits import is_test, split_of

SCORES_COLUMNS = tuple(COLUMNS["scores.csv"])
_GAINS, _ZERO = ("gain", "low", "high", "gain_trained"), 1e-9
"""Columns of points, and the size below which a gain is zero up to rounding: a difference of equal means."""
_WHOLE = 1e15
"""Above it a number in double precision need not be whole."""
_TRUE_OR_EMPTY = ("collapsed", "source_learned")
"""Columns of booleans that are None in some rows."""
EDGES_COLUMNS = tuple(COLUMNS["edges.csv"])
TEST_SETS_COLUMNS = tuple(COLUMNS["test_sets.csv"])
CONTROLS_COLUMNS = tuple(COLUMNS["controls.csv"])

_ARMS = ("single", "matched", "pair", "full", "finetune", "placebo", "half", "halves")


def scores_frame(study: Study, store: RunStore, collapsed_runs: Sequence[CollapsedRun] | None = None) -> pd.DataFrame:
    """One row per score: ``SCORES_COLUMNS``.

    Rows are sorted by target in the suite's order, then by arm, source, seed and split. Runs that are not in the store
    have no row, and tasks without a test part none of test.

    Parameters
    ----------
    collapsed_runs : sequence of CollapsedRun, optional
        Those of the study on every test set. Default: they are searched here.
    """
    order = {card.name: place for place, card in enumerate(study.tasks)}
    if collapsed_runs is None:
        test_sets = ("", *study.test_sets)
        collapsed_runs = [run for one in test_sets for run in find_collapsed_runs(study, store, test_set=one)]
    collapsed = {(run.target, run.arm, run.source, run.seed, split_of(run.test_set)) for run in collapsed_runs}
    has_test = {card.name: card.has_test for card in study.tasks}
    rows = []
    for spec in study.plan:
        run = store.get(spec)
        for target, outcome in run.outcomes.items() if run else ():
            arm, others = spec.arm, trained_with(spec, target, order)
            source = "+".join(others)
            place = (order[target], _ARMS.index(arm), [order[name] for name in others], spec.seed)
            scores = [("dev", outcome.dev), *[("test", outcome.test)] * has_test[target]]
            scores += [(split_of(test_set), score) for test_set, score in outcome.test_sets.items()]
            known = [(split, score) for split, score in scores if score is not None]
            for split, score in known:
                is_collapsed = (target, arm, source, spec.seed, split) in collapsed if is_test(split) else None
                row = (source, target, split, spec.seed, arm, outcome.metric, score, is_collapsed)
                rows.append(((*place, split), row))
    return pd.DataFrame([row for _, row in sorted(rows)], columns=list(SCORES_COLUMNS))


def edges_frame(matrix: AffinityMatrix) -> pd.DataFrame:
    """One row per arrow: ``EDGES_COLUMNS``, by source, then target, in the suite's order.

    For a further test set, all columns refer to it.
    """
    rule, study = matrix.rule, matrix.study
    same_for_all = {
        **{name: getattr(rule, name) for name in ("alpha", "correction", "estimand", "test")},
        "baseline": study.baseline,
        **_training(study),
    }
    is_given = [metric == GIVEN_SCORE for metric in matrix.metrics]
    rows = []
    for s, t in matrix.arrows:
        row = {
            **same_for_all,
            "source": matrix.tasks[s],
            "target": matrix.tasks[t],
            "n_test": math.nan if is_given[t] else int(matrix.n_test[t]),
            "effective_documents": math.nan if is_given[t] else matrix.effective_documents[t],
            "score_single": matrix.baseline[s, t],
            "score_pair": matrix.baseline[s, t] + matrix.gain[s, t],
            "metric": matrix.metrics[t],
            "margin": matrix.margins[t],
            "seeds_to_significance": _within_reach(matrix.seeds_to_significance[s, t]),
            "seeds_to_equivalence": _within_reach(matrix.seeds_to_equivalence[s, t]),
            "notes": "; ".join(arrow_notes(matrix, (s, t))),
        }
        grids = {name: getattr(matrix, name)[s, t] for name in EDGES_COLUMNS if name not in row}
        rows.append({**row, **grids})
    frame = pd.DataFrame(rows, columns=list(EDGES_COLUMNS))
    for name in _GAINS if rows else ():
        frame[name] = _without_rounding(frame[name])
    return frame


def frame_of_test_sets(matrices: Sequence[AffinityMatrix]) -> pd.DataFrame:
    """One row per arrow and further test set: ``TEST_SETS_COLUMNS``.

    Parameters
    ----------
    matrices : sequence of AffinityMatrix
        One of each further test set.
    """
    frames = [edges_frame(matrix).assign(test_set=matrix.test_set) for matrix in matrices]
    return pd.concat(frames)[list(TEST_SETS_COLUMNS)] if frames else pd.DataFrame(columns=list(TEST_SETS_COLUMNS))


def _training(study: Study) -> dict[str, object]:
    """Return the columns on the training; of external runs what their table says, else nothing."""
    if not study.is_external:
        return {
            "evaluated_after": study.evaluate_after,
            "init_from": study.init_from,
            "synthetic": study.synthetic,
        }
    said = {name: study.stated.get(name, "") for name in ("evaluated_after", "init_from")}
    return {**said, "synthetic": study.synthetic if "synthetic" in study.stated else ""}


def controls_frame(matrix: AffinityMatrix) -> pd.DataFrame:
    """One row per control, in points: ``CONTROLS_COLUMNS``."""
    rows = [
        (
            *(c.kind, c.target),
            *(POINTS * value for value in (c.gain, c.low, c.high)),
            *(c.p, c.seeds, c.seeds_against, c.untested_reason, matrix.rule.alpha),
        )
        for c in matrix.controls
    ]
    return pd.DataFrame(rows, columns=list(CONTROLS_COLUMNS))


def _within_reach(seeds: float) -> float:
    return seeds if seeds <= MOST_SEEDS else math.nan


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write ``as_csv`` into a file, atomically."""
    write_atomic(path, as_csv(frame).encode())


def _without_rounding(points: pd.Series[float]) -> pd.Series[float]:
    return points.mask(points.abs() < _ZERO, 0.0)


def _number(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() and abs(value) < _WHOLE else f"{value:.6g}"


def as_csv(frame: pd.DataFrame) -> str:
    """The frame as CSV text that is the same on every machine.

    Numbers have six significant digits, and whole ones all of theirs. Gains within rounding of zero are 0, booleans are
    true and false, unknown values are empty, lines end in a newline.
    """
    plain = frame.copy()
    for name in plain.columns:
        if plain[name].dtype == bool or name in _TRUE_OR_EMPTY:
            plain[name] = plain[name].map({True: "true", False: "false"})
        elif plain[name].dtype == float:
            plain[name] = _without_rounding(plain[name]) if name in _GAINS else plain[name]
            plain[name] = [("" if math.isnan(value) else _number(value + 0.0)) for value in plain[name]]
    return plain.to_csv(index=False, lineterminator="\n")
