"""Print the tables of a study and the paths of its files."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from taskaffinity.analysis.figure_options import DEFAULT, FORMATS, FigureOptions
from taskaffinity.analysis.figure_options import FILES as FIGURES
from taskaffinity.analysis.joint_results import EncoderResults, StagesResults
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.errors import InputError, as_user_error
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import FILES, Design, Study
from taskaffinity.studies.listener import BANNER

if TYPE_CHECKING:
    from pandas import DataFrame

    from taskaffinity.analysis.affinity import AffinityMatrix
    from taskaffinity.runs.rule import Rule

OF_PAIRS = tuple(name for name in FIGURES if name != "stages")
"""Figures of a study of pairs."""


def warn_if_synthetic(is_synthetic: bool) -> None:
    """Print the banner of synthetic text on stderr, even with ``--quiet``."""
    if is_synthetic:
        Console(stderr=True, highlight=False, soft_wrap=True).print(BANNER, style="bold yellow")


def read_study(results: Path, design: Design = "pairwise") -> Study:
    """Read the study of a results folder.

    Raises
    ------
    InputError
        If there is no study, or its file is broken.
    """
    try:
        return Study.load(results, design)
    except (FileNotFoundError, ValueError) as error:
        raise InputError(str(error)) from error


def describe_other_rule(rule: Rule, study: Study, results: Path, drawn: FigureOptions = DEFAULT) -> list[str]:
    """Return a line that says which files follow a rule that is not the study's, and how all can agree.

    Parameters
    ----------
    drawn : FigureOptions
        The figures that were drawn by the rule.
    """
    ours, theirs = asdict(rule), asdict(study.rule)
    changed = [f"{name} {ours[name]} (study: {theirs[name]})" for name in ours if ours[name] != theirs[name]]
    if not changed:
        return []
    figures, again = drawn.files(OF_PAIRS), f"taskaffinity graph {shlex.quote(str(results))}"
    again += f" --figures {','.join(drawn.figures)}" * (drawn.figures != DEFAULT.figures)
    again += f" --format {','.join(drawn.formats)}" * (drawn.formats != DEFAULT.formats)
    others = [f"{FIGURES[name]}.{kind}" for name in OF_PAIRS for kind in FORMATS]
    others = [name for name in others if name not in figures and (results / name).exists()]
    others_line = f"; {', '.join(others)} do not" if others else ""
    return [
        f"another rule than in {FILES['pairwise']}: {', '.join(changed)}. The tables of gains, affinity.txt, "
        f"affinity.graphml, {', '.join(figures)} now follow it"
        f"{others_line}. report, table, compare and ta.load follow the study unless they get the same options; "
        "group follows the study. To make all agree, repeat the command of the study with these options (finished runs "
        f"are not trained again), or go back with `{again}`"
    ]


def publish_and_print(study: Study, results: Path, rule: Rule, figure_options: FigureOptions = DEFAULT) -> None:
    """Compute gains, draw the figures of a results folder, and print the table.

    Raises
    ------
    InputError
        If a file of the folder is broken.
    """
    from taskaffinity.analysis.publish import publish  # matplotlib and pandas: not for --help

    try:
        matrix = publish(study, RunStore(results), results, rule, figure_options=figure_options)
    except ValueError as error:
        raise InputError(str(error)) from error
    print_matrix(matrix, results, figure_options)


def print_pairwise(result: PairwiseResults) -> None:
    """Print the table of a pairwise study and the paths of its files."""
    print_matrix(result.matrix, result.root)


def print_full(result: StagesResults | EncoderResults) -> None:
    """Print the table of a study in stages or of several encoders, and its files."""
    if isinstance(result, StagesResults):
        print_stages(result.study, result.store)
        Console(highlight=False, soft_wrap=True, markup=False).print(
            f"{result.root / 'stages.csv'}, stages_scores.csv beside it"
        )
        return
    print_encoders(result)
    each = ", ".join(str(one.root / "stages.csv") for one in result.studies)
    print(f"{result.root / 'encoders.csv'}; one table per encoder: {each}")


def print_matrix(matrix: AffinityMatrix, results: Path, figure_options: FigureOptions = DEFAULT) -> None:
    """Print the arrows, what would decide inconclusive ones, and the paths of the files."""
    from taskaffinity.analysis.captions import describe_controls, describe_sequential
    from taskaffinity.analysis.cautions.advice import describe_advice
    from taskaffinity.analysis.decisions import cheapest_decisions
    from taskaffinity.analysis.measure import measure_further
    from taskaffinity.analysis.tables.predictions import describe_all_together
    from taskaffinity.analysis.tables.printed import edge_table

    console, store = Console(highlight=False, soft_wrap=True, markup=False), RunStore(results)
    console.print(edge_table(matrix))
    further = measure_further(matrix.study, store, matrix.rule)
    for one in further:
        console.print(edge_table(one))
    for line in describe_all_together(matrix, store):
        console.print(line)
    if matrix.study.groups:
        _print_group_arrows(console, matrix, results)
    designs = (*describe_controls(matrix), *describe_sequential(matrix))
    needs = [line for one in (matrix, *further) for line in cheapest_decisions(one)]
    for line in (*needs, *describe_advice(matrix), *designs):
        console.print(line)
    drawn = figure_options.files(OF_PAIRS)
    tables = "edges.csv, test_sets.csv and scores.csv" if matrix.study.test_sets else "edges.csv and scores.csv"
    beside = ", ".join([*(drawn[1:] if figure_options != DEFAULT else ()), tables])
    console.print(f"{results / drawn[0]}, {beside} beside it")


def _print_group_arrows(console: Console, matrix: AffinityMatrix, results: Path) -> None:
    """Print the group arrows beside their predictions from pairs."""
    from taskaffinity.analysis.group_arrows import measure_group_arrows
    from taskaffinity.analysis.tables.group_arrows import group_arrows_table

    console.print(group_arrows_table(measure_group_arrows(matrix.study, RunStore(results), matrix.rule)))
    console.print(str(results / "group_arrows.csv"))


def draw_stages_and_print(study: Study, results: Path, figure_options: FigureOptions) -> None:
    """Draw the figures of a study in stages again, and print a path.

    Raises
    ------
    InputError
        If a file of the folder is broken.
    """
    from taskaffinity.analysis.figures.gallery import save_stage_figures

    try:
        save_stage_figures(study, RunStore(results), results, figure_options)
    except ValueError as error:
        raise InputError(str(error)) from error
    Console(highlight=False, soft_wrap=True, markup=False).print(str(results / figure_options.files(["stages"])[0]))


def print_stages(study: Study, store: RunStore, format_: str = "text") -> None:
    """Print the table of a study in stages.

    Parameters
    ----------
    format_ : str
        ``text``, ``csv`` (one row per task and stage), ``markdown`` or ``latex``.

    Raises
    ------
    InputError
        If a file of the store is broken.
    """
    from taskaffinity.analysis.cautions.advice import describe_stage_advice
    from taskaffinity.analysis.paper.captions import describe_stages
    from taskaffinity.analysis.paper.stages import failures, stage_scores, stages_frame, stages_table, uneven
    from taskaffinity.analysis.secondary_metrics import describe_secondary_metrics, secondary_metrics_by_stage

    try:
        scores, secondary = stage_scores(study, store), secondary_metrics_by_stage(study, store)
        cautions = describe_stage_advice(study, store)
    except ValueError as error:
        raise InputError(str(error)) from error
    words = describe_stages(study, uneven(study, scores), failures(study, store))
    words = " ".join(filter(None, [words, describe_secondary_metrics(study, secondary), *cautions]))
    _print_table(stages_table(study, scores), stages_frame(study, scores), words, format_)


def print_encoders(result: EncoderResults, format_: str = "text") -> None:
    """Print the fine-tuned scores of several encoders; ``csv`` has every stage.

    Raises
    ------
    InputError
        If a file of a store is broken.
    """
    from taskaffinity.analysis.paper.captions import describe_encoders
    from taskaffinity.analysis.paper.encoders import encoder_scores, encoders_frame, encoders_table

    with as_user_error():
        found, advice = encoder_scores([(one.study, one.store) for one in result.studies]), result.advice
    words = " ".join([describe_encoders(found), *advice])
    _print_table(encoders_table(found), encoders_frame(found), words, format_)


def print_arrows(study: Study, store: RunStore, format_: str, rule: Rule) -> None:
    """Print every arrow of a pairwise study; ``csv`` has the columns of edges.csv.

    Raises
    ------
    InputError
        If a file of the store is broken.
    """
    from taskaffinity.analysis.captions import caption
    from taskaffinity.analysis.measure import measure
    from taskaffinity.analysis.tables.frames import edges_frame
    from taskaffinity.analysis.tables.printed import arrow_table

    with as_user_error():
        matrix = measure(study, store, rule)
    _print_table(arrow_table(matrix), edges_frame(matrix), caption(matrix), format_)


def print_claims(study: Study, store: RunStore, format_: str, rule: Rule) -> None:
    """Print the paper's claims about Figure 2 beside a study.

    ``csv`` has one row per claim and arrow.

    Raises
    ------
    InputError
        If a file of the store is broken.
    """
    from taskaffinity.analysis.measure import measure
    from taskaffinity.analysis.paper.figure2 import describe_claims, figure2_frame, figure2_table

    with as_user_error():
        matrix = measure(study, store, rule)
    _print_table(figure2_table(matrix), figure2_frame(matrix), describe_claims(matrix), format_)


def _print_table(table: DataFrame, frame: DataFrame, words: str, format_: str) -> None:
    from taskaffinity.analysis.tables.formats import as_latex, as_markdown, as_text
    from taskaffinity.analysis.tables.frames import as_csv

    if format_ == "text":
        shown = as_text(table, words)
        needed = Console(width=1000).measure(shown).maximum  # no cell is cut, however narrow the terminal
        width = max(needed, Console().width)
        Console(highlight=False, markup=False, width=width).print(shown)
    elif format_ == "csv":
        print(as_csv(frame), end="")
    else:
        print({"markdown": as_markdown, "latex": as_latex}[format_](table, words), end="")
