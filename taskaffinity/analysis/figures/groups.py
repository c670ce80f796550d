"""The chosen groups: one small graph per model, with the arrows into the tasks that it serves."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from taskaffinity.analysis.figure_options import PaletteName
from taskaffinity.analysis.figures import arrows, labels
from taskaffinity.analysis.figures.layout import PLAIN_TEXT, SIGNIFICANT, surround, verdict_legend
from taskaffinity.analysis.figures.looks import estimate_look
from taskaffinity.analysis.figures.small_multiples import small_multiples
from taskaffinity.analysis.groups.chosen import ChosenGroups
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.statistics.verdicts import Verdict
from taskaffinity.analysis.style import ABOUT, NODE_EDGE, NODE_FILL, PALETTES, Palette, percent, signed, style_of
from taskaffinity.analysis.tables.groups import describe_groups
from taskaffinity.analysis.tables.predictions import describe_measured
from taskaffinity.analysis.training_conditions import baseline_words, encoder_name

SIDE, SMALL, NODE, LARGE = 3.2, 2.6, 51.0, 6
"""Inches, of a graph, also if all have two members or one; points, of a node; members above which graphs grow."""
_FEW = {1: np.zeros((1, 2)), 2: np.array([[-1.0, 0.0], [1.0, 0.0]])}
"""Places of one member, and of two."""
_CURVE = tuple(np.linspace(0, 1, 80).tolist())


@PLAIN_TEXT
def draw_groups(chosen: ChosenGroups, palette: PaletteName = "paper") -> Figure:
    """Draw one small graph per model.

    A filled node is a task that the model serves, with its predicted gain; a white one with a dashed edge only helps.
    Arrows lead to the served tasks and have the gain, colour and line of the measured pair; an estimate has a hollow
    arrow and the sign of about.
    """
    colours, grouping = PALETTES[palette], chosen.grouping
    largest = max(map(len, grouping.groups))
    side = SIDE + 0.35 * (largest - LARGE) if largest > LARGE else SIDE if largest > 2 else SMALL
    titles = [_title(chosen, number) for number in range(len(grouping.groups))]
    backdrop, axes = small_multiples(
        titles, width=side, height=side, left=0.1, right=0.2, below=0.1, columns=min(len(titles), 3)
    )
    for number, ax in enumerate(axes):
        _graph(ax, chosen, number, colours)
    has_estimates = any(chosen.estimated)
    verdict_legend(backdrop, colours, has_estimates=has_estimates)
    surround(
        *(backdrop, "Tasks to train together", _caption(chosen), chosen.matrix.study.synthetic),
        below=45 if has_estimates else 30,
        palette=colours,
    )
    return backdrop.get_figure(root=True)  # type: ignore[return-value]


def describe_figure(chosen: ChosenGroups) -> str:
    """Return the figure in words, for readers who do not see it."""
    lines = [f"Tasks to train together, of {chosen.matrix.study.suite}: one graph per model."]
    for number, group in enumerate(chosen.grouping.groups):
        served = [task for task in group if chosen.grouping.serves[task] == number]
        gains = ", ".join(
            f"{chosen.matrix.titles[task]} {ABOUT if chosen.estimated[task] else ''}{signed(chosen.gain[task])}"
            for task in served
        )
        helpers = ", ".join(chosen.matrix.titles[task] for task in group if task not in served)
        lines.append(f"Model {number + 1} serves {gains}{f'; trained with {helpers}' if helpers else ''}.")
    return "\n".join([*lines, *describe_groups(chosen), _caption(chosen), ""])


def _title(chosen: ChosenGroups, number: int) -> str:
    share = f": best in {percent(chosen.shares.groups[number])} of draws" if chosen.shares else ""
    return f"Model {number + 1}{share}"


def _graph(ax: Axes, chosen: ChosenGroups, number: int, colours: Palette) -> None:
    """Draw the graph of one model."""
    group, serves = chosen.grouping.groups[number], chosen.grouping.serves
    places = arrows.circle(len(group)) if len(group) > 2 else _FEW[len(group)]
    reach = 1.4
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set_axis_off()
    ax.apply_aspect()
    for place, task in zip(places, group, strict=True):
        served = serves[task] == number
        ax.scatter(
            [place[0]],
            [place[1]],
            s=NODE**2,
            c=NODE_FILL if served else "#FFFFFF",
            edgecolors=NODE_EDGE if served else "#777777",
            linewidths=1.6 if served else 1.0,
            linestyle="-" if served else (0, (3, 2)),
            zorder=3,
        )
        about = ABOUT if chosen.estimated[task] else ""
        value = "single-task" if len(group) == 1 else about + signed(chosen.gain[task]) if served else "helps"
        labels.write_node(ax, place, chosen.matrix.titles[task], value, NODE, among=chosen.matrix.titles)
    drawn = [
        (a, b)
        for b, target in enumerate(group)
        for a, source in enumerate(group)
        if a != b and serves[target] == number and not math.isnan(chosen.gains.gain[source, target])
    ]
    _arrows(ax, chosen, group, drawn, places, colours)


def _arrows(
    ax: Axes,
    chosen: ChosenGroups,
    group: tuple[int, ...],
    drawn: list[tuple[int, int]],
    places: FloatArray,
    colours: Palette,
) -> None:
    """Draw the arrows between members, by their places, with their gains."""
    matrix, half = chosen.matrix, arrows.to_data(ax, NODE / 2)
    widest = max((abs(matrix.gain[arrow]) for arrow in matrix.select(*SIGNIFICANT)), default=1.0)
    taken = [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in places]
    drawn = sorted(drawn, key=lambda one: abs(chosen.gains.gain[group[one[0]], group[one[1]]]))
    bends = {(a, b): arrows.bend(places[a], places[b], len(places)) for a, b in drawn}
    curves = {(a, b): arrows.curve(places[a], places[b], bends[a, b], _CURVE) for a, b in drawn}
    points = labels.CurvePoints.of(curves.values())
    for rank, (a, b) in reversed(list(enumerate(drawn))):
        arrow = group[a], group[b]
        verdict: Verdict = matrix.verdict[arrow]
        gain, gid = chosen.gains.gain[arrow], f"{matrix.tasks[arrow[0]]} {matrix.tasks[arrow[1]]}"
        share = min(1.0, abs(gain) / widest) if verdict in SIGNIFICANT else 0.0
        style, words = style_of(verdict, colours.verdicts), signed(gain) + "?" * (verdict == "inconclusive")
        if chosen.gains.estimated[arrow] and (look := estimate_look(matrix, arrow, colours)):
            style, words, share = look.style, look.words, look.share
        thick, ends = 1.2 + 2.8 * share, (places[a], places[b])
        arrows.draw_arrow(
            ax, ends, bends[a, b], style, size=arrows.ArrowSize(thick, NODE), zorder=1 + rank / 1000, gid=gid
        )
        box = labels.write_label(
            *(ax, arrows.curve(*ends, bends[a, b], labels.LABEL_PLACES), words, style),
            around=(taken, partial(points.count_others, curves[a, b])),
            gid=gid,
            may_omit=len(group) > LARGE,
        )
        if box is not None:
            taken.append(box)


def _caption(chosen: ChosenGroups) -> str:
    study, counted = chosen.matrix.study, "their mean"
    if chosen.risk is not None:
        counted = f"the lower bound of their mean ({100 * chosen.risk:g}% risk)"
    sentences = [
        "One graph per model. A grey node is a task that the model serves, with its predicted gain over "
        f"{baseline_words(study)} in points: the mean of the gains of the arrows into it, which were measured in pairs"
        f"{' unless they are hollow' if any(chosen.estimated) else ''}. A white node only helps. Each task is served "
        "by one model.",
        *_model(chosen),
        f"The groups maximise {counted}, summed over tasks"
        f"{'' if chosen.grouping.method == 'exact' else ', by greedy merging and swaps'}.",
        f"Suite {study.suite}; encoder {encoder_name(chosen.matrix)}.",
    ]
    if chosen.shares:
        sentences.append(
            f"Best in: share of {chosen.shares.draws} draws of the gains in which this model is part of the best "
            "grouping."
        )
    if any(chosen.estimated):
        sentences.append(
            f"Hollow, {ABOUT}: an estimate in the place of a gain without a lower bound. It has the "
            "sign of a gain and not its size; it is no verdict."
        )
    if study.synthetic:
        sentences.append("The text is synthetic, generated for this demonstration.")
    return " ".join(sentences)


def _model(chosen: ChosenGroups) -> list[str]:
    """Return sentences on gains that are not the mean of the arrows."""
    bases = {one.basis for one in chosen.predictions}
    exponent = chosen.predictor.model.exponent
    lines = []
    if "pairs" in bases and exponent:
        lines.append(
            f"The mean of n arrows is multiplied by n^{exponent:.2f}, as fits the gains of all tasks together."
        )
    if "measured" in bases:
        measured = [n + 1 for n, group in enumerate(chosen.grouping.groups) if group in chosen.predictor.measured]
        lines.append(describe_measured(measured))
    return lines
