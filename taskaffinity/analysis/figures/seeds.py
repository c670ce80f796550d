"""Draw the test score of every seed as a point.

A point shows an outlier that a mean and an interval hide.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.figure_options import PaletteName
from taskaffinity.analysis.figures.layout import FONT, PLAIN_TEXT, frame
from taskaffinity.analysis.figures.looks import without_run
from taskaffinity.analysis.figures.small_multiples import small_multiples
from taskaffinity.analysis.style import PALETTES, Palette, describe_marks, marked, shortened, style_of
from taskaffinity.tasks.splits import split_of

ROW = 0.21  # inches
PAIRED = ("pair", "finetune")
"""Arms of runs with a source: pairs, or the models fine-tuned after them."""
PALE = "#c4c4c4"
"""Seeds that a decision does not use."""
SPREAD, GOLDEN = 0.5, 0.618034
"""Share of a row over which the points are spread, and the step between them: equal scores do not overlap."""


@PLAIN_TEXT
def draw_seeds(matrix: AffinityMatrix, gains: pd.DataFrame, palette: PaletteName = "paper") -> Figure:
    """Draw one small axes per target: single-task runs in the first row, then one row per source.

    Axes have different scales.

    Parameters
    ----------
    matrix : AffinityMatrix
    gains : DataFrame
        ``scores_frame`` of the same study.
    """
    size, colours = len(matrix.tasks), PALETTES[palette]
    names = shortened(matrix.titles, 28)
    titles = [names[matrix.titles[t]] for t in matrix.targets]
    backdrop, axes = small_multiples(titles, width=2.1, height=size * ROW, left=1.3, right=0.75, below=0.4)
    arms = ("finetune",) if matrix.study.evaluate_after == "finetune" else ("single", "pair", "matched")
    test = gains[(gains.split == split_of(matrix.test_set)) & gains.arm.isin(arms)]
    for t, ax in zip(matrix.targets, axes, strict=True):
        _scores(ax, matrix, t, test[test.target == matrix.tasks[t]], colours)
    note = (
        "A point is the test score of one seed, a bar the mean of its row. The line marks the mean of single-task "
        f"training. The gain is on the right. {describe_marks()}"
    )
    if matrix.study.baseline == "compute-matched":
        note += " Crosses: compute-matched single-task runs, which the pair is compared with."
    if any(line.get_markeredgecolor() == PALE for ax in axes for line in ax.lines):
        note += " Pale: seeds after the interim analysis of an arrow, which its bar and its gain leave out."
    frame(backdrop, matrix, "Test score of every seed (points)", below=14, note=note, palette=colours)
    return backdrop.get_figure(root=True)  # type: ignore[return-value]


def _scores(ax: Axes, matrix: AffinityMatrix, t: int, rows: pd.DataFrame, colours: Palette) -> None:
    size = len(matrix.tasks)
    sources = [s for s in range(size) if s != t]
    single = matrix.single_mean[t]
    if not math.isnan(single):
        ax.axvline(single, color="#777777", linewidth=0.8, zorder=1)
    _points(ax, POINTS * rows[rows.source == ""].score, 0, "single-task")
    _bar(ax, single, 0, "#222222")
    _beside(ax, 0, "" if math.isnan(single) else f"{single:z.1f}", "#222222")
    for row, s in enumerate(sources, start=1):
        of_source = rows[rows.source == matrix.tasks[s]]
        pairs, arrow = of_source[of_source.arm.isin(PAIRED)], f"{matrix.tasks[s]} {matrix.tasks[t]}"
        _points(ax, POINTS * pairs.score, row, arrow, pairs.seed.isin(_seeds_of(matrix, s, t)))
        if matrix.study.baseline == "compute-matched":
            against = of_source[of_source.arm == "matched"]
            is_used = against.seed.isin(_seeds_of(matrix, s, t))
            for color, chosen in (("#777777", is_used), (PALE, ~is_used)):
                if color != PALE or chosen.any():
                    scores = POINTS * against[chosen].score
                    ax.plot(scores, [row] * len(scores), "x", color=color, markersize=4, zorder=2)
        gain, verdict = matrix.gain[s, t], matrix.verdict[s, t]
        style = style_of(verdict, colours.verdicts)
        if math.isnan(gain):
            _beside(ax, row, without_run(matrix, (s, t)), "#666666")
            continue
        _bar(ax, matrix.baseline[s, t] + gain, row, style.ink)
        _beside(ax, row, marked(gain, verdict), style.ink)
    short = shortened(matrix.titles, 16)
    names = ["single-task", *(f"with {short[matrix.titles[s]]}" for s in sources)]
    ax.set_yticks(range(size), names, fontsize=7.5, family=FONT)
    ax.set_ylim(size - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0.08)
    left, right = ax.get_xlim()
    missing = max(0.0, 4 * matrix.margins[t] - (right - left))  # a narrower scale would make noise look large
    upwards = min(missing / 2, max(0.0, POINTS + 0.3 - right))  # no score is above 100
    ax.set_xlim(left - (missing - upwards), right + upwards)
    ax.locator_params(axis="x", nbins=4)
    ax.spines["left"].set_visible(False)


def _seeds_of(matrix: AffinityMatrix, s: int, t: int) -> tuple[int, ...]:
    """Return the seeds of a pair behind an arrow.

    In a sequential design, these are the seeds of the analysis that the arrow shows.
    """
    state = matrix.sequential
    return matrix.study.seeds if state is None else matrix.study.seeds[: int(state.n_shown[s, t])]


def _points(ax: Axes, scores: pd.Series, row: int, gid: str, is_used: pd.Series | None = None) -> None:
    """Draw a row of points, pale where ``is_used`` is false."""
    used = pd.Series(True, index=scores.index) if is_used is None else is_used
    heights = np.array([row + SPREAD * ((0.2 + GOLDEN * place) % 1 - 0.5) for place in range(len(scores))])
    for kind, edge, chosen in (("seeds", "#555555", used), ("later", PALE, ~used)):
        if kind == "later" and not chosen.any():
            continue
        (points,) = ax.plot(
            *(scores[chosen], heights[chosen.to_numpy(dtype=bool)], "o"),
            color="white",
            markeredgecolor=edge,
            markeredgewidth=0.8,
            markersize=3.6,
            zorder=3,
        )
        points.set_gid(f"{kind} {gid}")


def _bar(ax: Axes, mean: float, row: int, color: str) -> None:
    if not math.isnan(mean):
        ax.plot([mean, mean], [row - 0.34, row + 0.34], color=color, linewidth=2.2, zorder=2)


def _beside(ax: Axes, row: int, words: str, color: str) -> None:
    ax.text(
        *(1.03, row, words),
        fontsize=7.5,
        fontweight="bold",
        color=color,
        ha="left",
        va="center",
        family=FONT,
        transform=ax.get_yaxis_transform(),
        gid="label",
    )
