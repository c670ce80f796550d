"""How a verdict looks, in one table: colour, line and sign say the same, so that none of them is needed.

Plain data, no matplotlib: the terminal's table uses it too. The colours are the paper's green and red in a form that
colour-blind readers tell apart from each other; in greyscale the line and the sign still tell (LOOKS.md 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from taskaffinity.analysis.verdicts import Verdict

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

NODE_FILL, NODE_EDGE, DIAGONAL, STAMP = "#F4F4F4", "#333333", "#DDDDDD", "#8B1A1A"

MINUS = "−"


def signed(points: float) -> str:
    """``+1.2``, ``−0.4``: one decimal, always a sign, with a true minus; ``+0.0`` for what rounds to nothing."""
    text = f"{points:+.1f}"
    return "+0.0" if text == "-0.0" else text.replace("-", MINUS)


def plural(number: float, word: str) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{number:g} {word}" if number == 1 else f"{number:g} {word}s"
