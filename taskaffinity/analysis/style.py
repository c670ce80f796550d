"""Style of every verdict, and of estimates: colour, line, arrow head and sign.

All cues say the same, so that readers who cannot see one can use another. The module is plain
data without matplotlib, because the terminal's table uses it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from taskaffinity.analysis.figure_options import PaletteName
from taskaffinity.tasks.how_many import how_many

if TYPE_CHECKING:  # plain words for the command line, which loads no scipy
    from taskaffinity.analysis.statistics.verdicts import Verdict

Line = Literal["-"] | tuple[float, tuple[float, ...]]
"""A matplotlib line style: solid, or (offset, (on, off, ...)) in line widths."""


@dataclass(frozen=True)
class VerdictStyle:
    """Style of one verdict, or of estimates with one sign."""

    color: str
    ink: str
    """Colour of the labels, dark enough for text on white."""
    line: Line
    head: str
    """Arrow style of the head: filled, or open for an inconclusive arrow."""
    sign: str
    """ASCII, for terminals."""
    mark: str
    """Sign in figures and tables."""
    terminal: str
    """Style of rich."""
    is_hollow: bool = False
    """Whether shaft and head are outlines; so are those of estimates only."""


STYLES: dict[Verdict, VerdictStyle] = {
    "improves": VerdictStyle("#009E73", "#007A59", "-", "-|>", "+", "▲", "green"),
    "degrades": VerdictStyle("#D55E00", "#B34F00", (0, (4.5, 2.0)), "-|>", "-", "▼", "red"),
    "no effect": VerdictStyle("#A6A6A6", "#4D4D4D", (0, (1.0, 1.6)), "-|>", "=", "=", "bright_black"),
    "inconclusive": VerdictStyle("#B9C3D0", "#5F6B7A", (0, (9.0, 5.0, 1.5, 5.0)), "->", "?", "?", "yellow"),
}

NO_VERDICT = VerdictStyle("#8A8A8A", "#666666", (0, (1.0, 3.0)), "->", ".", "–", "bright_black")
"""Style of an arrow that is not measured. No figure draws it as a line."""

ABOUT = "≈"
"""Stands before every estimate in a figure."""
ESTIMATES: dict[str, tuple[Line, str]] = {
    "positive": ("-", "△"),
    "negative": ((0, (4.5, 2.0)), "▽"),
    "unclear": ((0, (1.5, 1.5)), "◇"),
}
"""Line and mark of an estimate by its sign."""


@dataclass(frozen=True)
class Palette:
    """The colours of a figure; lines, heads, signs and marks are the same in all palettes."""

    verdicts: Mapping[Verdict, VerdictStyle]
    stamp: tuple[str, str] = ("#8B1A1A", "#FFF3F0")
    """Ink and background of the stamp "synthetic"."""
    estimate: tuple[str, str] = ("#8661B5", "#5D3A92")
    """Colour and ink of all estimates, whatever their sign; no verdict has them."""
    is_grey: bool = False
    """Whether the heat map uses one grey for both directions and leaves the direction to sign and mark."""

    @property
    def estimates(self) -> Mapping[str, VerdictStyle]:
        """Style of an estimate by its sign: positive, negative or unclear."""
        color, ink = self.estimate
        return {
            sign: VerdictStyle(color, ink, line, "-|>", "~", mark, "magenta", is_hollow=True)
            for sign, (line, mark) in ESTIMATES.items()
        }

    @property
    def ramp(self) -> tuple[tuple[float, str], ...]:
        """Stops of the heat map's colours, from the largest loss (0) over white to the largest gain (1).

        Losses have the colour of an arrow that degrades, gains that of an arrow that improves. The ends are the darker
        inks; the stops keep the lightness nearly linear.
        """
        if self.is_grey:
            return ((0.0, GREY), (0.5, "#FFFFFF"), (1.0, GREY))
        loss, gain = self.verdicts["degrades"], self.verdicts["improves"]
        return ((0.0, loss.ink), (0.11, loss.color), (0.5, "#FFFFFF"), (0.89, gain.color), (1.0, gain.ink))


def style_of(verdict: Verdict, styles: Mapping[Verdict, VerdictStyle] = STYLES) -> VerdictStyle:
    """Return the style of a verdict, also of an arrow that is not measured."""
    return styles.get(verdict, NO_VERDICT)


def _with_colors(**colors: tuple[str, str]) -> dict[Verdict, VerdictStyle]:
    """Return ``STYLES`` with another (color, ink) per verdict; ``_`` stands for a blank in a verdict."""
    return {
        verdict: replace(style, color=colors[verdict.replace(" ", "_")][0], ink=colors[verdict.replace(" ", "_")][1])
        for verdict, style in STYLES.items()
    }


GREY = "#6E6E6E"
"""Largest gain and largest loss in the heat map of the palette ``mono``."""

PALETTES: dict[PaletteName, Palette] = {
    "paper": Palette(STYLES),
    "colorblind": Palette(
        _with_colors(
            improves=("#0072B2", "#005A8C"),
            degrades=("#D55E00", "#B34F00"),
            no_effect=("#A6A6A6", "#4D4D4D"),
            inconclusive=("#C4C4C4", "#666666"),
        )
    ),
    "mono": Palette(
        _with_colors(
            improves=("#111111", "#111111"),
            degrades=("#4A4A4A", "#3A3A3A"),
            no_effect=("#8C8C8C", "#4D4D4D"),
            inconclusive=("#B5B5B5", "#666666"),
        ),
        stamp=("#222222", "#F2F2F2"),
        estimate=("#707070", "#595959"),
        is_grey=True,
    ),
}
"""``paper``: green and vermillion; ``colorblind``: blue and vermillion; ``mono``: black and grey, for one ink."""

NODE_FILL, NODE_EDGE, DIAGONAL = "#F4F4F4", "#333333", "#DDDDDD"

MINUS = "−"
_MOST_DIGITS = 16


def signed(points: float) -> str:
    """``+1.2``, ``−0.4``: one decimal, always a sign, a true minus; ``+0.0`` for a value that rounds to zero.

    The value is that of a CSV file, with six digits: else -5.45 would be shown as −5.4 or −5.5, by the order of sums.
    """
    text = f"{float(f'{points:.6g}'):+.1f}"
    return "+0.0" if text == "-0.0" else text.replace("-", MINUS)


def signed_plainly(points: float) -> str:
    """``signed`` with an ASCII minus, for terminals; empty for NaN."""
    return "" if math.isnan(points) else signed(points).replace(MINUS, "-")


def probability(value: float, level: float) -> str:
    """``0.012``, ``<.001``; empty for NaN. A value just above the level has more digits, such as ``0.0501``."""
    if math.isnan(value):
        return ""
    return rounded(value, 3, lambda shown: shown <= level) if value >= 0.001 else "<.001"


def rounded(value: float, digits: int, holds: Callable[[float], bool]) -> str:
    """Return the value with so many decimals, or with more if rounding changes whether a test of it holds."""
    texts = (f"{value:.{number}f}" for number in range(digits, _MOST_DIGITS))
    return next((text for text in texts if holds(float(text)) == holds(value)), str(value))


def percent(share: float) -> str:
    """``57%``; ``<1%`` and ``>99%`` for a share in [0, 1] that only rounds to 0 or 1."""
    text = f"{100 * share:.0f}%"
    if share not in (0, 1) and text in ("0%", "100%"):
        return "<1%" if share < 0.5 else ">99%"
    return text


def marked(points: float, verdict: Verdict) -> str:
    """``+1.2 ▲``: the gain and the verdict's mark."""
    return f"{signed(points)} {STYLES[verdict].mark}"


def describe_marks() -> str:
    """Return the meaning of the marks, for captions."""
    return f"Marks: {', '.join(f'{style.mark} {verdict}' for verdict, style in STYLES.items())}."


def describe_estimate_signs(by: Literal["lines", "marks"]) -> str:
    """Return how a figure shows the sign of estimates, for captions."""
    if by == "lines":
        return "solid positive, dashed negative, short dashes unclear"
    return ", ".join(f"{mark} {sign}" for sign, (_, mark) in ESTIMATES.items())


def short(title: str, most: int = 18) -> str:
    """Return the title with at most ``most`` characters; a cut title ends in an ellipsis."""
    return title if len(title) <= most else f"{title[: most - 1].rstrip()}…"


def shortened(titles: Iterable[str], most: int = 18) -> dict[str, str]:
    """Return each title with at most ``most`` characters, by title; different titles stay different.

    A cut title ends in an ellipsis. Titles that begin in the same way keep their ends, or get numbers.
    """
    names = {title: short(title, most) for title in titles}
    alike: dict[str, list[str]] = {}
    for title, name in names.items():
        alike.setdefault(name, []).append(title)
    for group in alike.values():
        names |= _told_apart(group, most) if len(group) > 1 else {}
    return names


def _told_apart(titles: Sequence[str], most: int) -> dict[str, str]:
    """Return titles that begin in the same way, each with at most ``most`` characters, by title."""
    for end in range(max(1, most // 3), most - 1):
        names = {title: f"{title[: most - 1 - end].rstrip()}…{title[-end:].lstrip()}" for title in titles}
        if len({*names.values()}) == len(titles):
            return names
    numbered = enumerate(titles, start=1)  # they differ in the middle only
    return {title: f"{title[: most - 1 - len(str(number))].rstrip()}…{number}" for number, title in numbered}


def plural(number: float, word: str) -> str:
    """``1 seed``, ``3 seeds``, ``1,000,000 examples``, ``1.5 points``."""
    return how_many(int(number), word) if number == int(number) else f"{number:g} {word}s"
