"""Learning curves: dev scores by epoch, alone and with each partner. They show whether training had come to its end."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.figure_options import PaletteName
from taskaffinity.analysis.figures import labels
from taskaffinity.analysis.figures.layout import FONT, SIGNIFICANT, frame, verdict_legend
from taskaffinity.analysis.figures.small_multiples import facets
from taskaffinity.analysis.style import PALETTES, STYLES, Palette, short
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

LEADER = {"arrowstyle": "-", "color": "#BBBBBB", "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0}
"""From a line's end to its name, where names had to make room."""
CURVES_COLUMNS = ("source", "target", "seed", "epoch", "score")


def curves_frame(study: Study, store: RunStore) -> pd.DataFrame:
    """One row a dev score of an epoch, of runs alone (``source`` is empty) and of pairs; the metric's own scale.

    Where gains are read after fine-tuning, the epochs are those of fine-tuning.
    Epochs that were not looked at (``--protocol paper`` looks at the last alone) have no row.
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


def draw_curves(matrix: AffinityMatrix, curves: pd.DataFrame, palette: PaletteName = "paper") -> Figure:
    """A small axes a target: all runs alone thin, their mean black; with each source the mean, in its verdict's line.

    Named at their ends are the mean alone and the sources that improve or degrade.

    Parameters
    ----------
    matrix : AffinityMatrix
    curves : DataFrame
        ``curves_frame`` of the same study.
    """
    colours = PALETTES[palette]
    titles = [short(title, 28) for title in matrix.titles]
    height = max(1.7, 0.13 * len(matrix.tasks))
    backdrop, axes = facets(titles, width=2.3, height=height, left=0.45, right=1.3, below=0.55)
    for t, ax in enumerate(axes):
        _target(ax, matrix, t, curves[curves.target == matrix.tasks[t]], colours)
    verdict_legend(backdrop, colours)
    note = (
        "Lines are means over seeds of the score on the target's dev part after each epoch; black: alone, with each of "
        "its seeds thin. Verdicts are of the test scores. Names: alone, and what improves or degrades."
    )
    if not len(curves):
        note = "No run kept dev scores by epoch."
    frame(backdrop, matrix, "Dev score by epoch (points)", below=30, note=note, palette=colours)
    return backdrop.get_figure(root=True)  # type: ignore[return-value]


def _target(ax: Axes, matrix: AffinityMatrix, t: int, rows: pd.DataFrame, colours: Palette) -> None:
    ends: list[tuple[float, str, str]] = []
    # Undecided first, so that what is named lies on top.
    sources = [s for s in range(len(matrix.tasks)) if s != t]
    for s in sorted(sources, key=lambda s: -list(STYLES).index(matrix.verdict[s, t])):
        mean = POINTS * rows[rows.source == matrix.tasks[s]].groupby("epoch").score.mean()
        if not len(mean):
            continue
        verdict = matrix.verdict[s, t]
        style = colours.verdicts[verdict]
        _line(ax, mean, style.color, style.line, 1.8 if verdict in SIGNIFICANT else 1.0, f"{matrix.tasks[s]}")
        if verdict in SIGNIFICANT:
            ends.append((mean.iloc[-1], f"{style.mark} {short(matrix.titles[s], 16)}", style.ink))
    alone = rows[rows.source == ""]
    for _, run in alone.groupby("seed"):
        ax.plot(run.epoch, POINTS * run.score, color="#555555", linewidth=0.4, alpha=0.7, zorder=3)
    mean = POINTS * alone.groupby("epoch").score.mean()
    if len(mean):
        _line(ax, mean, "#111111", "-", 1.8, "alone")
        ends.append((mean.iloc[-1], "alone", "#111111"))
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
