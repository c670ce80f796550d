"""Two studies of the same tasks side by side: which arrows changed their verdict, and by how much the gains changed.

A change is the second study's gain less the first's, in points. The two gains are taken as independent: variances add,
and the degrees of freedom are Welch and Satterthwaite's. They are not quite independent, for both are measured on the
same test examples, and perhaps with some of the same runs; what they share cancels in a difference, so intervals are
rather too wide than too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text
from scipy.special import stdtr, stdtrit

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import SYNTHETIC, encoder_name
from taskaffinity.analysis.statistics.standard_errors import FloatArray
from taskaffinity.analysis.statistics.verdicts import CORRECTIONS, adjust
from taskaffinity.analysis.style import STYLES, plural, probability, signed_plainly
from taskaffinity.analysis.tables.columns import PRINTED_COLUMNS
from taskaffinity.runs.study import Study

COMPARISON_COLUMNS = tuple(PRINTED_COLUMNS["compare"])


@dataclass(frozen=True, eq=False)
class Comparison:
    """Arrays ``[source, target]`` in the first study's order; points, NaN where an arrow has no test in a study."""

    first: AffinityMatrix
    second: AffinityMatrix
    places: tuple[int, ...]
    """Of the first study's tasks in the second."""
    change: FloatArray
    """The second's gain less the first's; known where both were measured."""
    se: FloatArray
    df: FloatArray
    low: FloatArray
    """Ends of the ``1 - alpha`` interval of one arrow by itself."""
    high: FloatArray
    p: FloatArray
    """Of "the gain is the same in both", two-sided."""
    q: FloatArray
    """The same after Benjamini and Hochberg's correction over all arrows."""

    @property
    def alpha(self) -> float:
        """The first study's level."""
        return self.first.rule.alpha

    def in_second(self, arrow: tuple[int, int]) -> tuple[int, int]:
        """Where an arrow of the first study is in the second."""
        return self.places[arrow[0]], self.places[arrow[1]]

    @property
    def changed(self) -> tuple[tuple[int, int], ...]:
        """Arrows with another verdict."""
        found = self.first.verdict, self.second.verdict
        return tuple(arrow for arrow in self.first.arrows if found[0][arrow] != found[1][self.in_second(arrow)])


def compare_studies(first: AffinityMatrix, second: AffinityMatrix) -> Comparison:
    """The second study's gains less the first's.

    Raises
    ------
    ValueError
        If the studies do not have the same tasks, data and metrics.
    """
    refuse_other_tasks(first.study, second.study)
    places = tuple(second.tasks.index(name) for name in first.tasks)
    take = np.ix_(places, places)
    change = second.gain[take] - first.gain
    v_first, v_second = first.se**2, second.se[take] ** 2
    se = np.sqrt(v_first + v_second)
    df = (v_first + v_second) ** 2 / (v_first**2 / first.df + v_second**2 / second.df[take])
    half = -stdtrit(df, first.rule.alpha / 2) * se
    p = 2 * stdtr(df, -np.abs(change / se))
    return Comparison(first, second, places, change, se, df, change - half, change + half, p, adjust(p))


def refuse_other_tasks(first: Study, second: Study) -> None:
    """Gains can be compared where tasks, data and metrics are the same.

    Raises
    ------
    ValueError
        With what differs.
    """
    ours, theirs = ({card.name: card for card in study.tasks} for study in (first, second))
    if ours.keys() != theirs.keys():
        only = [
            f"only the {which} has {', '.join(sorted(extra))}"
            for which, extra in (("first", ours.keys() - theirs.keys()), ("second", theirs.keys() - ours.keys()))
            if extra
        ]
        raise ValueError(f"the studies have other tasks: {'; '.join(only)}")
    for what, key in (("data", "fingerprint"), ("metrics", "metric")):
        other = [name for name in ours if getattr(ours[name], key) != getattr(theirs[name], key)]
        if other:
            raise ValueError(f"the studies have other {what} of {', '.join(other)}: their gains cannot be compared")


def comparison_frame(comparison: Comparison) -> pd.DataFrame:
    """One row an arrow, in the first study's order: ``COMPARISON_COLUMNS``."""
    first, second = comparison.first, comparison.second
    rows = []
    for arrow in first.arrows:
        there = comparison.in_second(arrow)
        row: dict[str, Any] = {
            "source": first.tasks[arrow[0]],
            "target": first.tasks[arrow[1]],
            "changed_verdict": first.verdict[arrow] != second.verdict[there],
            "metric": first.metrics[arrow[1]],
            "untested_reason": _reason(comparison, arrow),
            "alpha": comparison.alpha,
            "synthetic": first.study.synthetic,
        }
        row |= {name: getattr(comparison, name)[arrow] for name in ("change", "low", "high", "p", "q", "se", "df")}
        for which, matrix, place in (("first", first, arrow), ("second", second, there)):
            for name in ("gain", "low", "high", "verdict", "se", "df"):
                row[f"{name}_{which}"] = getattr(matrix, name)[place]
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))


def comparison_table(comparison: Comparison) -> Table:
    """For a terminal: an arrow whose verdict changed is marked with a star as well as printed bold."""
    stamp = f"\n{SYNTHETIC}: not real text" if comparison.first.study.synthetic else ""
    table = Table(
        title=f"Gains of two studies and their change, in points{stamp}", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for name in ("", "source", "target"):
        table.add_column(name)
    table.add_column("first", justify="right")
    table.add_column("second", justify="right")
    table.add_column("change", justify="right")
    table.add_column(f"{100 * (1 - comparison.alpha):g}% interval", justify="right")
    table.add_column("q", justify="right")
    changed = comparison.changed
    for arrow in comparison.first.arrows:
        low, high, q = (getattr(comparison, name)[arrow] for name in ("low", "high", "q"))
        table.add_row(
            "*" if arrow in changed else "",
            Text(comparison.first.titles[arrow[0]]),
            Text(comparison.first.titles[arrow[1]]),
            _found(comparison.first, arrow),
            _found(comparison.second, comparison.in_second(arrow)),
            signed_plainly(comparison.change[arrow]),
            Text("" if math.isnan(low) else f"[{signed_plainly(low)}, {signed_plainly(high)}]"),
            probability(q),
            style="bold" if arrow in changed else None,
        )
    return table


def describe_comparison(comparison: Comparison, *, n_shared: int | None = None) -> list[str]:
    """What changed, what differs between the studies, and how to read the intervals; a line each.

    ``n_shared`` runs are done in both folders; by default, all that are in both plans.
    """
    first, second, changed = comparison.first, comparison.second, comparison.changed
    total, alpha = len(first.arrows), comparison.alpha
    shared = _shared(first, second) if n_shared is None else n_shared
    lines = [f"{len(changed)} of {plural(total, 'arrow')} changed verdict{' (*):' if changed else '.'}"]
    for s, t in changed:
        before, after = first.verdict[s, t], second.verdict[comparison.in_second((s, t))]
        lines.append(f"  {first.titles[s]} → {first.titles[t]}: {before}, then {after}")
    tested = int(np.isfinite(comparison.p).sum())
    if tested:
        surely = int((comparison.q <= alpha).sum())
        lines.append(
            f"{plural(surely, 'gain') if surely else 'No gain'} surely changed (q <= {alpha:g}, {CORRECTIONS['bh']} "
            f"over {plural(tested, 'arrow')}). A verdict can change where the gain did not: read the interval of the "
            "change."
        )
    lines += [f"{what}: first {one}, second {two}" for what, one, two in differences(first, second)]
    if tested:
        lines.append(
            "Intervals take the two gains for independent. Both are measured on the same test examples"
            + (f" and share {plural(shared, 'run')}" if shared else "")
            + ", so they are approximate, and rather too wide than too narrow."
        )
    if first.study.interim_seeds or second.study.interim_seeds:
        lines.append("A race stops where gains look large: changes from or to a race do not allow for its looks.")
    untested = sum(bool(_reason(comparison, arrow)) for arrow in first.arrows)
    if untested:
        lines.append(f"{plural(untested, 'arrow')} without a test in one study or both: no interval.")
    if not tested:
        lines.append(
            "Whether a gain changed can be tested once each of its runs is done with two seeds or more in both studies."
        )
    return lines


def differences(first: AffinityMatrix, second: AffinityMatrix) -> Iterator[tuple[str, str, str]]:
    """What was asked otherwise: a word, the first study's way and the second's."""
    if first.study.encoder != second.study.encoder:
        names = [encoder_name(matrix) for matrix in (first, second)]
        if names[0] == names[1]:
            names = [f"{encoder_name(matrix)} ({matrix.study.encoder.fingerprint})" for matrix in (first, second)]
        yield "encoder", names[0], names[1]
    for name in ("suite", "protocol", "baseline", "evaluate_after", "init_from"):
        one, two = (str(getattr(matrix.study, name)) for matrix in (first, second))
        if one != two:
            yield name, one, two
    for name, get in (
        ("seeds a pair", "seeds"),
        ("single-task seeds", "single_seeds"),
        ("interim analyses", "interim_seeds"),
    ):
        numbers = [getattr(matrix.study, get) for matrix in (first, second)]
        if numbers[0] != numbers[1]:
            one, two = (" ".join(map(str, some)) or "none" for some in numbers)
            yield name, one, two
    pairs = [("recipe", first.study.recipe, second.study.recipe)]
    for name in first.tasks:
        how = first.study.finetune.get(name), second.study.finetune.get(name)
        if how[0] and how[1]:
            pairs.append((f"fine-tuning of {name}", how[0], how[1]))
    for whose, ours, theirs in pairs:
        settings, others = asdict(ours), asdict(theirs)
        for key in settings:
            if settings[key] != others[key]:
                yield f"{whose}, {key}", str(settings[key]), str(others[key])
    rules = asdict(first.rule), asdict(second.rule)
    for key in rules[0]:
        if rules[0][key] != rules[1][key]:
            yield f"rule, {key}", str(rules[0][key]), str(rules[1][key])


def _shared(first: AffinityMatrix, second: AffinityMatrix) -> int:
    """Runs that are in both plans."""
    return len({spec.run_id for spec in first.study.plan} & {spec.run_id for spec in second.study.plan})


def _reason(comparison: Comparison, arrow: tuple[int, int]) -> str:
    reasons = {
        "first": comparison.first.untested_reason[arrow],
        "second": comparison.second.untested_reason[comparison.in_second(arrow)],
    }
    return "; ".join(f"{which}: {reason}" for which, reason in reasons.items() if reason)


def _found(matrix: AffinityMatrix, arrow: tuple[int, int]) -> Text:
    style = STYLES[matrix.verdict[arrow]]
    return Text(
        f"{signed_plainly(matrix.gain[arrow])} {style.sign} {matrix.verdict[arrow]}".strip(), style=style.terminal
    )
