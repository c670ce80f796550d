"""The affinity graph: nodes on a circle, and an arrow from source to target in the style of its verdict.

Up to six tasks stand in the suite's order and every measured arrow is drawn. With more tasks only arrows that improve
or degrade are drawn, and tasks are placed so that few arrows cross.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.figure_options import PaletteName
from taskaffinity.analysis.figures import arrows, labels
from taskaffinity.analysis.figures.layout import SIGNIFICANT, TITLE, frame, line_legend, sheet, verdict_legend
from taskaffinity.analysis.figures.order import circle_order
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.statistics.verdicts import VERDICTS
from taskaffinity.analysis.style import PALETTES, Palette, plural, signed

ALL_ARROWS = 6
"""Up to this many tasks every arrow is drawn; with more, their labels would collide."""
NAMES_INSIDE = 12
"""Up to this many tasks names stand in the nodes; with more, outside the circle."""
_CURVE = tuple(np.linspace(0, 1, 80).tolist())


@dataclass(frozen=True)
class _Sizes:
    """Measures of one graph."""

    side: float
    """Inches, of the square axes."""
    reach: float
    """Data units from the centre to the edge of the axes; the circle has radius 1."""
    node: float
    """Points, diameter of a node."""
    thin: float
    thick: float
    """Points, width of the thinnest and of the thickest arrow."""
    head: float
    """Size of the arrow heads, relative to six tasks."""
    font: float
    """Points, of the labels."""

    @classmethod
    def of(cls, size: int) -> _Sizes:
        reach = float(np.abs(arrows.circle(size)).max()) + 0.3
        if size <= ALL_ARROWS:
            return cls(6.0, reach, 60.0 if size <= 4 else 51.0, 1.2, 5.0, 1.0, 8.5)
        if size <= 8:
            return cls(7.0, reach, 51.0, 1.2, 5.0, 1.0, 8.5)
        if size <= NAMES_INSIDE:
            return cls(8.5, reach, 51.0, 1.2, 4.5, 0.95, 8.5)
        radius = 2.6 + 0.09 * (size - NAMES_INSIDE)
        return cls(2 * (radius + 1.5), 1 + 1.5 / radius, 26.0, 0.9, 2.8, 0.65, 7.5)


def draw_graph(matrix: AffinityMatrix, ax: Axes | None = None, palette: PaletteName = "paper") -> Axes:
    """Draw the graph of a study of pairs, with the size of every gain.

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
    sizes = _Sizes.of(size)
    ax = ax or sheet(sizes.side + 0.4, sizes.side + 2.0, (0.2, 1.6, sizes.side, sizes.side))
    drawn = [arrow for arrow in matrix.arrows if not math.isnan(matrix.gain[arrow])]
    if size > ALL_ARROWS:
        drawn = [arrow for arrow in drawn if matrix.verdict[arrow] in SIGNIFICANT]
    # Inconclusive first, so that significant arrows lie on top; labels are placed in the opposite order.
    drawn.sort(key=lambda arrow: (-VERDICTS.index(matrix.verdict[arrow]), abs(matrix.gain[arrow])))
    places = arrows.circle(size)
    if size > ALL_ARROWS:
        places = places[np.argsort(circle_order(size, drawn))]
    ax.set(xlim=(-sizes.reach, sizes.reach), ylim=(-sizes.reach, sizes.reach), aspect="equal")
    ax.set_axis_off()
    ax.apply_aspect()
    _nodes(ax, matrix, places, sizes.node)
    unwritten = _arrows(ax, matrix, drawn, places, sizes, colours)
    if size <= ALL_ARROWS:
        verdict_legend(ax, colours)
    else:
        _counts_legend(ax, matrix, colours)
    frame(ax, matrix, TITLE, below=30 if size <= ALL_ARROWS else 52, note=_note(matrix, unwritten), palette=colours)
    return ax


def _nodes(ax: Axes, matrix: AffinityMatrix, places: FloatArray, node: float) -> None:
    arrows.draw_nodes(ax, places, node)
    for place, title, mean in zip(places, matrix.titles, matrix.single_mean, strict=True):
        score = "" if math.isnan(mean) else f"{mean:.1f}"
        if len(places) > NAMES_INSIDE:
            labels.write_score(ax, place, score)
            labels.write_name_outside(ax, place, title, node)
        else:
            labels.write_node(ax, place, title, score, node)


def _arrows(
    ax: Axes,
    matrix: AffinityMatrix,
    drawn: list[tuple[int, int]],
    places: FloatArray,
    sizes: _Sizes,
    colours: Palette,
) -> int:
    """Draw the arrows with their labels; returns how many labels have no room."""
    largest = max((abs(matrix.gain[arrow]) for arrow in matrix.select(*SIGNIFICANT)), default=1.0)
    half = arrows.to_data(ax, sizes.node / 2)
    taken = [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in places]
    many = len(places) > ALL_ARROWS
    bends = {
        (s, t): arrows.inward_bend(places, s, t, half, opposite=(t, s) in drawn)
        if many
        else arrows.bend(places[s], places[t], len(places))
        for s, t in drawn
    }
    curves = {(s, t): arrows.curve(places[s], places[t], bends[s, t], _CURVE) for s, t in drawn}
    points = labels.CurvePoints.of(curves.values())
    unwritten = 0
    for rank, (s, t) in reversed(list(enumerate(drawn))):
        verdict, ends, rad = matrix.verdict[s, t], (places[s], places[t]), bends[s, t]
        style, gid = colours.verdicts[verdict], f"{matrix.tasks[s]} {matrix.tasks[t]}"
        share = abs(matrix.gain[s, t]) / largest if verdict in SIGNIFICANT else 0.0
        arrows.draw_arrow(
            *(ax, ends, rad, style),
            size=arrows.ArrowSize(sizes.thin + (sizes.thick - sizes.thin) * share, sizes.node, sizes.head),
            zorder=1 + rank / 1000,
            gid=gid,
        )
        box = labels.write_label(
            ax,
            arrows.curve(*ends, rad, labels.MANY_PLACES if many else labels.LABEL_PLACES),
            signed(matrix.gain[s, t]) + "?" * (verdict == "inconclusive"),
            style,
            around=(taken, partial(points.count_others, curves[s, t])),
            gid=gid,
            size=sizes.font,
            may_omit=many,
        )
        if box is None:
            unwritten += 1
        else:
            taken.append(box)
    return unwritten


def _counts_legend(ax: Axes, matrix: AffinityMatrix, colours: Palette) -> None:
    """Lines of the two verdicts that are drawn, and counts of all four."""
    handles, words = [], []
    for verdict, style in colours.verdicts.items():
        is_drawn, count = verdict in SIGNIFICANT, len(matrix.select(verdict))
        handles.append(Line2D([], [], color=style.color, linestyle=style.line if is_drawn else "none", linewidth=2.4))
        words.append(f"{verdict}: {count}{'' if is_drawn else ' (not drawn)'}")
    line_legend(ax, handles, words, columns=2)


def _note(matrix: AffinityMatrix, unwritten: int) -> str:
    if len(matrix.tasks) > ALL_ARROWS:
        no_room = f" {plural(unwritten, 'gain')} {'is' if unwritten == 1 else 'are'} not written for lack of room."
        return f"Only arrows that improve or degrade are drawn.{no_room if unwritten else ''}"
    unmeasured = sum(math.isnan(matrix.gain[arrow]) for arrow in matrix.arrows)
    return f"{unmeasured} of {len(matrix.arrows)} arrows have no run and are not drawn." if unmeasured else ""
