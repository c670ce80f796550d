"""Options that choose the figures, their formats, colours and order."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from typing import Annotated, cast

import typer

from taskaffinity.analysis.figure_options import FILES, FORMATS, PALETTE_NAMES, FigureOptions, Order, PaletteName
from taskaffinity.errors import InputError

OLD_PALETTES = {"cb": "colorblind"}
"""Palette names of earlier versions, still accepted."""


def _palette(given: str) -> str:
    name = OLD_PALETTES.get(given, given)
    if name != given:
        print(f"taskaffinity: --palette {given} is now {name}; the next release drops the old name", file=sys.stderr)
    if name not in PALETTE_NAMES:
        raise typer.BadParameter(f"{given!r} is not one of {', '.join(map(repr, PALETTE_NAMES))}.")
    return name


Palette = Annotated[
    str,
    typer.Option(
        parser=_palette,
        metavar=f"<{'|'.join(PALETTE_NAMES)}>",
        help="Colours. paper: green and vermillion. colorblind: blue and vermillion. mono: black and grey.",
    ),
]
Ordered = Annotated[
    Order,
    typer.Option(
        help="Order of the tasks in heat map and forest: as in the suite, or clustered (tasks with similar gains "
        "side by side)."
    ),
]
Formats = Annotated[
    str | None,
    typer.Option("--format", help="Formats: png, svg, pdf; separate several with commas (default: png,svg)."),
]
Figures = Annotated[
    str | None,
    typer.Option(help=f"Figures: {', '.join(FILES)}; separate several with commas (default: graph,heatmap,forest)."),
]


def figure_options_of(figures: str | None, formats: str | None, palette: str, order: Order = "suite") -> FigureOptions:
    """Return the requested figures; an option that is not given has its default.

    Raises
    ------
    InputError
        If a figure or format does not exist.
    """
    return FigureOptions(
        _chosen("--figures", figures, FILES) or FigureOptions.figures,
        _chosen("--format", formats, FORMATS) or FigureOptions.formats,
        cast(PaletteName, palette),
        order,
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
