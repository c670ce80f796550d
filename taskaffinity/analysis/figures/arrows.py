"""The strokes of the graph: where nodes stand, how arrows bend, where their labels find room.

Positions are in data units; nodes stand on a circle of radius 1. Sizes of nodes are in points, as matplotlib has them.
Arrows are drawn here rather than by ``networkx.draw_networkx_edges`` because their labels must know the curve.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from scipy.optimize import isotonic_regression

from taskaffinity.analysis.figures.layout import FONT
from taskaffinity.analysis.statistics.standard_errors import FloatArray
from taskaffinity.analysis.style import NODE_EDGE, NODE_FILL, VerdictStyle

LABEL_PLACES = sorted(np.linspace(0.22, 0.78, 29).tolist(), key=lambda share: abs(share - 0.36))
"""Where along an arrow its label may stand, best first: nearer the source keeps diagonals off the centre crossing."""

SMALLEST_FONT, READABLE = 5.5, 7.5


def circle(size: int) -> FloatArray:
    """(size, 2): the first at 135 degrees, then clockwise, so that four tasks make an upright square."""
    angles = np.deg2rad(135) - 2 * np.pi * np.arange(size) / size
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def bend(start: FloatArray, end: FloatArray, size: int) -> float:
    """Curvature that sets opposite arrows equally far apart, whether their nodes are near or far."""
    apart = 0.11 if size <= 4 else 0.09 if size <= 6 else 0.07
    return float(2 * apart / np.linalg.norm(end - start))


def along(start: FloatArray, end: FloatArray, rad: float, share: float | FloatArray) -> FloatArray:
    """The point at a share of the way along matplotlib's ``arc3``: a quadratic Bezier curve, centre to centre."""
    across = end - start
    control = (start + end) / 2 + rad * np.array([across[1], -across[0]])
    return np.asarray((1 - share) ** 2 * start + 2 * share * (1 - share) * control + share**2 * end)


def curve(start: FloatArray, end: FloatArray, rad: float, shares: Sequence[float]) -> FloatArray:
    """(n_shares, 2)"""
    return along(start, end, rad, np.asarray(shares)[:, None])


def draw_arrow(
    ax: Axes,
    ends: tuple[FloatArray, FloatArray],
    rad: float,
    style: VerdictStyle,
    *,
    width: float,
    node: float,
    zorder: float,
    gid: str,
) -> None:
    """Draw shaft and head apart, for the head of a dashed arrow is ragged.

    ``ends`` are the centres of source and target, ``node`` is the diameter of a node in points.
    """
    start, end = ends
    head, filled = 7 + 1.6 * width, style.head == "-|>"
    shaft = FancyArrowPatch(
        (start[0], start[1]),
        (end[0], end[1]),
        connectionstyle=f"arc3,rad={rad}",
        arrowstyle="-",
        linestyle=style.line,
        linewidth=width,
        color=style.color,
        capstyle="butt",
        shrinkA=node / 2,
        shrinkB=node / 2 + (0.75 * head if filled else 3),
        zorder=zorder,
    )
    shaft.set_gid(f"shaft {gid}")
    # The head has a stem of its own, drawn solid: it starts where the head does.
    foot = _before_end(start, end, rad, to_data(ax, node / 2 + 0.8 * head))
    point = FancyArrowPatch(
        (foot[0], foot[1]),
        (end[0], end[1]),
        arrowstyle=f"{style.head},head_length={0.55 if filled else 0.4},head_width={0.28 if filled else 0.26}",
        mutation_scale=1.9 * head,
        linewidth=0 if filled else 1.4,
        color=style.color,
        shrinkA=0,
        shrinkB=node / 2 + 1,
        zorder=zorder + 0.0001,
    )
    point.set_gid(f"head {gid}")
    ax.add_patch(shaft)
    ax.add_patch(point)


def write_label(
    ax: Axes, places: FloatArray, words: str, style: VerdictStyle, *, taken: list[Bbox], others: FloatArray, gid: str
) -> Bbox:
    """Write at the best place along a curve: off what is taken, then off the other arrows, then as LABEL_PLACES says.

    ``places`` is (n_places, 2), ``others`` (n_points, 2), points of all other arrows. Returns the box now taken.
    """
    text = _text(ax, places[0], words, 8.5, color=style.ink, fontweight="bold", zorder=5)
    text.set_bbox({"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.9})
    text.set_gid(f"label {gid}")
    width, height = (float(length) for length in _box(ax, text).size)
    size = np.array([width, height])
    best, least = Bbox.unit(), math.inf
    for place in places:
        box = Bbox.from_bounds(place[0] - width / 2, place[1] - height / 2, width, height)
        crossed = int((np.abs(others - place) < size / 2).all(axis=1).sum())
        cost = 1e4 * sum(_shared_area(box, other) for other in taken) + crossed
        if cost < least:
            best, least = box, cost
            text.set_position((place[0], place[1]))
    return best


def write_node(ax: Axes, place: FloatArray, title: str, score: str, node: float) -> None:
    """Title and score, wrapped and shrunk until they lie within the circle; what can shrink no more is cut."""
    radius = to_data(ax, node / 2) * 0.93
    text = _text(ax, place, "", 9.0, color="#222222", zorder=4)
    text.set_gid("node")

    def fits(width: int, size: float) -> bool:
        text.set_text("\n".join([*_wrapped(title, width), *([score] if score else [])]))
        text.set_fontsize(size)
        corners = ax.transData.inverted().transform(text.get_window_extent().get_points())
        return bool(math.hypot(*(corners[1] - corners[0]) / 2) <= radius)

    while True:
        for size in np.arange(9.0, SMALLEST_FONT - 0.125, -0.25):
            # More lines only where one would be hard to read.
            if any(fits(width, size) for width in ((13,) if size >= READABLE else (13, 9))):
                return
        if len(title) <= 4:
            return
        title = title[:-2] + "…"


def _wrapped(title: str, width: int) -> list[str]:
    """Lines of a title, broken at blanks and hyphens, and after underscores."""
    lines = textwrap.wrap(title.replace("_", "_ "), width, break_long_words=False)
    return [line.replace("_ ", "_") for line in lines]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> FloatArray:
    """Where labels stand: as near as can be to where they want to, in the same order, ``gap`` apart, low to high."""
    if not wanted:
        return np.empty(0)
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    free = isotonic_regression(np.asarray(wanted)[order] - steps).x
    places = np.empty(len(wanted))
    places[order] = np.clip(free, low, max(low, high - steps[-1])) + steps
    return places


def to_data(ax: Axes, points: float) -> float:
    """A length in points as data units."""
    pixels = points * ax.figure.dpi / 72
    ends = ax.transData.inverted().transform([(0.0, 0.0), (pixels, 0.0)])
    return float(ends[1, 0] - ends[0, 0])


def draw_nodes(ax: Axes, places: FloatArray, node: float) -> None:
    """The circles, ``node`` points wide."""
    circles = ax.scatter(
        places[:, 0], places[:, 1], s=node**2, c=NODE_FILL, edgecolors=NODE_EDGE, linewidths=1.6, zorder=3
    )
    circles.set_gid("nodes")


def _text(
    ax: Axes, place: FloatArray, words: str, size: float, *, color: str, zorder: float, fontweight: str = "normal"
) -> Text:
    return ax.text(
        place[0],
        place[1],
        words,
        fontsize=size,
        color=color,
        zorder=zorder,
        fontweight=fontweight,
        family=FONT,
        ha="center",
        va="center",
    )


def _box(ax: Axes, text: Text) -> Bbox:
    """Where a text lies, in data units, with a hair of room around it."""
    pixels = text.get_window_extent()
    return Bbox(ax.transData.inverted().transform(pixels.padded(1.5).get_points()))


def _shared_area(one: Bbox, other: Bbox) -> float:
    shared = Bbox.intersection(one, other)
    return 0.0 if shared is None else float(shared.width * shared.height)


def _before_end(start: FloatArray, end: FloatArray, rad: float, distance: float) -> FloatArray:
    """The last point of the curve that is so far from its end."""
    points = curve(start, end, rad, np.linspace(1, 0, 400).tolist())
    far = np.linalg.norm(points - end, axis=1) >= distance
    return np.asarray(points[int(far.argmax())])
