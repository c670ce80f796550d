"""The options that say which pictures are drawn, in which files and colours."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

from taskaffinity.analysis.figure_options import FILES, FORMATS, FigureOptions
from taskaffinity.errors import InputError


class PaletteOption(StrEnum):
    paper = "paper"
    cb = "cb"
    mono = "mono"


Palette = Annotated[
    PaletteOption, typer.Option(help="paper: green and vermillion; cb: blue and vermillion; mono: for one ink.")
]
Formats = Annotated[str | None, typer.Option("--format", help="png, svg, pdf, by commas (default: png,svg).")]
Figures = Annotated[str | None, typer.Option(help=f"Of {', '.join(FILES)}, by commas (default: graph,heatmap,forest).")]


def pictures_of(figures: str | None, formats: str | None, palette: PaletteOption) -> FigureOptions:
    """The pictures that the options ask for; what they leave open is by default.

    Raises
    ------
    InputError
        A figure or format that there is none of.
    """
    return FigureOptions(
        _chosen("--figures", figures, FILES) or FigureOptions.figures,
        _chosen("--format", formats, FORMATS) or FigureOptions.formats,
        palette.value,
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
