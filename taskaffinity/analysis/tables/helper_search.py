"""Format a search for helpers as rows, table and text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from taskaffinity.analysis.captions import SYNTHETIC
from taskaffinity.analysis.groups.helper_search import HelperSearch
from taskaffinity.analysis.groups.retrained import RealisedGain
from taskaffinity.analysis.style import plural, signed_plainly
from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.grouping.helper_race import Candidate, Race

SEARCH_COLUMNS = tuple(COLUMNS["helpers.csv"])


def helper_search_frame(found: HelperSearch) -> pd.DataFrame:
    """Return one row per candidate and step: ``SEARCH_COLUMNS``."""
    tasks, final = found.matrix.tasks, found.final
    rows = []
    for step, race in enumerate(found.races, start=1):
        for one in race.candidates:
            is_last = final is not None and one.helpers == found.chosen
            rows.append(
                {
                    "target": tasks[found.runs.target],
                    "step": step,
                    "given": "+".join(tasks[place] for place in race.current),
                    "helper": tasks[one.helpers[-1]],
                    "decision": one.decision,
                    "seeds": len(one.scores),
                    "dev": _mean(one.scores),
                    "difference": one.difference,
                    "bound": one.bound,
                    "risk": math.nan if found.rule.risk is None else found.rule.risk,
                    "gain": final.gain if final and is_last else math.nan,
                    "low": final.low if final and is_last else math.nan,
                    "high": final.high if final and is_last else math.nan,
                    "fresh_seeds": final.seeds if final and is_last else math.nan,
                    "alpha": found.matrix.rule.alpha,
                    "synthetic": found.matrix.study.synthetic,
                }
            )
    return pd.DataFrame(rows, columns=list(SEARCH_COLUMNS)).astype({"fresh_seeds": "Int64"})


def helper_search_table(found: HelperSearch) -> Table:
    """Return the table for a terminal: one line per candidate and step."""
    titles = found.matrix.titles
    stamp = f"\n{SYNTHETIC}: not real data" if found.matrix.study.synthetic else ""
    title = f"Search for helpers of {titles[found.runs.target]}: dev scores, in points{stamp}"
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("step", justify="right")
    table.add_column("candidate", overflow="fold")
    for name in ("seeds", "dev", "difference", *(["lower bound"] * (found.rule.risk is not None))):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("decision", no_wrap=True)
    for step, race in enumerate(found.races, start=1):
        now = " + ".join(titles[place] for place in race.current) or "single-task"
        table.add_row(str(step), Text(now), str(len(race.scores)), _shown(race.scores))
        for one in race.candidates:
            values = [_shown(one.scores), signed_plainly(one.difference)]
            if found.rule.risk is not None:
                values.append(signed_plainly(one.bound))
            added = Text(f"+ {titles[one.helpers[-1]]}")
            table.add_row("", added, str(len(one.scores)), *values, one.decision)
    return table


def describe_step(step: int, race: Race, titles: Sequence[str]) -> str:
    """Return one line on a step: its candidates, what was dropped when, and what was chosen."""

    def title(one: Candidate) -> str:
        return titles[one.helpers[-1]]

    parts = [f"{plural(len(race.candidates), 'candidate')}"]
    for n in sorted({len(one.scores) for one in race.candidates if one.decision == "dropped"}):
        names = [title(one) for one in race.candidates if one.decision == "dropped" and len(one.scores) == n]
        parts.append(f"dropped after {plural(n, 'seed')}: {', '.join(names)}")
    if failed := [title(one) for one in race.candidates if one.decision == "failed"]:
        parts.append(f"failed: {', '.join(failed)}")
    chosen = race.chosen
    if chosen is not None:
        parts.append(f"chosen: {title(chosen)}, {signed_plainly(chosen.difference)} points on dev")
    else:
        now = "the current set" if race.current else "single-task training"
        parts.append(f"none is shown to be better than {now}")
    return f"Step {step}: {'; '.join(parts)}."


def describe_search(found: HelperSearch) -> list[str]:
    """Return lines on the chosen set, its gain with fresh seeds, and the cost of the search."""
    titles = found.matrix.titles
    target = titles[found.runs.target]
    if found.final is None:
        lines = [f"No helper is chosen: train {target} by itself. Nothing was trained with fresh seeds."]
    else:
        names = " + ".join(titles[place] for place in found.chosen)
        lines = [f"Chosen for {target}: {names}. {_in_words(found.final, found.matrix.rule.alpha)}"]
    new, raced = found.n_new, len(found.raced)
    are = "is" if new == 1 else "are"
    largest = plural(len(found.races), "helper")
    lines.append(
        f"The races read {plural(raced, 'run')}, of which {new} {are} not part of the study. Every set of up to "
        f"{largest} with {plural(found.runs.n_seeds, 'seed')} would take {plural(found.n_exhaustive, 'run')}."
    )
    lines.append(
        "Decisions use dev scores and see no test score. A step adds one helper, so two tasks that help only together "
        "are not found."
    )
    return lines


def _in_words(final: RealisedGain, alpha: float) -> str:
    if math.isnan(final.gain):
        return f"Its gain with fresh seeds is not known: {final.untested_reason}."
    interval = (
        ""
        if math.isnan(final.low)
        else (f", {100 * (1 - alpha):g}% interval [{signed_plainly(final.low)}, {signed_plainly(final.high)}]")
    )
    return (
        f"Test gain over single-task training with {plural(final.seeds, 'fresh seed')}: "
        f"{signed_plainly(final.gain)} points{interval}."
    )


def _shown(scores: Sequence[float]) -> str:
    """Return the mean; empty if a run failed."""
    mean = _mean(scores)
    return "" if math.isnan(mean) else f"{mean:z.1f}"


def _mean(scores: Sequence[float]) -> float:
    return sum(scores) / len(scores)
