"""Nodes and arrows of a graph: positions on a circle, curves, shafts and heads.

Positions are in data units; nodes stand on a circle of radius 1. Sizes of nodes are in points. The module does not use
``networkx.draw_networkx_edges``, because a label needs the curve of its arrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch
from matplotlib.patheffects import withStroke

from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.style import NODE_EDGE, NODE_FILL, VerdictStyle

OUTLINE = 1.0
"""Points, width of the outline of a hollow arrow."""


@dataclass(frozen=True)
class ArrowSize:
    """Measures of one arrow."""

    width: float
    """Points, of the shaft."""
    node: float
    """Points, diameter of the nodes at its ends."""
    head: float = 1.0
    """Size of the head, relative to the default."""


def circle(size: int) -> FloatArray:
    """Return places (size, 2) clockwise from 135 degrees; four tasks make an upright square."""
    angles = np.deg2rad(135) - 2 * np.pi * np.arange(size) / size
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def bend(start: FloatArray, end: FloatArray, size: int) -> float:
    """Return the curvature that keeps opposite arrows at the same distance for all nodes."""
    apart = 0.11 if size <= 4 else 0.09
    return float(2 * apart / np.linalg.norm(end - start))


def inward_bend(places: FloatArray, s: int, t: int, radius: float, *, opposite: bool) -> float:
    """Return the curvature of an arrow that bows towards the centre, around other nodes.

    Parameters
    ----------
    places : (n_nodes, 2)
        On the circle of radius 1.
    s, t : int
        Source and target.
    radius : float
        Of a node, in data units.
    opposite : bool
        Whether the arrow from ``t`` to ``s`` is drawn too; the two then bow differently.
    """
    start, end = places[min(s, t)], places[max(s, t)]
    across, middle = end - start, (start + end) / 2
    length, depth = float(np.linalg.norm(across)), float(np.linalg.norm(middle))
    inward = -middle / depth if depth > 1e-6 else np.array([across[1], -across[0]]) / length
    shares = (places - start) @ across / length**2
    beyond = (middle - places) @ inward  # how far a node lies outside the straight line
    clear = np.arange(len(places))
    on_way = (shares > 0.02) & (shares < 0.98) & (beyond > -1e-6) & (clear != s) & (clear != t)
    needed = (1.35 * radius - beyond[on_way]) / (4 * shares[on_way] * (1 - shares[on_way]))
    sagitta = max(min(0.22 * length, 0.12), float(needed.max(initial=0.0)))
    if opposite:
        sagitta += min(0.7 * radius, 0.12 * length) * (1 if s < t else -1)
    side = 1.0 if float(np.array([across[1], -across[0]]) @ inward) > 0 else -1.0
    return 2 * side * sagitta / length * (1.0 if s < t else -1.0)


def along(start: FloatArray, end: FloatArray, rad: float, share: float | FloatArray) -> FloatArray:
    """Return the point at a share of matplotlib's ``arc3``, a quadratic Bezier curve between centres."""
    across = end - start
    control = (start + end) / 2 + rad * np.array([across[1], -across[0]])
    return np.asarray((1 - share) ** 2 * start + 2 * share * (1 - share) * control + share**2 * end)


def curve(start: FloatArray, end: FloatArray, rad: float, shares: Sequence[float]) -> FloatArray:
    """Return the points (n_shares, 2) at these shares of the curve."""
    return along(start, end, rad, np.asarray(shares)[:, None])


def draw_arrow(
    ax: Axes,
    ends: tuple[FloatArray, FloatArray],
    rad: float,
    style: VerdictStyle,
    *,
    size: ArrowSize,
    zorder: float,
    gid: str,
) -> None:
    """Draw the shaft, then a solid head, because the head of a dashed arrow would be ragged.

    ``ends`` are the centres of source and target. Shaft and head of a hollow style are white with an outline.
    """
    start, end = ends
    width, node = size.width, size.node
    head, filled = size.head * (7 + 1.6 * width), style.head == "-|>"
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
    if style.is_hollow:
        shaft.set(color="white", path_effects=[outline(width, style.color)])
    # The head has a solid stem, which starts at the foot of the head.
    foot = _before_end(start, end, rad, to_data(ax, node / 2 + 0.8 * head))
    point = FancyArrowPatch(
        (foot[0], foot[1]),
        (end[0], end[1]),
        arrowstyle=f"{style.head},head_length={0.55 if filled else 0.4},head_width={0.28 if filled else 0.26}",
        mutation_scale=1.9 * head,
        linewidth=OUTLINE if style.is_hollow else 0 if filled else 1.4,
        edgecolor=style.color,
        facecolor="white" if style.is_hollow else style.color,
        shrinkA=0,
        shrinkB=node / 2 + 1,
        zorder=zorder + 0.0001,
    )
    point.set_gid(f"head {gid}")
    ax.add_patch(shaft)
    ax.add_patch(point)


def outline(width: float, color: str) -> withStroke:
    """Return the outline of a white line ``width`` points wide."""
    return withStroke(linewidth=width + 2 * OUTLINE, foreground=color)


def draw_nodes(ax: Axes, places: FloatArray, node: float) -> None:
    """Draw circles, ``node`` points wide."""
    circles = ax.scatter(
        places[:, 0], places[:, 1], s=node**2, c=NODE_FILL, edgecolors=NODE_EDGE, linewidths=1.6, zorder=3
    )
    circles.set_gid("nodes")


def to_data(ax: Axes, points: float) -> float:
    """The length of ``points`` in data units."""
    pixels = points * ax.figure.dpi / 72
    ends = ax.transData.inverted().transform([(0.0, 0.0), (pixels, 0.0)])
    return float(ends[1, 0] - ends[0, 0])


def _before_end(start: FloatArray, end: FloatArray, rad: float, distance: float) -> FloatArray:
    """Return the last point of the curve at this distance from its end."""
    points = curve(start, end, rad, np.linspace(1, 0, 400).tolist())
    far = np.linalg.norm(points - end, axis=1) >= distance
    return np.asarray(points[int(far.argmax())])
