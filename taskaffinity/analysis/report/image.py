"""A figure as an image of an HTML page: an ``<img>`` whose source is the SVG file itself, as a data URI."""

from __future__ import annotations

import base64
import re
from typing import cast

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from taskaffinity.analysis.figures.layout import FONT, figure_bytes

_WIDTH = re.compile(rb'viewBox="0 0 ([0-9.]+)')
_POINTS_A_REM = 12.0


def take_words(drawn: Axes | Figure) -> str:
    """Remove the caption and the stamp of a figure, and return the caption as one line.

    The page prints both as text beside the image.
    """
    words = ""
    for text in cast(list[Text], drawn.findobj(Text)):
        if text.get_gid() == "caption":
            words = text.get_text().replace("-\n", "-").replace("\n", " ")
        if text.get_gid() in ("caption", "stamp"):
            text.remove()
    return words


def image(drawn: Axes | Figure, *, alt: str) -> Markup:
    """The figure as an ``<img>`` element; the same text for the same figure.

    Parameters
    ----------
    alt : str
        What a reader hears who does not see the figure.
    """
    figure = drawn if isinstance(drawn, Figure) else cast(Figure, drawn.get_figure(root=True))
    svg = figure_bytes(figure, "svg", alt=alt)
    svg = svg.replace(f"'{FONT}'".encode(), f"'{FONT}', Verdana, sans-serif".encode())
    width = _WIDTH.search(svg)
    assert width is not None  # matplotlib writes it
    return Markup('<img src="data:image/svg+xml;base64,{}" alt="{}" style="max-width:{:.1f}rem">').format(
        base64.b64encode(svg).decode("ascii"), alt, float(width[1]) / _POINTS_A_REM
    )
