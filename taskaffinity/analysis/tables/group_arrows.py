"""Group arrows in a terminal and in words: measured gains beside pair-sum and pair-mean."""

from __future__ import annotations

import math

from rich import box
from rich.table import Table
from rich.text import Text

from taskaffinity.analysis.captions import SYNTHETIC
from taskaffinity.analysis.group_arrows import GroupArrows
from taskaffinity.analysis.style import plural, probability, signed_plainly, style_of
from taskaffinity.runs.group_arrows import GroupArrow

MOST_LINES = 40
"""Most group arrows that a terminal and a text show; ``group_arrows.csv`` has all."""


def group_arrows_table(found: GroupArrows) -> Table:
    """Return the table for a terminal: one row per group arrow, those with a verdict first if there are many."""
    stamp = f"\n{SYNTHETIC}: not real data" if found.study.synthetic else ""
    title = f"What tasks add in groups, in points: measured, and predicted by pairs{stamp}"
    table = Table(title=title, caption=_caption(found), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("sources", "target", "given"):
        table.add_column(name, overflow="fold")
    level = f"{100 * (1 - found.rule.alpha):g}% interval"
    for name in ("gain", level, "pair-sum", "pair-mean", "p adj"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for place in _shown(found):
        arrow, verdict = found.arrows[place], found.decision.verdict[place]
        reason = str(found.evidence.untested_reason[place])
        low, high = (100 * value[place] for value in (found.decision.low, found.decision.high))
        q = found.decision.q_tost if verdict == "no effect" else found.decision.q
        style = style_of(verdict)
        table.add_row(
            *(Text(words) for words in _words(found, arrow)),
            signed_plainly(found.gain[place]),
            Text("" if math.isnan(low) else f"[{signed_plainly(low)}, {signed_plainly(high)}]"),
            *(signed_plainly(float(value[place])) for value in (found.pair_sum, found.pair_mean)),
            probability(float(q[place]), found.rule.alpha),
            Text(f"{style.sign} {verdict}{f': {reason}' * bool(reason)}", style=style.terminal),
        )
    return table


def describe_group_arrows(found: GroupArrows) -> list[str]:
    """Return one line per decided group arrow, and the number of the others."""
    lines = []
    decided = [place for place in _shown(found) if found.decision.verdict[place] != "inconclusive"]
    for place in decided:
        sources, target, given = _words(found, found.arrows[place])
        beside = f", given {given}" if given else ""
        low, high = (100 * value[place] for value in (found.decision.low, found.decision.high))
        lines.append(
            f"Adding {sources} to {target}{beside}: {found.decision.verdict[place]}, "
            f"{signed_plainly(found.gain[place])} points (interval {signed_plainly(low)} to {signed_plainly(high)}); "
            f"pair-sum {signed_plainly(found.pair_sum[place]) or 'unknown'}, "
            f"pair-mean {signed_plainly(found.pair_mean[place]) or 'unknown'}."
        )
    if more := len(found.arrows) - len(decided):
        lines.append(f"{plural(more, 'further group arrow')}: inconclusive, or in group_arrows.csv only.")
    return lines


def _shown(found: GroupArrows) -> list[int]:
    """Return the places of the arrows to show, in their order; if they are many, decided ones first."""
    places = list(range(len(found.arrows)))
    if len(places) <= MOST_LINES:
        return places
    return sorted(places, key=lambda place: found.decision.verdict[place] == "inconclusive")[:MOST_LINES]


def _words(found: GroupArrows, arrow: GroupArrow) -> tuple[str, str, str]:
    """Return the titles of sources, target and given tasks."""
    titles = {card.name: card.title for card in found.study.tasks}
    named = set(arrow.given) | set(arrow.sources) | {arrow.target}
    given = " + ".join(titles[name] for name in arrow.given)
    if len(arrow.given) > 2 and len(named) == len(titles):
        given = "all others"
    return " + ".join(titles[name] for name in arrow.sources), titles[arrow.target], given


def _caption(found: GroupArrows) -> str:
    more = len(found.arrows) - MOST_LINES
    hidden = [f"and {plural(more, 'more group arrow')}, all in group_arrows.csv"] if more > 0 else []
    return "\n".join(
        [
            *hidden,
            "pair-sum: sum of the sources' gains in pairs; pair-mean: change of the mean gain in pairs; p adj: over "
            "the group arrows",
        ]
    )
