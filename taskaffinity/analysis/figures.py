"""The affinity graph and the heatmap: each takes a matrix and ``ax=None``, returns the Axes, and writes nothing.

The settings are those of LOOKS.md 3.2-3.3, which were tried and looked at. Nodes stand on a circle in the suite's
order, so a picture does not move when the numbers do.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox

from taskaffinity.analysis import strokes
from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.canvas import FONT, frame, save_figure, sheet
from taskaffinity.analysis.style import DIAGONAL, STYLES, signed
from taskaffinity.analysis.verdicts import VERDICTS, Verdict

__all__ = ["draw_graph", "draw_heatmap", "save_figure"]

TITLE = "Gain over single-task training (points)"
ALL_ARROWS = 6
"""Up to so many tasks every arrow is drawn; above, the labels of all would collide."""
MANY = tuple(np.linspace(0, 1, 80).tolist())
COLOURED: tuple[Verdict, ...] = ("improves", "degrades")


def draw_graph(matrix: AffinityMatrix, ax: Axes | None = None) -> Axes:
    """The paper's Figure 2, with sizes: an arrow from source to target, its verdict by colour, line, head and sign.

    Above six tasks only arrows that improve or degrade are drawn, and the caption says so.
    """
    size = len(matrix.tasks)
    ax = ax or sheet(6.4, 8.0, (0.2, 1.6, 6.0, 6.0))
    places = strokes.circle(size)
    reach = float(np.abs(places).max()) + 0.3
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set_axis_off()
    ax.apply_aspect()
    node = 60.0 if size <= 4 else 51.0
    drawn = [arrow for arrow in matrix.arrows if not math.isnan(matrix.gain[arrow])]
    if size > ALL_ARROWS:
        drawn = [arrow for arrow in drawn if matrix.verdict[arrow] in COLOURED]
    # Undecided first, so that what is decided lies on top and its labels are placed first.
    drawn.sort(key=lambda arrow: -VERDICTS.index(matrix.verdict[arrow]))
    largest = max((abs(matrix.gain[arrow]) for arrow in matrix.select(*COLOURED)), default=1.0)
    strokes.draw_nodes(ax, places, node)
    for place, title, score in zip(places, matrix.titles, matrix.single_mean, strict=True):
        strokes.write_node(ax, place, title, "" if math.isnan(score) else f"{score:.1f}", node)
    half = strokes.to_data(ax, node / 2)
    taken = [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in places]
    bends = {(s, t): strokes.bend(places[s], places[t], size) for s, t in drawn}
    curves = {(s, t): strokes.curve(places[s], places[t], bends[s, t], MANY) for s, t in drawn}
    for rank, (s, t) in reversed(list(enumerate(drawn))):
        verdict, ends, rad = matrix.verdict[s, t], (places[s], places[t]), bends[s, t]
        style, gid = STYLES[verdict], f"{matrix.tasks[s]} {matrix.tasks[t]}"
        width = 1.2 + (3.8 * abs(matrix.gain[s, t]) / largest if verdict in COLOURED else 0.0)
        strokes.draw_arrow(ax, *ends, rad, style, width=width, node=node, zorder=1 + rank / 1000, gid=gid)
        taken.append(
            strokes.write_label(
                ax,
                strokes.curve(*ends, rad, strokes.LABEL_PLACES),
                signed(matrix.gain[s, t]) + "?" * (verdict == "inconclusive"),
                style,
                taken=taken,
                others=np.concatenate([np.empty((0, 2)), *(c for arrow, c in curves.items() if arrow != (s, t))]),
                gid=gid,
            )
        )
    _legend(ax)
    frame(ax, matrix, TITLE, below=30, note=_left_out(matrix, drawn))
    return ax


def draw_heatmap(matrix: AffinityMatrix, ax: Axes | None = None) -> Axes:
    """Every gain at once: rows help, columns are helped; decided cells are bold and marked, the others carry ``?``."""
    size = len(matrix.tasks)
    cell = 0.72 if size <= 8 else 0.6
    side = max(cell * size, 3.4)
    own = ax is None
    ax = ax or sheet(side + 3.1, side + 3.0, (1.75, 2.4, side, side))
    top = float(np.nanmax(np.abs(matrix.gain), initial=0.0)) if np.isfinite(matrix.gain).any() else 0.0
    top = max(top, *matrix.margins)
    cells = np.array([["" for _ in matrix.tasks] for _ in matrix.tasks], dtype=object)
    for arrow in matrix.arrows:
        known = not math.isnan(matrix.gain[arrow])
        cells[arrow] = f"{signed(matrix.gain[arrow])}\n{STYLES[matrix.verdict[arrow]].mark}" if known else "no run"
    figure: Any = ax.get_figure(root=True)
    bar = None
    if own:
        width, height = figure.get_size_inches()
        bar = figure.add_axes(((1.75 + side + 0.2) / width, 2.4 / height, 0.16 / width, side / height))
    ax.set_facecolor("white")
    sns.heatmap(
        matrix.gain,
        ax=ax,
        annot=cells,
        fmt="",
        mask=np.isnan(matrix.gain),
        cmap="PuOr",
        norm=TwoSlopeNorm(0.0, -top, top),
        vmin=-top,
        vmax=top,
        linewidths=0.8,
        linecolor="white",
        square=True,
        cbar_ax=bar,
        cbar_kws={"label": "gain (points)"},
        xticklabels=list(matrix.titles),
        yticklabels=list(matrix.titles),
        annot_kws={"fontsize": 8.5, "family": FONT, "linespacing": 1.1},
    )
    for text in ax.texts:
        column, row = (int(value) for value in text.get_position())
        text.set_fontweight("normal" if matrix.verdict[row, column] == "inconclusive" else "bold")
    for place in range(size):
        ax.add_patch(Rectangle((place, place), 1, 1, facecolor=DIAGONAL, edgecolor="white", linewidth=0.8))
    for s, t in matrix.arrows:
        if math.isnan(matrix.gain[s, t]):
            ax.text(t + 0.5, s + 0.5, "no run", ha="center", va="center", fontsize=7, color="#666666", family=FONT)
    ax.set_xticklabels(matrix.titles, rotation=40, ha="right", rotation_mode="anchor", fontsize=8.5, family=FONT)
    ax.set_yticklabels(matrix.titles, rotation=0, fontsize=8.5, family=FONT)
    ax.set_xlabel("target task: the one that is helped or hurt", family=FONT)
    ax.set_ylabel("helper (source) task", family=FONT)
    marks = ", ".join(f"{STYLES[verdict].mark} {verdict}" for verdict in VERDICTS)
    frame(
        ax,
        matrix,
        TITLE,
        below=46 + 3.2 * max(map(len, matrix.titles)),
        left=-118 if own else 0,
        across=72 * (side + 2.6),
        note=f"Marks: {marks}.",
    )
    return ax


def _legend(ax: Axes) -> None:
    handles = [
        Line2D([], [], color=style.color, linestyle=style.line, linewidth=2.4 if verdict in COLOURED else 1.6)
        for verdict, style in STYLES.items()
    ]
    labels = [f"{verdict} (?)" if verdict == "inconclusive" else verdict for verdict in STYLES]
    ax.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=4,
        frameon=False,
        handlelength=4.4,
        columnspacing=1.4,
        handletextpad=0.6,
        prop={"family": FONT, "size": 8.5},
    )


def _left_out(matrix: AffinityMatrix, drawn: list[tuple[int, int]]) -> str:
    unmeasured = sum(math.isnan(matrix.gain[arrow]) for arrow in matrix.arrows)
    if len(matrix.tasks) <= ALL_ARROWS:
        return f"Not drawn: {unmeasured} of {len(matrix.arrows)} arrows, which have no run." if unmeasured else ""
    counts = [f"{len(matrix.select(verdict))} {verdict}" for verdict in ("no effect", "inconclusive")]
    return f"Drawn: the {len(drawn)} arrows that improve or degrade; not drawn: {', '.join(counts)}."
