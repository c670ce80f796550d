"""Draw the slope chart of a study in stages: one line per task over its stages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from taskaffinity.analysis.captions import SYNTHETIC
from taskaffinity.analysis.figure_options import PaletteName
from taskaffinity.analysis.figures import labels
from taskaffinity.analysis.figures.layout import FONT, PLAIN_TEXT, line_legend, sheet, surround
from taskaffinity.analysis.paper.captions import describe_stages
from taskaffinity.analysis.paper.stages import STAGES, TITLES, StageScore, describe_gain, uneven
from taskaffinity.analysis.statistics.verdicts import Verdict
from taskaffinity.analysis.style import PALETTES, Palette, marked, shortened, signed
from taskaffinity.runs.study import Study

NAMED_ONCE = 6
"""Up to this many tasks names stand at both ends of the lines; with more, in the middle too."""
LEADER = {"arrowstyle": "-", "color": "#BBBBBB", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
"""Thin line from a point to its label, if the label had to move."""
NO_INTERVAL = "#8A8A8A"
"""Colour of the line into a stage without an interval."""
MEANINGS: dict[Verdict, str] = {
    "improves": "above single-task",
    "degrades": "below single-task",
    "inconclusive": "interval contains 0 (?)",
}
"""Legend of the lines into a stage."""


@PLAIN_TEXT
def draw_stages(
    study: Study,
    scores: Sequence[StageScore],
    ax: Axes | None = None,
    palette: PaletteName = "paper",
    *,
    failed: Sequence[str] = (),
    cautions: Sequence[str] = (),
) -> Axes:
    """Draw test scores in points: one line per task, with its seeds as points.

    Colour, dash and mark of the line into a stage show whether the interval of its gain over single-task training lies
    above zero, lies below zero, or contains zero. A line without an interval, as with one seed, is thin and grey.

    Parameters
    ----------
    study : Study
        Of the design ``full``.
    scores : sequence of StageScore
        ``stage_scores`` of the same study.
    ax : Axes, optional
    failed : sequence of str
        ``failures`` of the same study.
    cautions : sequence of str
        Sentences on its runs that the caption ends with.
    """
    colours = PALETTES[palette]
    height = max(3.4, 0.34 * len(study.tasks) + 1.4)
    room = 0.0 if len(study.tasks) <= NAMED_ONCE else 2.4
    ax = ax or sheet(8.6 + room, height + 3.0, (2.1, 2.0, 4.3 + room, height))
    short = shortened([card.title for card in study.tasks], 22)
    titles = {card.name: short[card.title] for card in study.tasks}
    by_cell = {(score.task, score.stage): score for score in scores}
    known = [seed for score in scores for seed in score.scores]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    beyond = 0.06 * (high - low) or 1.0
    ax.set(xlim=(-0.12, 2.12), ylim=(low - beyond, high + beyond))
    for name in titles:
        for place, stage in enumerate(STAGES):
            cell = by_cell[name, stage]
            _seeds(ax, cell, place)
            if place and cell.scores and by_cell[name, STAGES[place - 1]].scores:
                _segment(ax, by_cell[name, STAGES[place - 1]], cell, place, colours)
    for place, stage in enumerate(STAGES):
        _labels(ax, [by_cell[name, stage] for name in titles], place, titles, colours)
    ax.set_xticks(range(3), [TITLES[stage] for stage in STAGES], fontsize=9, family=FONT)
    ax.tick_params(axis="x", length=0, pad=8)
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(False)
    for place in range(3):
        ax.axvline(place, color="#DDDDDD", linewidth=0.8, zorder=0)
    untested, has_tested = _legend(ax, scores, colours, height)
    words = [
        describe_stages(study, uneven(study, scores), failed, of_table=False),
        *_note(untested, has_tested),
        *cautions,
    ]
    surround(
        *(ax, "Single-task, multi-task and fine-tuned scores (points)", " ".join(words), study.synthetic),
        below=58,
        left=-135,
        across=72 * (8.2 + room),
        palette=colours,
    )
    return ax


def _legend(ax: Axes, scores: Sequence[StageScore], colours: Palette, height: float) -> tuple[list[StageScore], bool]:
    """Write the legend; return the trained stages without an interval, and whether any stage has one."""
    untested = [score for score in scores if score.stage != "single" and score.scores and _verdict(score) is None]
    has_tested = any(_verdict(score) is not None for score in scores)
    meanings = MEANINGS if has_tested or not untested else {}
    styles = [colours.verdicts[verdict] for verdict in meanings]
    handles = [Line2D([], [], color=style.color, linestyle=style.line, linewidth=2) for style in styles]
    if untested:
        handles.append(Line2D([], [], color=NO_INTERVAL, linewidth=1))
    line_legend(ax, handles, [*meanings.values(), *(["no interval"] if untested else [])])
    legend = ax.get_legend()
    if legend is not None:
        legend.set_bbox_to_anchor((0.5, -26 / 72 / height))
    return untested, has_tested


def _note(untested: Sequence[StageScore], has_tested: bool) -> list[str]:
    """Return how to read points, lines and marks."""
    note = ["Black points are means, small points seeds."]
    if has_tested or not untested:
        note.append(
            "Lines and marks: the interval of the gain over single-task training lies above 0 (▲), lies below 0 (▼), "
            "or contains 0 (?)."
        )
    if untested:
        reasons = ", ".join(sorted({score.untested_reason for score in untested}))
        note.append(f"Thin grey lines without a mark: no interval ({reasons}).")
    return note


def stages_described(study: Study, scores: Sequence[StageScore]) -> str:
    """The chart as text: one sentence per task."""
    stamp = f" ({SYNTHETIC})" if study.synthetic else ""
    lines = [f"Tasks of {study.suite}{stamp} in stages: test scores in points, with gains over single-task training."]
    for card in study.tasks:
        cells = [score for score in scores if score.task == card.name]
        parts = [
            f"{TITLES[cell.stage]} " + (f"{cell.mean:z.1f}" if cell.scores else "not trained")
            + (f" ({describe_gain(cell)})" if cell.scores and not math.isnan(cell.gain) else "")
            for cell in cells
        ]  # fmt: skip
        lines.append(f"{card.title}: {', '.join(parts)}.")
    return "\n".join([*lines, ""])


def _verdict(score: StageScore) -> Verdict | None:
    """Return where the interval of the gain lies; None without an interval."""
    if math.isnan(score.low):
        return None
    return "improves" if score.low > 0 else "degrades" if score.high < 0 else "inconclusive"


def _segment(ax: Axes, before: StageScore, after: StageScore, place: int, colours: Palette) -> None:
    verdict = _verdict(after)
    look: dict[str, Any] = {"color": NO_INTERVAL, "linewidth": 1}
    if verdict:
        look = {"color": colours.verdicts[verdict].color, "linestyle": colours.verdicts[verdict].line, "linewidth": 2}
    (line,) = ax.plot([place - 1, place], [before.mean, after.mean], zorder=2, **look)
    line.set_gid(f"slope {after.task} {after.stage}")


def _seeds(ax: Axes, score: StageScore, place: int) -> None:
    if not score.scores:
        return
    (points,) = ax.plot(
        *([place] * len(score.scores), score.scores, "o"),
        color="white",
        markeredgecolor="#777777",
        markeredgewidth=0.7,
        markersize=3.2,
        zorder=3,
    )
    points.set_gid(f"seeds {score.task} {score.stage}")
    ax.plot(place, score.mean, "o", color="#222222", markersize=4.5, zorder=4)


def _labels(ax: Axes, cells: Sequence[StageScore], place: int, titles: dict[str, str], colours: Palette) -> None:
    """Write names and scores left of the first stage, scores and gains right of the others.

    The labels do not overlap.
    """
    shown = [cell for cell in cells if cell.scores]
    low, high = ax.get_ylim()
    gap = (high - low) * 0.17 / (ax.bbox.height / ax.figure.dpi)
    side = -1 if place == 0 else 1
    for cell, y in zip(shown, labels.spread([cell.mean for cell in shown], gap, low, high), strict=True):
        if place == 0:
            words, ink = f"{titles[cell.task]}  {cell.mean:z.1f}", "#222222"
        else:
            verdict = _verdict(cell)
            words, ink = f"{cell.mean:z.1f}", colours.verdicts[verdict].ink if verdict else "#444444"
            words += (
                "" if math.isnan(cell.gain) else f"  {marked(cell.gain, verdict) if verdict else signed(cell.gain)}"
            )
            if place == len(STAGES) - 1 or len(cells) > NAMED_ONCE:
                words += f"  {titles[cell.task]}"
        text = ax.annotate(
            words,
            (place, cell.mean),
            xytext=(place + 0.1 * side, y),
            textcoords="data",
            fontsize=7.5,
            color=ink,
            ha="right" if side < 0 else "left",
            va="center",
            family=FONT,
            annotation_clip=False,
            arrowprops=LEADER | {"relpos": (1 if side < 0 else 0, 0.5)},
            zorder=5,
            gid="label",
        )
        if place == 1:
            text.set_bbox({"boxstyle": "square,pad=0.08", "facecolor": "white", "edgecolor": "none"})
