"""The forest plot: every gain with its interval and, where scores are given, every seed as a point."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.canvas import FONT, frame, sheet
from taskaffinity.analysis.style import STYLES

ROW, GAP = 0.24, 0.32  # inches: an arrow, and the room for a target's heading


def draw_forest(matrix: AffinityMatrix, gains: pd.DataFrame | None = None, ax: Axes | None = None) -> Axes:
    """Gains in points, grouped by target, in the suite's order.

    Parameters
    ----------
    matrix : AffinityMatrix
    gains : DataFrame, optional
        ``gains_frame`` of the same study: each pair run then shows as a point, its test score less the mean of the
        runs that the pair is compared with. Points that stand far apart are seeds that disagree.
    ax : Axes, optional
    """
    size = len(matrix.tasks)
    height = size * ((size - 1) * ROW + GAP)
    ax = ax or sheet(7.2, height + 2.6, (1.9, 1.9, 5.0, height))
    ax.axvline(0, color="#777777", linewidth=0.8, zorder=1)
    ticks, labels, y = [], [], 0.0
    for t in range(size):
        y += GAP
        margin = matrix.margins[t]
        ax.fill_betweenx([y - GAP, y + (size - 1) * ROW], -margin, margin, color="#F0F0F0", zorder=0, linewidth=0)
        ax.text(-0.02, y - 0.36 * GAP, f"into {matrix.titles[t]}", **_HEADING, transform=ax.get_yaxis_transform())
        for s in range(size):
            if s == t:
                continue
            y += ROW
            ticks.append(y - ROW / 2)
            labels.append(matrix.titles[s])
            _row(ax, matrix, (s, t), y - ROW / 2, gains)
    ax.set_yticks(ticks, labels, fontsize=8, family=FONT)
    ax.set_ylim(y + ROW / 2, 0)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("gain (points)", family=FONT)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    frame(ax, matrix, "Gain, interval and seeds (points)", below=40, left=-120)
    return ax


_HEADING: dict[str, Any] = {"fontsize": 8, "fontweight": "bold", "family": FONT, "ha": "right", "va": "center"}
_MARKERS = {"improves": "^", "degrades": "v", "no effect": "s", "inconclusive": "o"}


def _row(ax: Axes, matrix: AffinityMatrix, arrow: tuple[int, int], y: float, gains: pd.DataFrame | None) -> None:
    verdict = matrix.verdict[arrow]
    style = STYLES[verdict]
    if math.isnan(matrix.gain[arrow]):
        ax.text(0, y, matrix.reason[arrow], fontsize=7, va="center", ha="center", family=FONT)
        return
    if not math.isnan(matrix.low[arrow]):
        ax.plot([matrix.low[arrow], matrix.high[arrow]], [y, y], color=style.ink, linewidth=1.6, zorder=2)
    if gains is not None:
        source, target = (matrix.tasks[place] for place in arrow)
        arm = "finetune" if matrix.study.stage == "finetune" else "pair"
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
