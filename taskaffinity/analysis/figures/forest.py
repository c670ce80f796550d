"""The forest plot: every gain with its interval and, where scores are given, every seed as a point."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.figure_options import PaletteName
from taskaffinity.analysis.figures.layout import FONT, frame, sheet
from taskaffinity.analysis.figures.small_multiples import facets
from taskaffinity.analysis.statistics.verdicts import Verdict
from taskaffinity.analysis.style import PALETTES, Palette, describe_marks, marked, short

ROW, GAP = 0.24, 0.32  # inches: an arrow, and the room for a target's heading
TITLE = "Gain, interval and seeds (points)"


def draw_forest(
    matrix: AffinityMatrix,
    gains: pd.DataFrame | None = None,
    ax: Axes | None = None,
    palette: PaletteName = "paper",
) -> Axes:
    """Gains in points, grouped by target, in the suite's order.

    Parameters
    ----------
    matrix : AffinityMatrix
    gains : DataFrame, optional
        ``scores_frame`` of the same study: each pair run then shows as a point, its test score less the mean of the
        runs that the pair is compared with. Points that stand far apart are seeds that disagree.
    ax : Axes, optional
    """
    size, colours = len(matrix.tasks), PALETTES[palette]
    height = size * ((size - 1) * ROW + GAP)
    own = ax is None
    ax = ax or sheet(7.6, height + 2.6, (1.9, 1.9, 4.9, height))
    ticks: list[tuple[float, str]] = []
    y = 0.0
    for t in range(size):
        y += GAP
        ax.text(-0.02, y - 0.36 * GAP, f"into {matrix.titles[t]}", **_HEADING, transform=ax.get_yaxis_transform())
        ticks += _into(ax, matrix, t, y, gains, colours)
        y += (size - 1) * ROW
    _finish(ax, ticks, y + ROW / 2)
    frame(
        ax,
        matrix,
        TITLE,
        below=40,
        left=-120 if own else 0,
        across=72 * 7.2 if own else None,
        note=_note(gains),
        palette=colours,
    )
    return ax


def draw_forests(matrix: AffinityMatrix, gains: pd.DataFrame | None = None, palette: PaletteName = "paper") -> Figure:
    """``draw_forest`` with a small axes a target, all of one scale, for more tasks than a page is long."""
    size, colours = len(matrix.tasks), PALETTES[palette]
    titles = [f"into {short(title, 28)}" for title in matrix.titles]
    backdrop, axes = facets(titles, width=2.1, height=size * 0.2, left=1.4, right=0.75, below=0.4)
    for t, ax in enumerate(axes):
        ticks = _into(ax, matrix, t, 0.0, gains, colours)
        _finish(ax, ticks, (size - 1) * ROW + ROW / 2)
    low, high = min(ax.get_xlim()[0] for ax in axes), max(ax.get_xlim()[1] for ax in axes)
    for ax in axes:
        ax.set_xlim(low, high)
        ax.set_xlabel("")
        ax.locator_params(axis="x", nbins=5)
        ax.tick_params(axis="both", labelsize=7.5)
    frame(backdrop, matrix, TITLE, below=14, note=_note(gains), palette=colours)
    return backdrop.get_figure(root=True)  # type: ignore[return-value]


_HEADING: dict[str, Any] = {"fontsize": 8, "fontweight": "bold", "family": FONT, "ha": "right", "va": "center"}
_MARKERS: dict[Verdict, str] = {"improves": "^", "degrades": "v", "no effect": "s", "inconclusive": "o"}


def _note(gains: pd.DataFrame | None) -> str:
    seeds = "" if gains is None else "small circles are seeds, less the mean that they are compared with; "
    return f"Bars are intervals, {seeds}the grey band is where a gain counts as no effect. {describe_marks()}"


def _into(
    ax: Axes, matrix: AffinityMatrix, t: int, y: float, gains: pd.DataFrame | None, colours: Palette
) -> list[tuple[float, str]]:
    """The rows of one target from ``y`` downwards; where each row is, and its name."""
    size, margin = len(matrix.tasks), matrix.margins[t]
    ax.fill_betweenx([y, y + (size - 1) * ROW], -margin, margin, color="#EBEBEB", zorder=0, linewidth=0)
    sources = [s for s in range(size) if s != t]
    rows = [(y + (rank + 0.5) * ROW, s) for rank, s in enumerate(sources)]
    for middle, s in rows:
        _row(ax, matrix, (s, t), middle, gains, colours)
    return [(middle, short(matrix.titles[s], 22)) for middle, s in rows]


def _finish(ax: Axes, ticks: list[tuple[float, str]], end: float) -> None:
    ax.axvline(0, color="#777777", linewidth=0.8, zorder=1)
    ax.set_yticks([place for place, _ in ticks], [name for _, name in ticks], fontsize=8, family=FONT)
    ax.set_ylim(end, 0)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("gain (points)", family=FONT)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)


def _row(
    ax: Axes,
    matrix: AffinityMatrix,
    arrow: tuple[int, int],
    y: float,
    gains: pd.DataFrame | None,
    colours: Palette,
) -> None:
    verdict = matrix.verdict[arrow]
    style = colours.verdicts[verdict]
    if math.isnan(matrix.gain[arrow]):
        ax.text(0, y, matrix.untested_reason[arrow], fontsize=7, va="center", ha="center", family=FONT)
        return
    if not math.isnan(matrix.low[arrow]):
        (bar,) = ax.plot([matrix.low[arrow], matrix.high[arrow]], [y, y], color=style.ink, linewidth=1.6, zorder=2)
        bar.set_gid(f"interval {matrix.tasks[arrow[0]]} {matrix.tasks[arrow[1]]}")
    if gains is not None:
        source, target = (matrix.tasks[place] for place in arrow)
        arm = "finetune" if matrix.study.evaluate_after == "finetune" else "pair"
        rows = gains[(gains.arm == arm) & (gains.source == source) & (gains.target == target) & (gains.split == "test")]
        seeds = POINTS * rows.score - matrix.baseline[arrow]
        ax.plot(
            seeds, [y - 0.3 * ROW] * len(seeds), "o", color="white", markeredgecolor="#555555", markersize=3.2, zorder=3
        )
    hollow = verdict == "inconclusive"
    ax.plot(
        matrix.gain[arrow],
        y,
        _MARKERS[verdict],
        color="white" if hollow else style.color,
        markeredgecolor=style.ink,
        markersize=6.5,
        zorder=4,
    )
    ax.text(
        *(1.02, y, marked(matrix.gain[arrow], verdict)),
        fontsize=7.5,
        fontweight="normal" if hollow else "bold",
        color=style.ink,
        ha="left",
        va="center",
        family=FONT,
        transform=ax.get_yaxis_transform(),
        gid="label",
    )
