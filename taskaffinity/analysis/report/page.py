"""A study as one HTML page without other files, network or required scripts.

The page depends on the results folder only: it has no date, no path, no text of a corpus. Its tables hold the cells of
``edges.csv`` and ``controls.csv``. Names and titles come from users and are escaped.
"""

from __future__ import annotations

import math
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import (
    SEQUENTIAL_LEVEL,
    SYNTHETIC,
    caption,
    describe,
    describe_controls,
    describe_margin,
    describe_seeds,
    describe_sequential,
    describe_stage,
)
from taskaffinity.analysis.cautions.advice import describe_advice
from taskaffinity.analysis.cautions.collapsed_runs import COLUMNS as COLLAPSED_COLUMNS
from taskaffinity.analysis.cautions.collapsed_runs import RULE, collapsed_frame
from taskaffinity.analysis.cautions.of_study import (
    describe_collapse,
    describe_given_scores,
    describe_no_effect,
    describe_winners_curse,
)
from taskaffinity.analysis.decisions import cheapest_decisions
from taskaffinity.analysis.estimates.of_matrix import with_estimates
from taskaffinity.analysis.figure_options import DEFAULT
from taskaffinity.analysis.figures.fonts import one_line_for_missing_glyphs
from taskaffinity.analysis.figures.gallery import draw_figure
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.report.cells import ARROW_COLUMNS, Sheet, sheet_of
from taskaffinity.analysis.report.cost import COST_COLUMNS, cost_of
from taskaffinity.analysis.report.groups import group_arrows_sheet
from taskaffinity.analysis.report.image import graph_image, image, take_words
from taskaffinity.analysis.report.methods import recipes_of, rule_of, tasks_of
from taskaffinity.analysis.report.sentences import describe_arrow, describe_counts, describe_untested
from taskaffinity.analysis.report.test_sets import further_test_sets
from taskaffinity.analysis.secondary_metrics import secondary_metrics_frame
from taskaffinity.analysis.statistics.verdicts import NOT_MEASURED, VERDICTS, Verdict
from taskaffinity.analysis.style import style_of
from taskaffinity.analysis.tables.frames import CONTROLS_COLUMNS, controls_frame, edges_frame
from taskaffinity.analysis.training_conditions import AGAINST, baseline_words, columns_of, encoder_name
from taskaffinity.atomic import write_atomic
from taskaffinity.garbage_collection import rare_collection
from taskaffinity.runs.paper_protocol import departures_of, describe_protocol
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

MOST_ROWS = 2000
"""Most arrows whose evidence the page holds; of larger studies it is in ``edges.csv`` only."""
EVIDENCE_COLUMNS = (
    *("source", "target", "p", "p_tost", "q_tost", "df", "se_seeds", "se_examples", "n_test"),
    *(
        "alpha_spent",
        "decided_at_seeds",
        "margin",
        "collapsed_pair",
        "collapsed_single",
        "gain_trained",
        "effective_documents",
        "mde",
        "seeds_to_significance",
        "seeds_to_equivalence",
        "untested_reason",
        "notes",
    ),
)
SAME_COLUMNS = (
    "alpha_spent",
    "margin",
    "alpha",
    "correction",
    "estimand",
    "baseline",
    "evaluated_after",
    "init_from",
    "synthetic",
)
SECONDARY = ("source", "target", "metric", "gain", "low", "high", "p", "score_single", "score_pair", "untested_reason")


def write_report(study: Study, store: RunStore, out: Path, rule: Rule | None = None) -> AffinityMatrix:
    """Write the page of a study into a file.

    Raises
    ------
    ValueError
        If a file of the folder is broken, or a sequential design is given another rule.
    """
    matrix = with_estimates(measure(study, store, rule), store.root)
    write_atomic(out, report(matrix, store).encode())
    return matrix


@rare_collection()
def report(matrix: AffinityMatrix, store: RunStore) -> str:
    """The page of a study; the same text for the same runs."""
    study = matrix.study
    cost, edges = cost_of(study, store), edges_frame(matrix)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("taskaffinity.analysis.report").joinpath("templates", "report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        suite=study.suite,
        stamp=SYNTHETIC if study.synthetic else "",
        counts=describe_counts(matrix),
        unfinished=cost.unfinished,
        how=[
            f"{describe_seeds(matrix)}.",
            f"No effect: shown to be within {describe_margin(matrix)}.",
            *describe_no_effect(matrix),
            *describe_stage(matrix),
            *describe_given_scores(matrix),
        ],
        winners_curse=" ".join(describe_winners_curse(matrix)),
        is_external=study.is_external,
        encoder=encoder_name(matrix),
        encoder_fingerprint=study.encoder.fingerprint,
        figures=_figures(matrix, store),
        level=f"{100 * (1 - matrix.rule.alpha):g}%",
        sequential_level=SEQUENTIAL_LEVEL if study.interim_seeds else "",
        findings=[
            (style_of(verdict).mark, verdict, [describe_arrow(matrix, arrow) for arrow in _by_size(matrix, verdict)])
            for verdict in VERDICTS
            if verdict != "inconclusive"
        ],
        inconclusive=len(matrix.select("inconclusive")),
        deferred=len(matrix.select(NOT_MEASURED)),
        arrows=_arrows(edges, study),
        evidence=_evidence(edges, study),
        same=_same(edges),
        targets=[_target(matrix, t) for t in range(len(matrix.tasks))],
        controls=_controls(matrix),
        groups=group_arrows_sheet(matrix, store),
        test_sets=further_test_sets(matrix, store),
        controls_words=describe_controls(matrix),
        sequential_words=describe_sequential(matrix),
        secondary=_secondary(matrix, store),
        needs=[*cheapest_decisions(matrix), *describe_untested(matrix)],
        advice=describe_advice(matrix),
        collapsed=_collapsed(matrix),
        collapsed_rule=RULE,
        failed=matrix.failed,
        missing=cost.missing,
        cost=sheet_of(cost.cost, COST_COLUMNS, "cost", "Runs and what they took, by kind of run"),
        cost_words=cost.describe,
        protocol="The runs were trained elsewhere: encoder, recipe and cost are unknown."
        if study.is_external
        else f"Protocol: {describe_protocol(study)}; {AGAINST[study.baseline]}.",
        departures=departures_of(study) if study.protocol == "paper" else (),
        recipes=[] if study.is_external else recipes_of(study),
        rule=rule_of(matrix),
        tasks=tasks_of(study),
        versions=[(name, ", ".join(found)) for name, found in cost.versions.items()],
    )


@one_line_for_missing_glyphs()
def _figures(matrix: AffinityMatrix, store: RunStore) -> list[dict[str, Any]]:
    titles = {
        "graph": "Affinity graph",
        "heatmap": "All gains",
        "forest": "Gains with their intervals and seeds",
    }
    names = matrix.tasks
    arrows = {f"{names[s]} {names[t]}": describe_arrow(matrix, (s, t)) for s, t in matrix.arrows}
    shown = []
    for name, title in titles.items():
        drawn = draw_figure(name, matrix, store, DEFAULT)
        words = take_words(drawn)
        spoken = describe(matrix).partition("\n")[2].strip() if name == "graph" else "The numbers are in the table."
        alt = f"{title} of {matrix.study.suite}. {spoken}"
        picture = graph_image(drawn, alt=alt, words=arrows) if name == "graph" else image(drawn, alt=alt)
        words = words if name == "graph" else words.removeprefix(caption(matrix)).strip()
        shown.append({"name": name, "title": title, "image": picture, "caption": words})
    return shown


def _by_size(matrix: AffinityMatrix, verdict: Verdict) -> list[tuple[int, int]]:
    """Arrows of a verdict, the largest gain or loss first."""
    return sorted(matrix.select(verdict), key=lambda arrow: -abs(_or(float(matrix.gain[arrow]), 0.0)))


def _arrows(edges: pd.DataFrame, study: Study) -> Sheet:
    words = f"All arrows: gain of pair training over {baseline_words(study)}, in points{columns_of(study)}"
    return sheet_of(edges, ARROW_COLUMNS, "arrows", words, study.tasks)


def _evidence(frame: pd.DataFrame, study: Study) -> Sheet | None:
    """The table of the evidence; None if the page would grow too large for a browser."""
    if len(frame) > MOST_ROWS:
        return None
    constant = [name for name, _ in _same(frame)]
    if not (frame.collapsed_pair + frame.collapsed_single).any():
        constant += ["collapsed_pair", "collapsed_single", "gain_trained"]
    if (frame.effective_documents == frame.n_test).all():
        constant += ["effective_documents"]
    columns = [
        name for name in EVIDENCE_COLUMNS if name not in constant and (frame[name].notna() & (frame[name] != "")).any()
    ]
    words = "The evidence for every arrow; standard errors and gains in points"
    return sheet_of(frame, columns, "evidence", words, study.tasks)


def _same(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Columns of ``edges.csv`` with the same value in every row; no table shows them."""
    if frame.empty:  # a study of one task
        return []
    sheet = sheet_of(frame.head(1), SAME_COLUMNS, "same", "")
    alike = {name: cell.raw for (name, _), cell in zip(sheet.columns, sheet.rows[0], strict=True) if cell.raw}
    return [(name, value) for name, value in alike.items() if frame[name].nunique(dropna=False) == 1]


def _target(matrix: AffinityMatrix, t: int) -> dict[str, Any]:
    sources = [arrow for arrow in matrix.arrows if arrow[1] == t]
    sources.sort(key=lambda arrow: -_or(float(matrix.gain[arrow]), -math.inf))
    single, runs = float(matrix.single_mean[t]), int(matrix.runs_single[t])
    return {
        "title": matrix.titles[t],
        "metric": matrix.study.tasks[t].metric_title,
        "single": "not measured" if math.isnan(single) else f"{single:z.1f}",
        "runs": runs,
        "n_test": int(matrix.n_test[t]),
        "arrows": [
            {
                "mark": style_of(matrix.verdict[arrow]).mark,
                "verdict": str(matrix.verdict[arrow]).replace(" ", "-"),
                "words": describe_arrow(matrix, arrow),
                "recommendation": str(matrix.recommendation[arrow]),
                "collapse": describe_collapse(matrix, arrow),
            }
            for arrow in sources
        ],
    }


def _or(value: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else float(value)


def _controls(matrix: AffinityMatrix) -> Sheet | None:
    if not matrix.controls:
        return None
    words = "Controls: arrows whose truth is known; gains in points, p not adjusted"
    return sheet_of(controls_frame(matrix), CONTROLS_COLUMNS, "controls", words, matrix.study.tasks)


def _collapsed(matrix: AffinityMatrix) -> Sheet | None:
    if not matrix.collapsed_runs:
        return None
    words = "Collapsed runs: test scores in points"
    return sheet_of(collapsed_frame(matrix.collapsed_runs), COLLAPSED_COLUMNS, "collapsed", words, matrix.study.tasks)


def _secondary(matrix: AffinityMatrix, store: RunStore) -> Sheet | None:
    frame = secondary_metrics_frame(matrix.study, store, matrix.rule)
    words = "The same gains by other metrics of the target; verdicts do not use them"
    return sheet_of(frame, SECONDARY, "secondary", words, matrix.study.tasks) if len(frame) else None
