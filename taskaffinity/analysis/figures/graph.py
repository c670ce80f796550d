"""Draw the affinity graph: nodes on a circle, and arrows in the style of their verdicts.

Up to six tasks stand in the suite's order and every measured arrow is drawn. With more tasks only arrows that improve
or degrade are drawn, and tasks are placed so that few arrows cross. Estimates, of pairs that were not measured, are
hollow arrows of one width.
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
from taskaffinity.analysis.estimates.of_matrix import estimated_arrows
from taskaffinity.analysis.estimates.words import estimates_in_caption
from taskaffinity.analysis.figure_options import PaletteName
from taskaffinity.analysis.figures import arrows, labels
from taskaffinity.analysis.figures.layout import (
    PLAIN_TEXT,
    SIGNIFICANT,
    estimate_handle,
    frame,
    line_legend,
    sheet,
    title_of,
    verdict_legend,
)
from taskaffinity.analysis.figures.looks import Look, has_sign, looks_of
from taskaffinity.analysis.figures.order import circle_order
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.statistics.verdicts import NOT_MEASURED
from taskaffinity.analysis.style import ABOUT, PALETTES, Palette, plural, shortened
from taskaffinity.analysis.training_conditions import describe_circles

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


@PLAIN_TEXT
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
    looks = looks_of(matrix, colours)
    if size > ALL_ARROWS:
        looks = {a: look for a, look in looks.items() if matrix.verdict[a] in SIGNIFICANT or has_sign(matrix, a)}
    # Inconclusive first, so that significant arrows lie on top; labels are placed in the opposite order.
    drawn = sorted(looks, key=lambda arrow: (looks[arrow].rank, abs(looks[arrow].value)))
    places = arrows.circle(size)
    if size > ALL_ARROWS:
        places = places[np.argsort(circle_order(size, drawn))]
    ax.set(xlim=(-sizes.reach, sizes.reach), ylim=(-sizes.reach, sizes.reach), aspect="equal")
    ax.set_axis_off()
    ax.apply_aspect()
    _nodes(ax, matrix, places, sizes.node)
    unwritten = _arrows(ax, matrix.tasks, {arrow: looks[arrow] for arrow in drawn}, places, sizes)
    estimated = bool(estimated_arrows(matrix))
    if size <= ALL_ARROWS:
        verdict_legend(ax, colours, has_estimates=estimated)
    else:
        _counts_legend(ax, matrix, colours)
    below = (30 if size <= ALL_ARROWS else 52) + 15 * estimated
    frame(ax, matrix, title_of(matrix), below=below, note=_note(matrix, unwritten), palette=colours)
    return ax


def _nodes(ax: Axes, matrix: AffinityMatrix, places: FloatArray, node: float) -> None:
    arrows.draw_nodes(ax, places, node)
    names = shortened(matrix.titles, 20)
    for place, title, mean in zip(places, matrix.titles, matrix.single_mean, strict=True):
        score = "" if math.isnan(mean) else f"{mean:z.1f}"
        if len(places) > NAMES_INSIDE:
            labels.write_score(ax, place, score)
            labels.write_name_outside(ax, place, names[title], node)
        else:
            labels.write_node(ax, place, title, score, node, among=matrix.titles)


def _arrows(
    ax: Axes, tasks: tuple[str, ...], looks: dict[tuple[int, int], Look], places: FloatArray, sizes: _Sizes
) -> int:
    """Draw the arrows in this order, with their labels; returns how many labels have no room."""
    half = arrows.to_data(ax, sizes.node / 2)
    taken = [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in places]
    many = len(places) > ALL_ARROWS
    bends = {
        (s, t): arrows.inward_bend(places, s, t, half, opposite=(t, s) in looks)
        if many
        else arrows.bend(places[s], places[t], len(places))
        for s, t in looks
    }
    curves = {(s, t): arrows.curve(places[s], places[t], bends[s, t], _CURVE) for s, t in looks}
    points = labels.CurvePoints.of(curves.values())
    unwritten = 0
    for rank, ((s, t), look) in reversed(list(enumerate(looks.items()))):
        ends, rad, gid = (places[s], places[t]), bends[s, t], f"{tasks[s]} {tasks[t]}"
        arrows.draw_arrow(
            *(ax, ends, rad, look.style),
            size=arrows.ArrowSize(sizes.thin + (sizes.thick - sizes.thin) * look.share, sizes.node, sizes.head),
            zorder=1 + rank / 1000,
            gid=gid,
        )
        box = labels.write_label(
            ax,
            arrows.curve(*ends, rad, labels.MANY_PLACES if many else labels.LABEL_PLACES),
            look.words,
            look.style,
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
        is_drawn, found = verdict in SIGNIFICANT, matrix.select(verdict)
        handles.append(Line2D([], [], color=style.color, linestyle=style.line if is_drawn else "none", linewidth=2.4))
        signs = sum(has_sign(matrix, arrow) for arrow in found)  # drawn as estimates
        hidden = "" if is_drawn else f" ({len(found) - signs} not drawn)" if signs else " (not drawn)"
        words.append(f"{verdict}: {len(found)}{hidden}")
    if estimated := estimated_arrows(matrix):
        number = sum(has_sign(matrix, arrow) for arrow in estimated)
        handles.append(estimate_handle(colours))
        words.append(f"estimate ({ABOUT}), no verdict: {number} with a sign (others not drawn)")
    if deferred := len(matrix.select(NOT_MEASURED)):
        handles.append(Line2D([], [], linestyle="none"))
        words.append(f"{NOT_MEASURED}: {deferred}")
    line_legend(ax, handles, words, columns=2)


def _note(matrix: AffinityMatrix, unwritten: int) -> str:
    estimates, words = estimates_in_caption(matrix, by="lines"), describe_circles(matrix)
    if len(matrix.tasks) > ALL_ARROWS:
        signed_too = ", and estimates with a sign," if estimates else ""
        words.append(f"Only arrows that improve or degrade{signed_too} are drawn.")
        if unwritten:
            is_ = "is" if unwritten == 1 else "are"
            words.append(f"{plural(unwritten, 'gain')} {is_} not written for lack of room.")
    else:
        estimated = estimated_arrows(matrix)
        unseen = [arrow for arrow in matrix.arrows if math.isnan(matrix.gain[arrow]) and arrow not in estimated]
        deferred = sum(matrix.verdict[arrow] == NOT_MEASURED for arrow in unseen)
        for count, why in ((deferred, "were not measured"), (len(unseen) - deferred, "have no run")):
            words += [f"{count} of {len(matrix.arrows)} arrows {why} and are not drawn."] * bool(count)
    return " ".join(filter(None, [*words, estimates]))
