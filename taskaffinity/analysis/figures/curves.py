"""Learning curves: dev scores by epoch, of single-task runs and of pairs.

They show whether the dev score still improves when training ends.
"""

from __future__ import annotations

from typing import get_args

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.figure_options import PaletteName
from taskaffinity.analysis.figures import labels
from taskaffinity.analysis.figures.layout import FONT, PLAIN_TEXT, SIGNIFICANT, frame, verdict_legend
from taskaffinity.analysis.figures.small_multiples import small_multiples
from taskaffinity.analysis.statistics.verdicts import Verdict
from taskaffinity.analysis.style import PALETTES, Palette, shortened, style_of
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

LEADER = {"arrowstyle": "-", "color": "#BBBBBB", "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0}
"""Thin line from the end of a curve to its name, if the name had to move."""
NAMED = 7
"""Up to this many sources are all named; of more, those that improve or degrade."""
CURVES_COLUMNS = ("source", "target", "seed", "epoch", "score")


def curves_frame(study: Study, store: RunStore) -> pd.DataFrame:
    """Dev scores on the metric's scale: one row per run, target and epoch.

    ``source`` is empty for single-task runs. In a study that evaluates after fine-tuning, the epochs of fine-tuning
    are given. Epochs without evaluation have no row; ``--protocol paper`` evaluates only the last epoch.
    """
    rows = []
    for spec in study.plan:
        if (spec.stage == "finetune") != (study.evaluate_after == "finetune"):
            continue
        first = spec.trained_as
        if first.arm not in ("single", "pair"):
            continue
        run = store.get(spec)
        for epoch in run.history if run else ():
            for target, score in epoch.get("dev", {}).items():
                source = "".join(name for name in first.task_names if name != target)
                rows.append((source, target, spec.seed, epoch["epoch"], score))
    return pd.DataFrame(rows, columns=list(CURVES_COLUMNS)).sort_values(list(CURVES_COLUMNS[:4]), ignore_index=True)


@PLAIN_TEXT
def draw_curves(matrix: AffinityMatrix, curves: pd.DataFrame, palette: PaletteName = "paper") -> Figure:
    """Draw one small axes per target, with a mean curve per source in its verdict's style.

    The mean of the single-task runs is black; a thin line shows each of these runs. Names stand at the ends of the
    single-task mean and of the sources: of more than ``NAMED`` sources, of those that improve or degrade.

    Parameters
    ----------
    matrix : AffinityMatrix
    curves : DataFrame
        ``curves_frame`` of the same study.
    """
    colours = PALETTES[palette]
    names = shortened(matrix.titles, 28)
    titles = [names[title] for title in matrix.titles]
    height = max(1.7, 0.13 * len(matrix.tasks))
    backdrop, axes = small_multiples(titles, width=2.3, height=height, left=0.45, right=1.3, below=0.55)
    for t, ax in enumerate(axes):
        _target(ax, matrix, t, curves[curves.target == matrix.tasks[t]], colours)
    verdict_legend(backdrop, colours)
    note = (
        "Each line is the mean over seeds of the target's dev score after an epoch. Black: single-task training, with "
        "a thin line per seed. Colours show the verdicts, which use test scores."
    )
    if len(matrix.tasks) - 1 > NAMED:
        note += " Only sources that improve or degrade are named."
    if not len(curves):
        note = "No run has stored dev scores by epoch."
    frame(backdrop, matrix, "Dev score by epoch (points)", below=30, note=note, palette=colours)
    return backdrop.get_figure(root=True)  # type: ignore[return-value]


def _target(ax: Axes, matrix: AffinityMatrix, t: int, rows: pd.DataFrame, colours: Palette) -> None:
    ends: list[tuple[float, str, str]] = []
    names = shortened(matrix.titles, 16)
    # Inconclusive sources first, so that named curves lie on top.
    sources = [s for s in range(len(matrix.tasks)) if s != t]
    for s in sorted(sources, key=lambda s: -get_args(Verdict).index(matrix.verdict[s, t])):
        mean = POINTS * rows[rows.source == matrix.tasks[s]].groupby("epoch").score.mean()
        if not len(mean):
            continue
        verdict = matrix.verdict[s, t]
        style = style_of(verdict, colours.verdicts)
        _line(ax, mean, style.color, style.line, 1.8 if verdict in SIGNIFICANT else 1.0, f"{matrix.tasks[s]}")
        if verdict in SIGNIFICANT or len(sources) <= NAMED:
            ends.append((mean.iloc[-1], f"{style.mark} {names[matrix.titles[s]]}", style.ink))
    single = rows[rows.source == ""]
    for _, run in single.groupby("seed"):
        ax.plot(run.epoch, POINTS * run.score, color="#555555", linewidth=0.4, alpha=0.7, zorder=3)
    mean = POINTS * single.groupby("epoch").score.mean()
    if len(mean):
        _line(ax, mean, "#111111", "-", 1.8, "single-task")
        ends.append((mean.iloc[-1], "single-task", "#111111"))
    ax.set_xlabel("epoch", fontsize=7.5, family=FONT, labelpad=1)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.margins(x=0.02)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    gap = (high - low) * 0.115 / (ax.bbox.height / ax.figure.dpi)
    for (y, words, ink), place in zip(ends, labels.spread([end[0] for end in ends], gap, low, high), strict=True):
        ax.annotate(
            words,
            (1.0, y),
            xytext=(1.06, place),
            xycoords=ax.get_yaxis_transform(),
            textcoords=ax.get_yaxis_transform(),
            fontsize=7,
            color=ink,
            va="center",
            family=FONT,
            annotation_clip=False,
            arrowprops=LEADER | {"relpos": (0, 0.5)},
            gid="label",
        )


def _line(ax: Axes, mean: pd.Series, color: str, line: object, width: float, gid: str) -> None:
    (drawn,) = ax.plot(
        mean.index, mean, color=color, linestyle=line, linewidth=width, marker="." if len(mean) == 1 else "", zorder=4
    )
    drawn.set_gid(f"curve {gid}")
