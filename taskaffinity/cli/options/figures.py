"""Options that choose the figures, their formats and colours."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

from taskaffinity.analysis.figure_options import FILES, FORMATS, FigureOptions, PaletteName
from taskaffinity.errors import InputError


class PaletteOption(StrEnum):
    paper = "paper"
    colorblind = "colorblind"
    cb = "cb"
    mono = "mono"


PALETTES: dict[PaletteOption, PaletteName] = {
    PaletteOption.paper: "paper",
    PaletteOption.colorblind: "colorblind",
    PaletteOption.cb: "colorblind",
    PaletteOption.mono: "mono",
}
Palette = Annotated[
    PaletteOption, typer.Option(help="paper: green and vermillion; colorblind: blue and vermillion; mono: one ink.")
]
Formats = Annotated[str | None, typer.Option("--format", help="png, svg, pdf, by commas (default: png,svg).")]
Figures = Annotated[str | None, typer.Option(help=f"Of {', '.join(FILES)}, by commas (default: graph,heatmap,forest).")]


def pictures_of(figures: str | None, formats: str | None, palette: PaletteOption) -> FigureOptions:
    """The figures that the options ask for, else the defaults.

    Raises
    ------
    InputError
        If there is no such figure or format.
    """
    return FigureOptions(
        _chosen("--figures", figures, FILES) or FigureOptions.figures,
        _chosen("--format", formats, FORMATS) or FigureOptions.formats,
        PALETTES[palette],
    )


def _chosen(option: str, given: str | None, legal: Iterable[str]) -> tuple[str, ...]:
    if given is None:
        return ()
    names = [*legal]
    words = list(dict.fromkeys(word.strip().lower() for word in given.split(",") if word.strip()))
    for word in words:
        if word not in names:
            close = difflib.get_close_matches(word, names, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InputError(f"{option} {word}: there are {', '.join(names)}{hint}")
    if not words:
        raise InputError(f"{option}: expected one or more of {', '.join(names)}")
    return tuple(words)
