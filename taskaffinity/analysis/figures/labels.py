"""Place labels without overlap: on arrows, in nodes, around a circle and in a column."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from scipy.optimize import isotonic_regression

from taskaffinity.analysis.figures.arrows import to_data
from taskaffinity.analysis.figures.layout import FONT
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.style import VerdictStyle, shortened

IntArray = npt.NDArray[np.int64]

LABEL_PLACES = sorted(np.linspace(0.22, 0.78, 29).tolist(), key=lambda share: abs(share - 0.36))
"""Shares of an arrow at which its label may stand, best first; 0.36 keeps the labels of diagonals off the centre."""

MANY_PLACES = sorted(np.linspace(0.14, 0.86, 73).tolist(), key=lambda share: abs(share - 0.4))
"""The same for graphs of many tasks, which have little room."""

SMALLEST_FONT, READABLE = 5.5, 7.5
LEAST = 4
"""Fewest characters of a cut title."""


@dataclass(frozen=True)
class CurvePoints:
    """Points on the curves of all arrows, sorted by x.

    The order makes it fast to find points near a place.
    """

    x: FloatArray
    y: FloatArray

    @classmethod
    def of(cls, curves: Iterable[FloatArray]) -> CurvePoints:
        """Sort the points of curves, each ``(n_points, 2)``."""
        points = np.concatenate([np.empty((0, 2)), *curves])
        points = points[points[:, 0].argsort(kind="stable")]
        return cls(points[:, 0], points[:, 1])

    def count(self, places: FloatArray, half: FloatArray) -> IntArray:
        """Return how many points lie in the box around each place.

        The sides of the box are twice ``half``.
        """
        starts = np.searchsorted(self.x, places[:, 0] - half[0], side="right")
        ends = np.searchsorted(self.x, places[:, 0] + half[0], side="left")
        near = zip(starts, ends, places[:, 1], strict=True)
        return np.array([np.count_nonzero(np.abs(self.y[start:end] - y) < half[1]) for start, end, y in near])

    def count_others(self, own: FloatArray, places: FloatArray, half: FloatArray) -> IntArray:
        """Return ``count`` without the points of the curve ``own``, which is one of the curves."""
        return self.count(places, half) - CurvePoints.of([own]).count(places, half)


def write_label(
    ax: Axes,
    places: FloatArray,
    words: str,
    style: VerdictStyle,
    *,
    around: tuple[list[Bbox], Callable[[FloatArray, FloatArray], IntArray]],
    gid: str,
    size: float = 8.5,
    may_omit: bool = False,
) -> Bbox | None:
    """Write a label at the first place along its curve that is free.

    Parameters
    ----------
    places : (n_places, 2)
        Candidates, best first.
    around : (list of Bbox, function)
        Boxes of the nodes and labels drawn so far, and ``CurvePoints.count_others`` of the arrow. Avoiding the boxes
        matters more than avoiding other arrows.
    size : float
        Points, of the font.
    may_omit : bool
        Whether to omit the label if every place overlaps a box.

    Returns
    -------
    Bbox or None
        The box of the label; None if the label is omitted.
    """
    taken, count_others = around
    text = _text(ax, places[0], words, size, color=style.ink, fontweight="bold", zorder=5)
    text.set_bbox({"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.9})
    text.set_gid(f"label {gid}")
    width, height = (float(length) for length in _box(ax, text).size)
    half = np.array([width, height]) / 2
    boxes = np.array([box.extents for box in taken]).reshape(-1, 4)
    low, high = places[:, None] - half, places[:, None] + half  # (n_places, 1, 2)
    sides = np.minimum(high, boxes[:, 2:]) - np.maximum(low, boxes[:, :2])
    overlap = sides.clip(0).prod(axis=2).sum(axis=1)
    best = int((1e4 * overlap + count_others(places, half)).argmin())
    text.set_position((places[best, 0], places[best, 1]))
    if may_omit and overlap[best] > 0:
        text.remove()
        return None
    return Bbox([low[best, 0], high[best, 0]])


def write_node(ax: Axes, place: FloatArray, title: str, score: str, node: float, among: Sequence[str]) -> None:
    """Write title and score into a node; a long title is wrapped, then shrunk, then cut as ``shortened`` cuts it.

    Parameters
    ----------
    among : sequence of str
        The titles of all tasks, also of this one.
    """
    radius = to_data(ax, node / 2) * 0.93
    text = _text(ax, place, "", 9.0, color="#222222", zorder=4)
    text.set_gid("node")

    def fits(width: int, size: float) -> bool:
        text.set_text("\n".join([*_wrapped(shown, width), *([score] if score else [])]))
        text.set_fontsize(size)
        corners = ax.transData.inverted().transform(text.get_window_extent().get_points())
        return bool(math.hypot(*(corners[1] - corners[0]) / 2) <= radius)

    for most in range(len(title), min(len(title), LEAST) - 1, -1):
        shown = shortened(among, most)[title]
        for size in np.arange(9.0, SMALLEST_FONT - 0.125, -0.25):
            # More lines only if the font would be too small to read.
            if any(fits(width, size) for width in ((13,) if size >= READABLE else (13, 9))):
                return


def write_score(ax: Axes, place: FloatArray, score: str) -> None:
    """Write a score into a small node."""
    _text(ax, place, score, 7.5, color="#222222", zorder=4).set_gid("node")


def write_name_outside(ax: Axes, place: FloatArray, name: str, node: float) -> None:
    """Write a task's short name outside the circle, along the radius and never upside down."""
    angle = math.degrees(math.atan2(place[1], place[0]))
    left = not -90 <= angle <= 90
    start = place * (1 + to_data(ax, node / 2 + 5))
    text = _text(ax, start, name, 9.5, color="#222222", zorder=4)
    text.set(
        rotation=angle + 180 if left else angle,
        rotation_mode="anchor",
        ha="right" if left else "left",
        gid="name",
    )


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> FloatArray:
    """Return places at least ``gap`` apart, in the order of ``wanted``.

    They are as near to ``wanted`` as possible.
    """
    if not wanted:
        return np.empty(0)
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    free = isotonic_regression(np.asarray(wanted)[order] - steps).x
    places = np.empty(len(wanted))
    places[order] = np.clip(free, low, max(low, high - steps[-1])) + steps
    return places


def _wrapped(title: str, width: int) -> list[str]:
    """Break a title into lines at blanks, at hyphens and after underscores."""
    lines = textwrap.wrap(title.replace("_", "_ "), width, break_long_words=False)
    return [line.replace("_ ", "_") for line in lines]


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
    """Return the box of a text in data units, with a little room around it."""
    pixels = text.get_window_extent()
    return Bbox(ax.transData.inverted().transform(pixels.padded(1.5).get_points()))
