"""Draw one small graph per target, with every arrow into it.

It also has the arrows that the large graph omits.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.estimates.words import estimates_in_caption
from taskaffinity.analysis.figure_options import PaletteName
from taskaffinity.analysis.figures import arrows, labels
from taskaffinity.analysis.figures.layout import FONT, PLAIN_TEXT, frame, title_of, verdict_legend
from taskaffinity.analysis.figures.looks import Look, looks_of, without_run
from taskaffinity.analysis.figures.small_multiples import small_multiples
from taskaffinity.analysis.style import PALETTES, shortened
from taskaffinity.analysis.training_conditions import describe_circles

ROW = 0.21  # inches: height of a source
NAME, GAIN, FOOT, REACH = 1.12, 1.66, 1.74, 0.45  # inches: right ends of names and gains, start of arrows, length
STEEPEST = 0.9  # largest sine of the angle between the outermost arrows and the target's horizontal


@PLAIN_TEXT
def draw_targets(matrix: AffinityMatrix, palette: PaletteName = "paper") -> Figure:
    """Draw one small graph per target: a column of sources with gains and arrows.

    Sources have the order of the suite. A gain stands beside its source, so labels do not overlap.
    """
    size, colours = len(matrix.tasks), PALETTES[palette]
    height = max(1.0, (size - 1) * ROW)
    width = FOOT + REACH * (1 if size <= 8 else 1.6) + _across(size) / 72 + 0.05
    names = shortened(matrix.titles, 28)
    titles = [f"into {names[matrix.titles[t]]}" for t in matrix.targets]
    backdrop, axes = small_multiples(titles, width=width, height=height, left=0.0, right=0.25, below=0.12)
    looks = looks_of(matrix, colours)
    for t, ax in zip(matrix.targets, axes, strict=True):
        ax.set(xlim=(0, width), ylim=(0, height))
        ax.set_axis_off()
        _into(ax, matrix, t, looks)
    note = estimates_in_caption(matrix, by="lines")
    verdict_legend(backdrop, colours, has_estimates=bool(note))
    title, below = title_of(matrix, ", by target"), 45 if note else 30
    frame(
        backdrop, matrix, title, below=below, note=" ".join([*describe_circles(matrix), note]).strip(), palette=colours
    )
    return backdrop.get_figure(root=True)  # type: ignore[return-value]


def _across(size: int) -> float:
    """Return the diameter of a target's circle in points; more tasks need more room for arrow heads."""
    return 44 + 2.2 * (size - 1)


def _into(ax: Axes, matrix: AffinityMatrix, t: int, looks: dict[tuple[int, int], Look]) -> None:
    sources = [s for s in range(len(matrix.tasks)) if s != t]
    node = _across(len(matrix.tasks))
    (_, width), (_, height) = ax.get_xlim(), ax.get_ylim()
    centre = np.array([width - node / 144 - 0.05, height / 2])
    arrows.draw_nodes(ax, centre[None], node)
    score = matrix.single_mean[t]
    names, words = shortened(matrix.titles, 17), "" if math.isnan(score) else f"{score:z.1f}"
    labels.write_node(ax, centre, matrix.titles[t], words, node, among=matrix.titles)
    pitch, edge = height / max(len(sources), 1), node / 2 / 72
    outermost = np.arcsin(min(STEEPEST, 0.32 * pitch * max(len(sources) - 1, 0) / edge))
    angles = np.pi + outermost * (np.linspace(-1, 1, len(sources)) if len(sources) > 1 else np.zeros(1))
    for rank, (s, angle) in enumerate(zip(sources, angles, strict=False)):
        y = height - (rank + 0.5) * pitch
        ax.text(NAME, y, names[matrix.titles[s]], fontsize=7.5, ha="right", va="center", family=FONT, gid="source")
        look = looks.get((s, t))
        if look is None:
            words = without_run(matrix, (s, t))
            ax.text(GAIN, y, words, fontsize=7, color="#666666", ha="right", va="center", family=FONT)
            continue
        ax.text(
            *(GAIN, y, look.words),
            fontsize=8,
            fontweight="bold",
            color=look.style.ink,
            ha="right",
            va="center",
            family=FONT,
            gid=f"label {matrix.tasks[s]} {matrix.tasks[t]}",
        )
        end = centre + edge * np.array([np.cos(angle), np.sin(angle)])
        thick = 0.9 + 2.3 * look.share
        gid = f"{matrix.tasks[s]} {matrix.tasks[t]}"
        arrows.draw_arrow(
            ax,
            (np.array([FOOT, y]), end),
            0.0,
            look.style,
            size=arrows.ArrowSize(thick, 0.0),
            zorder=1 + rank / 1000,
            gid=gid,
        )
