"""Format the chosen groups, and the helpers of a target, as rows, table and text."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import SYNTHETIC
from taskaffinity.analysis.groups.chosen import ChosenGroups
from taskaffinity.analysis.statistics.verdicts import VERDICTS
from taskaffinity.analysis.style import percent, plural, signed_plainly
from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.analysis.tables.predictions import describe_predictions, interval_in_words
from taskaffinity.analysis.tables.printed_columns import PRINTED_COLUMNS
from taskaffinity.grouping.gains import GroupGains
from taskaffinity.grouping.grouping import Grouping
from taskaffinity.grouping.helpers import Helper

ESTIMATE_MARK = "~"
"""Mark after a predicted gain that includes an estimate."""
GROUPS_COLUMNS = tuple(COLUMNS["groups.csv"])
HELPERS_COLUMNS = tuple(PRINTED_COLUMNS["helpers"])


def groups_frame(chosen: ChosenGroups) -> pd.DataFrame:
    """Return one row per model and task that it is trained on: ``GROUPS_COLUMNS``."""
    grouping, hours = chosen.grouping, chosen.hours(chosen.grouping)
    rows = []
    for number, group in enumerate(grouping.groups):
        for task in group:
            served = grouping.serves[task] == number
            prediction = dataclasses.asdict(chosen.predictions[task]) if served else {}
            rows.append(
                {
                    "group": number + 1,
                    "tasks": "+".join(chosen.names(group)),
                    "task": chosen.tasks[task],
                    "served": served,
                    **prediction,
                    "alpha": chosen.matrix.rule.alpha,
                    "pair_mean": chosen.pair_mean[task] if served else math.nan,
                    "bound": chosen.bound[task] if served and chosen.risk is not None else math.nan,
                    "estimated": served and chosen.estimated[task],
                    "share": chosen.shares.groups[number] if chosen.shares else math.nan,
                    "hours": float(hours[number]),
                    "method": grouping.method,
                    "risk": math.nan if chosen.risk is None else chosen.risk,
                    "synthetic": chosen.matrix.study.synthetic,
                }
            )
    return pd.DataFrame(rows, columns=list(GROUPS_COLUMNS))


def groups_table(chosen: ChosenGroups) -> Table:
    """Return the table for a terminal: one line per model and task."""
    stamp = f"\n{SYNTHETIC}: not real data" if chosen.matrix.study.synthetic else ""
    table = Table(
        title=f"Tasks to train together, with predicted gains in points{stamp}",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("model", justify="right")
    table.add_column("task", overflow="fold")
    has_model = chosen.predictor.model.is_fitted
    level = [f"{100 * (1 - chosen.matrix.rule.alpha):g}% interval"] if has_model else []
    bound = ["lower bound"] if chosen.risk is not None else []
    for name in ("gain", *level, *bound, "best in", "training"):
        table.add_column(name, justify="right", no_wrap=True)
    grouping, hours = chosen.grouping, chosen.hours(chosen.grouping)
    for number, group in enumerate(grouping.groups):
        share = percent(chosen.shares.groups[number]) if chosen.shares else ""
        of_model = [share, _duration(float(hours[number]))]
        served = [task for task in group if grouping.serves[task] == number]
        for place, task in enumerate([*served, *(task for task in group if task not in served)]):
            is_served = task in served
            title = f"{chosen.matrix.titles[task]}{'' if is_served else ' (helper)'}"
            mark = ESTIMATE_MARK if chosen.estimated[task] else ""
            values = [f"{signed_plainly(chosen.gain[task])}{mark}"]
            if has_model:
                values.append(interval_in_words(chosen.predictions[task]))
            if chosen.risk is not None:
                values.append(signed_plainly(chosen.bound[task]))
            words = [Text(value if is_served else "") for value in values]
            table.add_row("" if place else str(number + 1), Text(title), *words, *(["", ""] if place else of_model))
    return table


def describe_groups(chosen: ChosenGroups) -> list[str]:
    """Return lines on the whole choice, what it leaves out, other choices, and how to read the predictions."""
    grouping = chosen.grouping
    how = (
        "best of all groupings"
        if grouping.method == "exact"
        else "found by greedy merging and swaps, maybe not the best"
    )
    lines = [f"{_worth(chosen, grouping)} ({how}).", *describe_evidence(chosen)]
    if chosen.shares:
        lines.append(
            f"Best in: share of {chosen.shares.draws} draws of the gains in which this model is part of the best "
            f"grouping. On average that grouping is worth {chosen.shares.regret:.2g} points per task more than "
            "this one."
        )
    lines += [f"{name}: {_worth(chosen, other)}." for name, other in chosen.alternatives.items()]
    lines += describe_unknown(chosen.matrix, chosen.gains, chosen.risk)
    lines += describe_estimated(chosen.matrix, chosen.gains)
    lines += [chosen.matrix.estimates_ignored] * bool(chosen.matrix.estimates_ignored)
    return [*lines, *describe_predictions(chosen)]


def describe_evidence(chosen: ChosenGroups) -> list[str]:
    """Return a line on the verdicts of the measured gains behind the choice, if there are any.

    If no verdict says that a task improves, the line offers single-task training.
    """
    groups = [chosen.grouping.groups[group] for group in chosen.grouping.serves]
    arrows = [
        (source, task)
        for task, group in enumerate(groups)
        for source in group
        if source != task and not chosen.gains.estimated[source, task] and chosen.predictions[task].basis != "measured"
    ]
    if not arrows:
        return []
    counts = {name: sum(chosen.matrix.verdict[arrow] == name for arrow in arrows) for name in VERDICTS}
    found = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    lines = [f"Verdicts of the {plural(len(arrows), 'gain')} behind this choice: {found}."]
    helps = counts["improves"] or any(one.basis == "measured" and one.low > 0 for one in chosen.predictions)
    if not helps and len(chosen.grouping.groups) < len(chosen.tasks):
        lines.append(
            "No verdict shows that training together helps: train each task by itself, unless fewer models are worth "
            "more to you than the scores (--compare single-task prices both)."
        )
    return lines


def describe_estimated(matrix: AffinityMatrix, gains: GroupGains) -> list[str]:
    """Return a line on estimates that stand for gains, with the reasons; none without them."""
    number = int(gains.estimated.sum())
    if not number:
        return []
    come = "comes" if number == 1 else "come"
    return [
        f"{ESTIMATE_MARK} with estimates: {number} of {plural(int(gains.arrows.sum()), 'gain')} {come} from "
        f"estimates.csv{_why_untested(matrix, gains.estimated)}. An estimate has the sign of a gain, not its size."
    ]


def _why_untested(matrix: AffinityMatrix, arrows: npt.NDArray[np.bool_]) -> str:
    """Return why arrows have no measured gain with a bound: `` (1 not measured, 2 without a test: one seed)``."""
    reasons = Counter(
        f"without a test: {matrix.untested_reason[arrow]}" if matrix.seeds_pair[arrow] else "not measured"
        for arrow in map(tuple, np.argwhere(arrows))
    )
    return f" ({', '.join(f'{count} {reason}' for reason, count in sorted(reasons.items()))})"


def describe_unknown(matrix: AffinityMatrix, gains: GroupGains, risk: float | None) -> list[str]:
    """Return a line on gains that the choice could not use; none if it used all."""
    unknown, unmeasured = int(gains.unknown.sum()), int((gains.arrows & np.isnan(gains.gain)).sum())
    if not unknown:
        return []
    of = f"{unknown} of {plural(int(gains.arrows.sum()), 'gain')}"
    if unknown == unmeasured or risk is None:
        return [f"{of} not measured: no task is served by a model that needs one."]
    return [
        f"{of} without a lower bound{_why_untested(matrix, gains.unknown)}: no task is served by a model that needs "
        "one. --risk none takes gains without a test as they are."
    ]


def helpers_frame(matrix: AffinityMatrix, gains: GroupGains, target: int, helpers: Sequence[Helper]) -> pd.DataFrame:
    """Return one row per helper in the order of the selection: ``HELPERS_COLUMNS``."""
    rows = [
        {
            "target": matrix.tasks[target],
            "helper": matrix.tasks[step.source],
            "chosen": step.is_chosen,
            "gain": step.gain,
            "bound": step.bound,
            "set_gain": step.set_gain,
            "set_bound": step.set_bound,
            "set_measured": step.is_measured,
            "estimated": bool(gains.estimated[step.source, target]),
            "verdict": matrix.verdict[step.source, target],
            "synthetic": matrix.study.synthetic,
        }
        for step in helpers
    ]
    return pd.DataFrame(rows, columns=list(HELPERS_COLUMNS))


def helpers_table(
    matrix: AffinityMatrix, gains: GroupGains, target: int, helpers: Sequence[Helper], risk: float | None
) -> Table:
    """Return the table of helpers for a terminal."""
    stamp = f"\n{SYNTHETIC}: not real data" if matrix.study.synthetic else ""
    title = Text(f"Helpers for {matrix.titles[target]}, in the order of selection, in points{stamp}")
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("", "helper"):
        table.add_column(name)
    names = [
        "gain",
        *(["lower bound"] * (risk is not None)),
        "with those before",
        *(["lower bound"] * (risk is not None)),
    ]
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for step in helpers:
        values = [step.gain, step.bound, step.set_gain, step.set_bound]
        if risk is None:
            values = values[::2]
        mark = ESTIMATE_MARK * bool(gains.estimated[step.source, target])
        words = [signed_plainly(values[0]) + mark, *map(signed_plainly, values[1:])]
        table.add_row("*" * step.is_chosen, Text(matrix.titles[step.source]), *words)
    return table


def describe_helpers(
    matrix: AffinityMatrix, gains: GroupGains, target: int, helpers: Sequence[Helper], risk: float | None
) -> list[str]:
    """Return lines on the choice of helpers."""
    chosen = any(step.is_chosen for step in helpers)
    first = "* chosen." if chosen else "None chosen: no task is shown to help this one." if risk else "None chosen."
    sets = [[matrix.titles[step.source] for step in helpers[: place + 1]] for place in range(len(helpers))]
    trained = [" + ".join(names) for names, step in zip(sets, helpers, strict=True) if step.is_measured and names[1:]]
    mean = "With those before: the mean of the gains in pairs"
    how = (
        f"{mean}, so a second helper never raises it." if not trained else f"{mean}; measured for {', '.join(trained)}."
    )
    lines = [f"{first} {how} Only training with both can show whether two helpers are better than one."]
    into = gains.estimated & (np.arange(gains.size) == target)
    unknown, estimated = int(gains.unknown[:, target].sum()), int(into.sum())
    if estimated:
        lines.append(
            f"{ESTIMATE_MARK} {plural(estimated, 'gain')} from estimates.csv{_why_untested(matrix, into)}. An "
            "estimate has the sign of a gain, not its size."
        )
    what = "gain" if risk is None else "gain with a lower bound"
    return lines + ([f"{plural(unknown, 'task')} left out: no {what} is known."] if unknown else [])


def _worth(chosen: ChosenGroups, grouping: Grouping) -> str:
    """Return the value and cost of a grouping: ``3 models, +8.9 points per task, 1.2 h of training``."""
    predicted, bound = chosen.predictor.of(grouping), grouping.values(chosen.gains.worth)
    words = [plural(len(grouping.groups), "model")]
    if np.isnan(bound).any():
        words.append("gain not known")
    else:
        low = "" if chosen.risk is None else f" (lower bound {signed_plainly(float(bound.mean()))})"
        words.append(f"{signed_plainly(float(np.mean([one.gain for one in predicted])))} points per task{low}")
    if measured := sum(one.basis == "measured" for one in predicted):
        words.append(f"{plural(measured, 'task')} with a measured gain")
    if estimated := sum(chosen.estimated_in(grouping)):
        words.append(f"{plural(estimated, 'task')} with estimates")
    hours = float(chosen.hours(grouping).sum())
    return ", ".join([*words, *([] if math.isnan(hours) else [f"{_duration(hours)} of training"])])


def _duration(hours: float) -> str:
    """Return ``1.5 h`` or ``12.3 min``; empty for NaN."""
    return "" if math.isnan(hours) else f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
