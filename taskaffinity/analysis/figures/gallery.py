"""Draws and saves all figures of a results folder, with a description in every file."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import describe
from taskaffinity.analysis.cautions.advice import describe_runs_briefly
from taskaffinity.analysis.figure_options import DEFAULT, FILES, FigureOptions
from taskaffinity.analysis.figures.curves import curves_frame, draw_curves
from taskaffinity.analysis.figures.fonts import one_line_for_missing_glyphs
from taskaffinity.analysis.figures.forest import draw_forest, draw_forests
from taskaffinity.analysis.figures.graph import ALL_ARROWS, draw_graph
from taskaffinity.analysis.figures.groups import describe_figure, draw_groups
from taskaffinity.analysis.figures.heatmap import draw_heatmap
from taskaffinity.analysis.figures.layout import KINDS, save_figure
from taskaffinity.analysis.figures.seeds import draw_seeds
from taskaffinity.analysis.figures.slopes import draw_stages, stages_described
from taskaffinity.analysis.figures.targets import draw_targets
from taskaffinity.analysis.groups.chosen import ChosenGroups
from taskaffinity.analysis.paper.stages import failures, stage_scores
from taskaffinity.analysis.tables.frames import scores_frame
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

DESCRIPTIONS = {
    "forest": "Every gain with its interval and its seeds, by target.\n",
    "targets": "One small graph for every target, with all arrows into it.\n",
    "seeds": "The test score of every seed in single-task training and with every source, by target.\n",
    "curves": "Dev scores by epoch in single-task training and with every source, by target.\n",
}
"""First line of a figure's description; the verdicts follow. Other figures show only the verdicts."""


OF_TEST_SETS = ("heatmap", "forest")
"""Figures that each further test set has, too."""


def remove_figures_of_other_test_sets(study: Study, root: Path) -> None:
    """Remove the figures of test sets that the study does not have."""
    for name in OF_TEST_SETS:
        for path in root.glob(f"{FILES[name]}@*"):
            if path.suffix.removeprefix(".") in KINDS and path.stem.partition("@")[2] not in study.test_sets:
                path.unlink()


@one_line_for_missing_glyphs()
def save_figures(
    matrix: AffinityMatrix,
    store: RunStore,
    root: Path,
    figure_options: FigureOptions,
    scores: pd.DataFrame,
    words: str,
) -> None:
    """Write the requested figures of a study of pairs in every requested format.

    Parameters
    ----------
    scores : DataFrame
        ``scores_frame`` of the study.
    words : str
        ``describe`` of the matrix, which every file stores.
    """
    for name in figure_options.figures:
        if name != "stages":
            _save(
                draw_figure(name, matrix, store, figure_options, scores),
                root,
                FILES[name],
                figure_options,
                DESCRIPTIONS.get(name, "") + words,
            )


@one_line_for_missing_glyphs()
def save_test_set_figures(
    matrix: AffinityMatrix, store: RunStore, root: Path, figure_options: FigureOptions, scores: pd.DataFrame
) -> None:
    """Write those of the requested figures that a further test set has, such as ``heatmap@NAME.png``."""
    for name in (name for name in figure_options.figures if name in OF_TEST_SETS):
        drawn = draw_figure(name, matrix, store, figure_options, scores)
        words = DESCRIPTIONS.get(name, "") + describe(matrix)
        _save(drawn, root, f"{FILES[name]}@{matrix.test_set}", figure_options, words)


@one_line_for_missing_glyphs()
def save_stage_figures(study: Study, store: RunStore, root: Path, figure_options: FigureOptions) -> None:
    """Write the figure of a study in stages."""
    scores = stage_scores(study, store)
    ax = draw_stages(
        study,
        scores,
        palette=figure_options.palette,
        failed=failures(study, store),
        cautions=describe_runs_briefly(study, store),
    )
    _save(ax, root, FILES["stages"], figure_options, stages_described(study, scores))


@one_line_for_missing_glyphs()
def save_group_figure(chosen: ChosenGroups, root: Path) -> None:
    """Write the figure of the chosen groups, ``groups.{png,svg}``."""
    figure, words = draw_groups(chosen), describe_figure(chosen)
    for kind in DEFAULT.formats:
        save_figure(figure, root / f"groups.{kind}", alt=words)


def draw_figure(
    name: str,
    matrix: AffinityMatrix,
    store: RunStore,
    figure_options: FigureOptions,
    scores: pd.DataFrame | None = None,
) -> Axes | Figure:
    """Draw the figure called ``name``, a key of ``FILES``, for a study of pairs.

    Parameters
    ----------
    scores : DataFrame, optional
        ``scores_frame`` of the study. Default: it is made here, if the figure shows scores.
    """
    study, palette = matrix.study, figure_options.palette
    if name == "graph":
        return draw_graph(matrix, palette=palette)
    if name == "heatmap":
        return draw_heatmap(matrix, palette=palette, order=figure_options.order)
    if name == "targets":
        return draw_targets(matrix, palette)
    if name == "curves":
        return draw_curves(matrix, curves_frame(study, store), palette)
    gains = scores_frame(study, store, matrix.collapsed_runs) if scores is None else scores
    if name == "seeds":
        return draw_seeds(matrix, gains, palette)
    if name == "forest" and len(matrix.tasks) > ALL_ARROWS:
        return draw_forests(matrix, gains, palette, figure_options.order)
    if name == "forest":
        return draw_forest(matrix, gains, palette=palette, order=figure_options.order)
    names = ", ".join(figure for figure in FILES if figure != "stages")
    raise ValueError(f"found the figure name {name!r}; expected one of {names}")


def _save(drawn: Axes | Figure, root: Path, file: str, figure_options: FigureOptions, words: str) -> None:
    figure = drawn if isinstance(drawn, Figure) else cast(Figure, drawn.get_figure(root=True))
    for kind in figure_options.formats:
        save_figure(figure, root / f"{file}.{kind}", alt=words)
