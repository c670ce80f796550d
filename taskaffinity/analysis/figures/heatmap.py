"""Heat map of all gains, source by target, in the colours of the graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.patches import Rectangle

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.estimates.words import estimates_in_caption
from taskaffinity.analysis.figure_options import Order, PaletteName
from taskaffinity.analysis.figures.layout import FONT, PLAIN_TEXT, enlarged, frame, sheet, title_of
from taskaffinity.analysis.figures.looks import estimate_look, without_run
from taskaffinity.analysis.figures.order import task_order
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.style import ABOUT, DIAGONAL, PALETTES, STYLES, Palette, describe_marks, shortened, signed

ALL_NUMBERS = 16
"""Up to this many tasks every cell has its number; with more, only cells that improve or degrade."""
FADED = 0.72
"""How far the colour of an inconclusive cell moves to white, so that it does not draw the eye."""
PALE = 0.179
"""Relative luminance of a cell above which dark text has more contrast than white text."""


@PLAIN_TEXT
def draw_heatmap(
    matrix: AffinityMatrix, ax: Axes | None = None, palette: PaletteName = "paper", order: Order = "suite"
) -> Axes:
    """Draw all gains: sources are rows, targets are columns.

    Inconclusive cells are pale, however large their gain. Estimates, of pairs that were not measured, are outlined
    cells without colour. Both axes have the same order of tasks.
    """
    size, colours, places = len(matrix.tasks), PALETTES[palette], task_order(matrix, order)
    cell = 0.72 if size <= 8 else 0.6 if size <= ALL_NUMBERS else 0.44
    side = max(cell * size, 3.4)
    own = ax is None
    ax = ax or sheet(side + 3.1, side + 3.0, (1.75, 2.4, side, side))
    figure: Any = ax.get_figure(root=True)
    bar = None
    if own:
        width, height = figure.get_size_inches()
        bar = figure.add_axes(((1.75 + side + 0.2) / width, 2.4 / height, 0.16 / width, side / height))
    gain = matrix.gain[np.ix_(places, places)]
    largest = max(float(np.nanmax(np.abs(gain), initial=0.0)) if np.isfinite(gain).any() else 0.0, *matrix.margins)
    names, font = shortened(matrix.titles, 24), 8.5 * enlarged(72 * side, most=1.25)
    titles = [names[matrix.titles[place]] for place in places]
    ax.set_facecolor("white")
    sns.heatmap(
        gain,
        ax=ax,
        mask=np.isnan(gain),
        cmap=LinearSegmentedColormap.from_list("ramp", list(colours.ramp)),
        norm=TwoSlopeNorm(0.0, -largest, largest),
        vmin=-largest,  # without limits seaborn warns if no gain is known
        vmax=largest,
        linewidths=0.8,
        linecolor="white",
        square=True,
        cbar_ax=bar,
        cbar_kws={"label": "gain (points)"},
        xticklabels=titles,
        yticklabels=titles,
    )
    _cells(ax, matrix, places, colours)
    _diagonal(ax, size, colours)
    ax.set_xticklabels(titles, rotation=40, ha="right", rotation_mode="anchor", fontsize=font, family=FONT)
    ax.set_yticklabels(titles, rotation=0, fontsize=font, family=FONT)
    ax.set_xlabel("target (the task that the gain is measured on)", family=FONT, fontsize=font + 1.5)
    ax.set_ylabel("source (the task trained with it)", family=FONT, fontsize=font + 1.5)
    frame(
        ax,
        matrix,
        title_of(matrix),
        below=46 + 0.38 * font * max(map(len, titles)),
        left=-118 if own else 0,
        across=72 * (side + 2.6),
        note=_note(matrix, order),
        palette=colours,
    )
    return ax


def _cells(ax: Axes, matrix: AffinityMatrix, places: tuple[int, ...], palette: Palette) -> None:
    """Fade inconclusive cells, write numbers and marks, and outline the estimates."""
    few = len(places) <= ALL_NUMBERS
    mesh: Any = ax.collections[0]
    colours = mesh.to_rgba(matrix.gain)
    pale: dict[tuple[int, int], FloatArray] = {}
    estimated = []
    for row, s in enumerate(places):
        for column, t in enumerate(places):
            if s == t:
                continue
            verdict, gain = matrix.verdict[s, t], matrix.gain[s, t]
            if math.isnan(gain) and (look := estimate_look(matrix, (s, t), palette)):
                estimated.append((column, row))
                words = f"{ABOUT}{signed(look.value)}\n{look.style.mark}" if few else look.style.mark
                _write(ax, column, row, words, look.style.ink, 8 if few else 7)
                continue
            if math.isnan(gain):
                words = without_run(matrix, (s, t)).replace(" m", "\nm")  # a cell is narrow
                _write(ax, column, row, words if few else "–", "#666666", 7)
                continue
            ground = colours[s, t]
            if verdict == "inconclusive":
                ground = np.append(FADED + (1 - FADED) * ground[:3], 1.0)
                pale[column, row] = ground
            ink = ".15" if _luminance(ground) > PALE else "white"
            mark = STYLES[verdict].mark
            if few:
                _write(ax, column, row, f"{signed(gain)}\n{mark}", ink, 8.5, bold=verdict != "inconclusive")
            elif verdict in ("improves", "degrades"):
                _write(ax, column, row, f"{signed(gain)}\n{mark}", ink, 8, bold=True)
            elif verdict == "no effect":
                _write(ax, column, row, mark, ink, 8)
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    if pale:  # one artist: thousands of patches take minutes and much memory to draw
        style: dict[str, Any] = {"facecolors": np.array([*pale.values()]), "edgecolors": "white", "linewidths": 0.8}
        _add(ax, np.array([*pale])[:, None] + square, "inconclusive", style)
    if estimated:
        style = {"facecolors": "white", "edgecolors": palette.estimate[0], "linewidths": 1.0}
        _add(ax, np.array(estimated)[:, None] + 0.06 + 0.88 * square, "estimated", style)


def _add(ax: Axes, corners: Any, gid: str, style: dict[str, Any]) -> None:
    """Add one artist of many squares, whose corners are (n, 4, 2)."""
    ax.add_collection(PolyCollection(corners, **style, zorder=1.5, gid=gid), autolim=False)


def _write(ax: Axes, column: int, row: int, words: str, ink: str, size: float, *, bold: bool = False) -> None:
    ax.text(
        *(column + 0.5, row + 0.5, words),
        ha="center",
        va="center",
        fontsize=size,
        color=ink,
        family=FONT,
        fontweight="bold" if bold else "normal",
        linespacing=1.1,
    )


def _diagonal(ax: Axes, size: int, colours: Palette) -> None:
    hatch = "////" if colours.is_grey else None  # a plain grey diagonal would look like a gain
    for place in range(size):
        ax.add_patch(Rectangle((place, place), 1, 1, fc=DIAGONAL, ec="white", linewidth=0.8, hatch=hatch))


def _note(matrix: AffinityMatrix, order: Order) -> str:
    words = [describe_marks()]
    has_open = bool(matrix.select("inconclusive"))
    if len(matrix.tasks) > ALL_NUMBERS:
        words.append("Numbers show gains that improve or degrade; pale cells without a mark are inconclusive.")
    elif has_open:
        words.append("Inconclusive cells are pale, however large their gain.")
    if order == "clustered":
        words.append("Tasks with similar gains stand side by side.")
    return " ".join(filter(None, [*words, estimates_in_caption(matrix)]))


def _luminance(color: FloatArray) -> float:
    """Relative luminance (0 to 1) of an sRGB colour."""
    linear = np.where(color <= 0.03928, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return float(linear[:3] @ np.array([0.2126, 0.7152, 0.0722]))
