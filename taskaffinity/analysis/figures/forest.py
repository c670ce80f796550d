"""Forest plot: every gain with its interval and, if scores are given, every seed as a point."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.cautions.of_study import COLLAPSED_MARK, collapsed_arrows
from taskaffinity.analysis.estimates.of_matrix import estimated_arrows
from taskaffinity.analysis.estimates.words import estimates_in_caption
from taskaffinity.analysis.figure_options import Order, PaletteName
from taskaffinity.analysis.figures.layout import FONT, PLAIN_TEXT, SIGNIFICANT, frame, sheet
from taskaffinity.analysis.figures.looks import Look, estimate_look, has_sign, untested_words
from taskaffinity.analysis.figures.order import task_order
from taskaffinity.analysis.figures.small_multiples import small_multiples
from taskaffinity.analysis.statistics.verdicts import NOT_MEASURED, Verdict
from taskaffinity.analysis.style import (
    ABOUT,
    PALETTES,
    Palette,
    describe_marks,
    marked,
    plural,
    shortened,
    signed,
    style_of,
)
from taskaffinity.tasks.splits import split_of

ROW, GAP = 0.24, 0.32  # inches: height of a row, and of the heading of a target
ALL_ROWS = 16
"""Up to this many tasks every arrow has a row; with more, only arrows that improve or degrade."""
TITLE = "Gain, interval and seeds (points)"


@PLAIN_TEXT
def draw_forest(
    matrix: AffinityMatrix,
    gains: pd.DataFrame | None = None,
    ax: Axes | None = None,
    palette: PaletteName = "paper",
    order: Order = "suite",
) -> Axes:
    """Draw the gains in points, grouped by target.

    Parameters
    ----------
    matrix : AffinityMatrix
    gains : DataFrame, optional
        ``scores_frame`` of the same study. If given, each run of a pair is a point: its test score minus the mean
        score of the single-task runs that the pair is compared with.
    ax : Axes, optional
    order : {"suite", "clustered"}
        Order of the targets, and of the sources of each target.
    """
    colours, places = PALETTES[palette], task_order(matrix, order)
    groups = [(t, [s for s in places if s != t]) for t in places if t in matrix.targets]
    height = sum(_height(group) for group in groups)
    own = ax is None
    ax = ax or sheet(7.6, height + 2.6, (1.9, 1.9, 4.9, height))
    _column(ax, matrix, groups, height, _seeds(matrix, gains), colours)
    ax.set_xlabel("gain (points)", family=FONT)
    left, across = (-120, 72 * 7.2) if own else (0, None)
    frame(ax, matrix, TITLE, below=40, left=left, across=across, note=_note(matrix, gains, groups), palette=colours)
    return ax


@PLAIN_TEXT
def draw_forests(
    matrix: AffinityMatrix,
    gains: pd.DataFrame | None = None,
    palette: PaletteName = "paper",
    order: Order = "suite",
) -> Figure:
    """Draw the forest in several columns of one scale, because one column would be too long for a page.

    With more than ``ALL_ROWS`` tasks only arrows that improve or degrade have a row.
    """
    colours, places = PALETTES[palette], task_order(matrix, order)
    groups = [(t, [s for s in places if s != t]) for t in places if t in matrix.targets]
    is_short = len(places) > ALL_ROWS
    if is_short:
        groups = [
            (t, [s for s in sources if matrix.verdict[s, t] in SIGNIFICANT or has_sign(matrix, (s, t))])
            for t, sources in groups
        ]
    shown = [group for group in groups if group[1]] or groups[:1]
    columns = _columns(shown)
    height = max(1.0, *(sum(map(_height, column)) for column in columns))
    backdrop, axes = small_multiples(
        [""] * len(columns), width=2.3, height=height, left=1.6, right=0.75, below=0.4, columns=len(columns)
    )
    seeds = _seeds(matrix, gains)
    for column, ax in zip(columns, axes, strict=True):
        _column(ax, matrix, column, height, seeds, colours)
    low, high = min(ax.get_xlim()[0] for ax in axes), max(ax.get_xlim()[1] for ax in axes)
    for ax in axes:
        ax.set_xlim(low, high)
        ax.locator_params(axis="x", nbins=5)
    note = _note(matrix, gains, shown) + (f" {_omitted(matrix, len(groups) - len(shown))}" if is_short else "")
    frame(backdrop, matrix, TITLE, below=14, note=note, palette=colours)
    return backdrop.get_figure(root=True)  # type: ignore[return-value]


Group = tuple[int, list[int]]
"""A target and its sources, as places in the suite."""

Seeds = dict[tuple[str, str], list[tuple[int, float, bool]]]
"""Seed, score and whether the run is collapsed, of the runs of each source and target."""


def _seeds(matrix: AffinityMatrix, gains: pd.DataFrame | None) -> Seeds | None:
    """Return the runs behind each gain, indexed once.

    A search of the frame for every row would take minutes for 100 tasks.
    """
    if gains is None:
        return None
    arm = "finetune" if matrix.study.evaluate_after == "finetune" else "pair"
    rows = gains[(gains.arm == arm) & (gains.split == split_of(matrix.test_set))]
    found: Seeds = {}
    columns = (rows[name] for name in ("source", "target", "seed", "score", "collapsed"))
    for source, target, seed, score, collapsed in zip(*columns, strict=True):
        found.setdefault((source, target), []).append((seed, score, bool(collapsed)))
    return found


def _height(group: Group) -> float:
    return GAP + len(group[1]) * ROW


def _columns(groups: list[Group]) -> list[list[Group]]:
    """Two to four columns of nearly equal height, in the given order."""
    whole = sum(map(_height, groups))
    count = min(len(groups), max(2, min(4, round(whole / 12))))
    columns: list[list[Group]] = [[] for _ in range(count)]
    above = 0.0
    for group in groups:
        middle = above + _height(group) / 2
        columns[min(count - 1, int(count * middle / whole))].append(group)
        above += _height(group)
    return [column for column in columns if column]


def _column(
    ax: Axes, matrix: AffinityMatrix, groups: list[Group], height: float, gains: Seeds | None, colours: Palette
) -> None:
    """Draw groups below each other into axes that are ``height`` inches high."""
    ticks: list[tuple[float, str]] = []
    y = 0.0
    for group in groups:
        y += GAP
        title = f"into {shortened(matrix.titles, 28)[matrix.titles[group[0]]]}"
        ax.text(-0.02, y - 0.36 * GAP, title, **_HEADING, transform=ax.get_yaxis_transform())
        ticks += _into(ax, matrix, group, y, gains, colours)
        y += len(group[1]) * ROW
    ax.axvline(0, color="#777777", linewidth=0.8, zorder=1)
    ax.set_yticks([place for place, _ in ticks], [name for _, name in ticks], fontsize=8, family=FONT)
    ax.set_ylim(height + ROW / 2, 0)
    ax.tick_params(axis="y", length=0, labelsize=8)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)


_HEADING: dict[str, Any] = {"fontsize": 8, "fontweight": "bold", "family": FONT, "ha": "right", "va": "center"}
_MARKERS: dict[Verdict, str] = {"improves": "^", "degrades": "v", "no effect": "s", "inconclusive": "o"}
_ESTIMATE_MARKERS = {"positive": "^", "negative": "v", "unclear": "D"}


def _note(matrix: AffinityMatrix, gains: pd.DataFrame | None, groups: list[Group]) -> str:
    against = "its compute-matched mean" if matrix.study.baseline == "compute-matched" else "the single-task mean"
    seeds = "" if gains is None else f"small circles are seeds (pair minus {against}); "
    note = f'Bars are intervals; {seeds}the grey band is the margin of "no effect". {describe_marks()}'
    rows = {(s, t) for t, sources in groups for s in sources if not math.isnan(matrix.gain[s, t])}
    if marked_rows := rows.intersection(collapsed_arrows(matrix)):
        has_crosses = gains is not None and any(matrix.collapsed_pair[arrow] for arrow in marked_rows)
        crosses = "; crosses are collapsed runs of the pair" if has_crosses else ""
        note += f" {COLLAPSED_MARK}: a run of the pair or of its baseline collapsed{crosses}."
    if estimates := estimates_in_caption(matrix):
        note += f" {estimates} Dotted bars are 90% intervals of their gains, cut at the edge of the figure."
    return note


def _omitted(matrix: AffinityMatrix, empty: int) -> str:
    hidden = Counter(matrix.verdict[arrow] for arrow in matrix.arrows if not has_sign(matrix, arrow))
    counts = [f"{hidden[verdict]} {verdict}" for verdict in ("no effect", "inconclusive")]
    counts += [f"{hidden[NOT_MEASURED]} {NOT_MEASURED}"] * bool(hidden[NOT_MEASURED])
    targets = f", and {plural(empty, 'target')} without such an arrow" if empty else ""
    estimates = ", and estimates with a sign," if estimated_arrows(matrix) else ""
    return f"Only arrows that improve or degrade{estimates} are drawn; not drawn: {', '.join(counts)}{targets}."


def _into(
    ax: Axes, matrix: AffinityMatrix, group: Group, y: float, gains: Seeds | None, colours: Palette
) -> list[tuple[float, str]]:
    """Draw the rows of one target from ``y`` downwards; returns the position and name of each row."""
    t, sources = group
    margin = matrix.margins[t]
    ax.fill_betweenx([y, y + len(sources) * ROW], -margin, margin, color="#EBEBEB", zorder=0, linewidth=0)
    rows = [(y + (rank + 0.5) * ROW, s) for rank, s in enumerate(sources)]
    for middle, s in rows:
        _row(ax, matrix, (s, t), middle, gains, colours)
    names = shortened(matrix.titles, 22)
    return [(middle, names[matrix.titles[s]]) for middle, s in rows]


def _row(
    ax: Axes,
    matrix: AffinityMatrix,
    arrow: tuple[int, int],
    y: float,
    gains: Seeds | None,
    colours: Palette,
) -> None:
    verdict = matrix.verdict[arrow]
    style = style_of(verdict, colours.verdicts)
    if math.isnan(matrix.gain[arrow]) and (look := estimate_look(matrix, arrow, colours)):
        _estimate(ax, matrix, arrow, y, look)
        return
    if math.isnan(matrix.gain[arrow]):
        ax.text(0, y, untested_words(matrix, arrow), fontsize=7, va="center", ha="center", family=FONT)
        return
    if not math.isnan(matrix.low[arrow]):
        (bar,) = ax.plot([matrix.low[arrow], matrix.high[arrow]], [y, y], color=style.ink, linewidth=1.6, zorder=2)
        bar.set_gid(f"interval {matrix.tasks[arrow[0]]} {matrix.tasks[arrow[1]]}")
    if gains is not None:
        rows = gains.get((matrix.tasks[arrow[0]], matrix.tasks[arrow[1]]), [])
        seeds = matrix.study.seeds[: matrix.sequential.n_shown[arrow]] if matrix.sequential else matrix.study.seeds
        for has_collapsed, marker in ((False, "o"), (True, "x")):
            scores = [score for seed, score, collapsed in rows if seed in seeds and collapsed is has_collapsed]
            points = POINTS * np.array(scores) - matrix.baseline[arrow]
            height = [y - 0.3 * ROW] * len(points)
            ax.plot(points, height, marker, color="white", markeredgecolor="#555555", markersize=3.2, zorder=3)
    hollow = verdict == "inconclusive"
    is_collapsed = bool(matrix.collapsed_pair[arrow] or matrix.collapsed_single[arrow])
    ax.plot(
        matrix.gain[arrow],
        y,
        _MARKERS[verdict],
        color="white" if hollow else style.color,
        markeredgecolor=style.ink,
        markersize=6.5,
        zorder=4,
    )
    words = marked(matrix.gain[arrow], verdict) + f" {COLLAPSED_MARK}" * is_collapsed
    _label(ax, y, words, style.ink, bold=not hollow)


def _label(ax: Axes, y: float, words: str, ink: str, *, bold: bool) -> None:
    """Write the number of a row to the right of the axes."""
    weight = "bold" if bold else "normal"
    look: dict[str, Any] = {"fontsize": 7.5, "fontweight": weight, "color": ink, "ha": "left", "va": "center"}
    ax.text(1.02, y, words, **look, family=FONT, transform=ax.get_yaxis_transform(), gid="label")


def _estimate(ax: Axes, matrix: AffinityMatrix, arrow: tuple[int, int], y: float, look: Look) -> None:
    """Draw an estimate: a hollow marker at the probe, and the interval of the gain.

    The interval does not widen the figure.
    """
    found, style = matrix.estimates, look.style
    assert found is not None  # it has a look
    name = f"{matrix.tasks[arrow[0]]} {matrix.tasks[arrow[1]]}"
    if not math.isnan(found.low[arrow]):
        ends = [(found.low[arrow], y), (found.high[arrow], y)]
        bar = LineCollection([ends], colors=style.color, linewidths=1.2, linestyles=":", zorder=2)
        bar.set_gid(f"estimate {name}")
        ax.add_collection(bar, autolim=False)
    marker = _ESTIMATE_MARKERS[found.sign[arrow] or "unclear"]
    ax.plot(look.value, y, marker, color="white", markeredgecolor=style.color, markersize=6.5, zorder=4)
    words = f"{ABOUT}{signed(look.value)} {style.mark}"
    _label(ax, y, words, style.ink, bold=False)
