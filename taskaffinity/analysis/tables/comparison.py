"""Print the comparison of two studies: the table of changes, and what differs between the studies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import SYNTHETIC
from taskaffinity.analysis.comparison import Comparison
from taskaffinity.analysis.statistics.verdicts import CORRECTIONS, TESTS
from taskaffinity.analysis.style import plural, probability, signed_plainly, style_of
from taskaffinity.analysis.training_conditions import encoder_name


def comparison_table(comparison: Comparison) -> Table:
    """Return the table for a terminal; an arrow whose verdict changed is bold and has a star."""
    stamp = f"\n{SYNTHETIC}: not real data" if comparison.first.study.synthetic else ""
    table = Table(
        title=f"Gains of two studies and their change, in points{stamp}", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for name in ("", "source", "target"):
        table.add_column(name)
    table.add_column("first", justify="right")
    table.add_column("second", justify="right")
    table.add_column("change", justify="right")
    table.add_column(f"{100 * (1 - comparison.alpha):g}% interval", justify="right")
    table.add_column("p adj", justify="right", no_wrap=True)
    changed = comparison.changed
    for arrow in comparison.first.arrows:
        low, high, q = (getattr(comparison, name)[arrow] for name in ("low", "high", "q"))
        table.add_row(
            "*" if arrow in changed else "",
            Text(comparison.first.titles[arrow[0]]),
            Text(comparison.first.titles[arrow[1]]),
            _cell(comparison.first, arrow),
            _cell(comparison.second, comparison.in_second(arrow)),
            signed_plainly(comparison.change[arrow]),
            Text("" if math.isnan(low) else f"[{signed_plainly(low)}, {signed_plainly(high)}]"),
            probability(q, comparison.alpha),
            style="bold" if arrow in changed else None,
        )
    return table


def describe_comparison(comparison: Comparison, *, n_shared: int) -> list[str]:
    """Return lines on what changed, what differs between the studies, and how to read the intervals.

    Parameters
    ----------
    n_shared : int
        Finished runs that both folders have.
    """
    first, second = comparison.first, comparison.second
    tested = int(np.isfinite(comparison.p).sum())
    lines = _describe_verdicts(comparison)
    if tested:
        significant = int((comparison.q <= comparison.alpha).sum())
        lines.append(
            f"{plural(significant, 'gain') if significant else 'No gain'} changed significantly (p adj <= "
            f"{comparison.alpha:g}, {TESTS[comparison.test]} tests, {CORRECTIONS['bh']} over "
            f"{plural(tested, 'arrow')}). A verdict can change although the gain does not: read the interval of the "
            "change."
        )
    lines += [f"{what}: first {one}, second {two}" for what, one, two in differences(first, second)]
    if tested:
        lines.append(f"The intervals take the two gains as independent. {_describe_shared(comparison, n_shared)}")
    if first.study.interim_seeds or second.study.interim_seeds:
        lines.append("A sequential design stops at large gains; the tests of change do not account for that.")
    untested = sum(bool(comparison.untested_reason(arrow)) for arrow in first.arrows)
    if untested:
        lines.append(f"{plural(untested, 'arrow')} without a test in one study or both: no interval.")
    if not tested:
        lines.append("A change can be tested if its runs are done with two seeds or more in both studies.")
    return lines


def _describe_shared(comparison: Comparison, n_shared: int) -> str:
    """Return what the two studies are known to share."""
    unknown, n_targets = comparison.unknown_examples, int(np.isfinite(comparison.change).any(axis=0).sum())
    same = (
        "Both use the same test examples"
        + (" of the other tasks" if unknown else "")
        + (f" and share {plural(n_shared, 'run')}" if n_shared else "")
        + ", so the intervals are approximate, and rather too wide than too narrow."
    )
    if not unknown:
        return same
    whose = "" if len(unknown) == n_targets else f" of {', '.join(unknown)}"
    cannot = (
        f"Only scores are known{whose}, so the toolkit cannot see whether the test examples are the same in both: if "
        "they are not, a change may come from them."
    )
    return f"{cannot} {same}" if whose else cannot


def _describe_verdicts(comparison: Comparison) -> list[str]:
    first, second, changed = comparison.first, comparison.second, comparison.changed
    lines = [f"{len(changed)} of {plural(len(first.arrows), 'arrow')} changed verdict{' (*):' if changed else '.'}"]
    for s, t in changed:
        before, after = first.verdict[s, t], second.verdict[comparison.in_second((s, t))]
        lines.append(f"  {first.titles[s]} → {first.titles[t]}: {before}, then {after}")
    return lines


def differences(first: AffinityMatrix, second: AffinityMatrix) -> Iterator[tuple[str, str, str]]:
    """Yield what differs between the designs: its name, and the value in the first and the second study."""
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
        ("seeds per pair", "seeds"),
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
        alone = [matrix.study.single_recipes.get(name) for matrix in (first, second)]
        if alone[0] and alone[1]:
            pairs.append((f"single-task training of {name}", alone[0], alone[1]))
    for whose, ours, theirs in pairs:
        settings, others = asdict(ours), asdict(theirs)
        for key in settings:
            if settings[key] != others[key]:
                yield f"{whose}, {key}", str(settings[key]), str(others[key])
    rules = asdict(first.rule), asdict(second.rule)
    for key in rules[0]:
        if rules[0][key] != rules[1][key]:
            yield f"rule, {key}", str(rules[0][key]), str(rules[1][key])


def _cell(matrix: AffinityMatrix, arrow: tuple[int, int]) -> Text:
    style = style_of(matrix.verdict[arrow])
    return Text(
        f"{signed_plainly(matrix.gain[arrow])} {style.sign} {matrix.verdict[arrow]}".strip(), style=style.terminal
    )
