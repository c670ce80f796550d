"""How a verdict looks, in one table: colour, line and sign say the same, so that none of them is needed.

Plain data, no matplotlib: the terminal's table uses it too. The colours are the paper's green and red in a form that
colour-blind readers tell apart from each other; in greyscale the line and the sign still tell (LOOKS.md 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from taskaffinity.analysis.figure_options import PaletteName

if TYPE_CHECKING:  # plain words for the command line, which loads no scipy
    from taskaffinity.analysis.statistics.verdicts import Verdict

Line = Literal["-"] | tuple[float, tuple[float, ...]]
"""A matplotlib line style: solid, or (offset, (on, off, ...)) in line widths."""


@dataclass(frozen=True)
class VerdictStyle:
    """One verdict's look."""

    color: str
    ink: str
    """Of its labels: as dark as text needs."""
    line: Line
    head: str
    """Arrow style of the head: filled, or open for what is not decided."""
    sign: str
    """ASCII, for terminals."""
    mark: str
    """For cells of the heatmap."""
    terminal: str
    """Style of rich."""


STYLES: dict[Verdict, VerdictStyle] = {
    "improves": VerdictStyle("#009E73", "#007A59", "-", "-|>", "+", "▲", "green"),
    "degrades": VerdictStyle("#D55E00", "#B34F00", (0, (4.5, 2.0)), "-|>", "-", "▼", "red"),
    "no effect": VerdictStyle("#A6A6A6", "#4D4D4D", (0, (1.0, 1.6)), "-|>", "=", "=", "bright_black"),
    "inconclusive": VerdictStyle("#B9C3D0", "#5F6B7A", (0, (9.0, 5.0, 1.5, 5.0)), "->", "?", "?", "yellow"),
}


@dataclass(frozen=True)
class Palette:
    """The colours of a picture; lines, heads, signs and marks are the same in all."""

    verdicts: Mapping[Verdict, VerdictStyle]
    ramp: str | tuple[str, ...]
    """Of the heatmap, from harm over nothing to help: a name of matplotlib's, or colours."""
    stamp: tuple[str, str] = ("#8B1A1A", "#FFF3F0")
    """Ink and ground of "synthetic stand-in"."""


def _recoloured(**colors: tuple[str, str]) -> dict[Verdict, VerdictStyle]:
    """``STYLES`` with other colours and inks, by verdict; blanks in a verdict are ``_``."""
    return {
        verdict: replace(style, color=colors[verdict.replace(" ", "_")][0], ink=colors[verdict.replace(" ", "_")][1])
        for verdict, style in STYLES.items()
    }


PALETTES: dict[PaletteName, Palette] = {
    "paper": Palette(STYLES, "PuOr"),
    "cb": Palette(
        _recoloured(
            improves=("#0072B2", "#005A8C"),
            degrades=("#D55E00", "#B34F00"),
            no_effect=("#A6A6A6", "#4D4D4D"),
            inconclusive=("#C4C4C4", "#666666"),
        ),
        "RdBu",
    ),
    "mono": Palette(
        _recoloured(
            improves=("#111111", "#111111"),
            degrades=("#4A4A4A", "#3A3A3A"),
            no_effect=("#8C8C8C", "#4D4D4D"),
            inconclusive=("#B5B5B5", "#666666"),
        ),
        ("#6E6E6E", "#FFFFFF", "#6E6E6E"),
        stamp=("#222222", "#F2F2F2"),
    ),
}
"""``paper``: green and vermillion; ``cb``: blue and vermillion, for colour-blind readers; ``mono``: for one ink."""

NODE_FILL, NODE_EDGE, DIAGONAL = "#F4F4F4", "#333333", "#DDDDDD"

MINUS = "−"


def signed(points: float) -> str:
    """``+1.2``, ``−0.4``: one decimal, always a sign, with a true minus; ``+0.0`` for what rounds to nothing."""
    text = f"{points:+.1f}"
    return "+0.0" if text == "-0.0" else text.replace("-", MINUS)


def signed_plainly(points: float) -> str:
    """With a plain minus, for terminals; empty where unknown."""
    return "" if math.isnan(points) else signed(points).replace(MINUS, "-")


def probability(value: float) -> str:
    """``0.012``, ``<.001``; empty where unknown."""
    return "" if math.isnan(value) else f"{value:.3f}" if value >= 0.001 else "<.001"


def marked(points: float, verdict: Verdict) -> str:
    """``+1.2 ▲``: the gain and the verdict's mark."""
    return f"{signed(points)} {STYLES[verdict].mark}"


def describe_marks() -> str:
    """What the marks say, for captions."""
    return f"Marks: {', '.join(f'{style.mark} {verdict}' for verdict, style in STYLES.items())}."


def short(title: str, most: int = 18) -> str:
    """At most so many letters, the last of them an ellipsis if some are cut."""
    return title if len(title) <= most else f"{title[: most - 1].rstrip()}…"


def plural(number: float, word: str) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{number:g} {word}" if number == 1 else f"{number:g} {word}s"
