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
from matplotlib.colors import Colormap, LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.figure_options import PaletteName
from taskaffinity.analysis.figures import arrows
from taskaffinity.analysis.figures.layout import COLOURED, FONT, frame, save_figure, sheet, verdict_legend
from taskaffinity.analysis.statistics.standard_errors import FloatArray
from taskaffinity.analysis.statistics.verdicts import VERDICTS
from taskaffinity.analysis.style import DIAGONAL, PALETTES, STYLES, describe_marks, signed

__all__ = ["draw_graph", "draw_heatmap", "save_figure"]

TITLE = "Gain over single-task training (points)"
ALL_ARROWS = 6
"""Up to so many tasks every arrow is drawn; above, the labels of all would collide."""
MOST_TASKS = 12
"""Above, a graph is a tangle whatever is left out, and the heatmap takes its place."""
MANY = tuple(np.linspace(0, 1, 80).tolist())
FADED = 0.72
"""How far the colour of an inconclusive cell goes to white: what is not known is not to catch the eye."""
PALE = 0.28
"""Relative luminance of a cell above which its text is dark."""


def draw_graph(matrix: AffinityMatrix, ax: Axes | None = None, palette: PaletteName = "paper") -> Axes:
    """The paper's Figure 2, with sizes: an arrow from source to target, its verdict by colour, line, head and sign.

    Above six tasks only arrows that improve or degrade are drawn, above twelve the heatmap instead; the caption says
    so.

    Examples
    --------
    In a checkout of this repository:

    >>> from pathlib import Path
    >>> from taskaffinity import RunStore, Study, measure
    >>> root = Path("notebooks/example_results")
    >>> ax = draw_graph(measure(Study.load(root), RunStore(root)), palette="colorblind")
    >>> ax.figure.savefig("affinity.png")  # doctest: +SKIP
    """
    size, colours = len(matrix.tasks), PALETTES[palette]
    if size > MOST_TASKS:
        return draw_heatmap(matrix, ax, palette, note=f"Above {MOST_TASKS} tasks this heatmap stands for the graph.")
    side = 6.0 if size <= ALL_ARROWS else 7.0 if size <= 8 else 8.5
    ax = ax or sheet(side + 0.4, side + 2.0, (0.2, 1.6, side, side))
    places = arrows.circle(size)
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
    arrows.draw_nodes(ax, places, node)
    for place, title, score in zip(places, matrix.titles, matrix.single_mean, strict=True):
        arrows.write_node(ax, place, title, "" if math.isnan(score) else f"{score:.1f}", node)
    half = arrows.to_data(ax, node / 2)
    taken = [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in places]
    bends = {(s, t): arrows.bend(places[s], places[t], size) for s, t in drawn}
    curves = {(s, t): arrows.curve(places[s], places[t], bends[s, t], MANY) for s, t in drawn}
    for rank, (s, t) in reversed(list(enumerate(drawn))):
        verdict, ends, rad = matrix.verdict[s, t], (places[s], places[t]), bends[s, t]
        style, gid = colours.verdicts[verdict], f"{matrix.tasks[s]} {matrix.tasks[t]}"
        width = 1.2 + (3.8 * abs(matrix.gain[s, t]) / largest if verdict in COLOURED else 0.0)
        arrows.draw_arrow(ax, ends, rad, style, width=width, node=node, zorder=1 + rank / 1000, gid=gid)
        taken.append(
            arrows.write_label(
                ax,
                arrows.curve(*ends, rad, arrows.LABEL_PLACES),
                signed(matrix.gain[s, t]) + "?" * (verdict == "inconclusive"),
                style,
                taken=taken,
                others=np.concatenate([np.empty((0, 2)), *(c for arrow, c in curves.items() if arrow != (s, t))]),
                gid=gid,
            )
        )
    verdict_legend(ax, colours, VERDICTS if size <= ALL_ARROWS else COLOURED)
    frame(ax, matrix, TITLE, below=30, note=_left_out(matrix, drawn), palette=colours)
    return ax


def draw_heatmap(
    matrix: AffinityMatrix, ax: Axes | None = None, palette: PaletteName = "paper", *, note: str = ""
) -> Axes:
    """Every gain at once: rows help, columns are helped; decided cells are bold and marked, the others are pale and
    carry ``?``, however large their number."""
    size, colours = len(matrix.tasks), PALETTES[palette]
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
        cmap=_colormap(colours.ramp),
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
    _shade_open_cells(ax, matrix)
    hatch = "////" if palette == "mono" else None  # else no task's own cell would be told from a gain's grey
    for place in range(size):
        ax.add_patch(Rectangle((place, place), 1, 1, facecolor=DIAGONAL, edgecolor="white", linewidth=0.8, hatch=hatch))
    for s, t in matrix.arrows:
        if math.isnan(matrix.gain[s, t]):
            ax.text(t + 0.5, s + 0.5, "no run", ha="center", va="center", fontsize=7, color="#666666", family=FONT)
    pale = "Inconclusive cells are pale, whatever their number." if matrix.select("inconclusive") else ""
    ax.set_xticklabels(matrix.titles, rotation=40, ha="right", rotation_mode="anchor", fontsize=8.5, family=FONT)
    ax.set_yticklabels(matrix.titles, rotation=0, fontsize=8.5, family=FONT)
    ax.set_xlabel("target task: the one that is helped or hurt", family=FONT)
    ax.set_ylabel("helper (source) task", family=FONT)
    frame(
        ax,
        matrix,
        TITLE,
        below=46 + 3.2 * max(map(len, matrix.titles)),
        left=-118 if own else 0,
        across=72 * (side + 2.6),
        note=" ".join(filter(None, (note, describe_marks(), pale))),
        palette=colours,
    )
    return ax


def _colormap(ramp: tuple[tuple[float, str], ...]) -> Colormap:
    return LinearSegmentedColormap.from_list("ramp", list(ramp))


def _shade_open_cells(ax: Axes, matrix: AffinityMatrix) -> None:
    """Make inconclusive cells pale, the numbers of the others bold, and every number legible on its cell."""
    for text in ax.texts:
        column, row = (int(value) for value in text.get_position())
        is_open = matrix.verdict[row, column] == "inconclusive"
        text.set_fontweight("normal" if is_open else "bold")
        ground = ax.collections[0].to_rgba(np.array([matrix.gain[row, column]]))[0]
        if is_open:
            ground = np.append(FADED + (1 - FADED) * ground[:3], 1.0)
            ax.add_patch(Rectangle((column, row), 1, 1, facecolor=ground, edgecolor="white", linewidth=0.8, zorder=1.5))
        text.set_color(".15" if _luminance(ground) > PALE else "white")


def _luminance(color: FloatArray) -> float:
    """Of sRGB in [0, 1], relative to white."""
    linear = np.where(color <= 0.03928, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return float(linear[:3] @ np.array([0.2126, 0.7152, 0.0722]))


def _left_out(matrix: AffinityMatrix, drawn: list[tuple[int, int]]) -> str:
    unmeasured = sum(math.isnan(matrix.gain[arrow]) for arrow in matrix.arrows)
    if len(matrix.tasks) <= ALL_ARROWS:
        return f"Not drawn: {unmeasured} of {len(matrix.arrows)} arrows, which have no run." if unmeasured else ""
    counts = [f"{len(matrix.select(verdict))} {verdict}" for verdict in ("no effect", "inconclusive")]
    return f"Drawn: the {len(drawn)} arrows that improve or degrade; not drawn: {', '.join(counts)}."
