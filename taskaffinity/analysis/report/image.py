"""A figure as an image of an HTML page: an ``<img>`` whose source is the SVG file itself, as a data URI.

An image in a page answers no pointer. So a second SVG, transparent and inline, lies over the graph. It has the shafts
of the arrows, and a browser shows the words of the shaft under the pointer. No script takes part.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import cast

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from taskaffinity.analysis.figures.layout import FONT, figure_bytes

_VIEW_BOX = re.compile(rb'viewBox="0 0 ([0-9.]+) ([0-9.]+)"')
_POINTS_A_REM = 12.0
_SHAFT = re.compile(rb'<g id="shaft ([^"]+)">\s*<path d="([^"]+)"')


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
    return _image(_svg(drawn, alt), alt)


def graph_image(drawn: Axes | Figure, *, alt: str, words: Mapping[str, str]) -> Markup:
    """The affinity graph as an ``<img>`` element, and over it the arrows that answer the pointer.

    Parameters
    ----------
    words : mapping
        ``"source target"``, names of tasks -> what the page shows at the arrow from source to target. An arrow that is
        not drawn is left out.
    """
    svg = _svg(drawn, alt)
    width, height = _view_box(svg)
    paths = [
        Markup('<path d="{}"><title>{}</title></path>').format(" ".join(path.split()), words[arrow])
        for arrow, path in _shafts(svg)
        if arrow in words
    ]
    over = Markup('<svg viewBox="0 0 {} {}" aria-hidden="true">{}</svg>').format(width, height, Markup("").join(paths))
    size = f"max-width:{width / _POINTS_A_REM:.1f}rem"
    return Markup('<div class="hover" style="{}">{}{}</div>').format(size, _image(svg, alt), over)


def _image(svg: bytes, alt: str) -> Markup:
    return Markup('<img src="data:image/svg+xml;base64,{}" alt="{}" style="max-width:{:.1f}rem">').format(
        base64.b64encode(svg).decode("ascii"), alt, _view_box(svg)[0] / _POINTS_A_REM
    )


def _svg(drawn: Axes | Figure, alt: str) -> bytes:
    figure = drawn if isinstance(drawn, Figure) else cast(Figure, drawn.get_figure(root=True))
    return figure_bytes(figure, "svg", alt=alt).replace(f"'{FONT}'".encode(), f"'{FONT}', Verdana, sans-serif".encode())


def _view_box(svg: bytes) -> tuple[float, float]:
    """Width and height, in points."""
    found = _VIEW_BOX.search(svg)
    assert found is not None  # matplotlib writes it
    return float(found[1]), float(found[2])


def _shafts(svg: bytes) -> Iterator[tuple[str, str]]:
    """``"source target"`` and the path of every arrow, in the order in which they are drawn."""
    for arrow, path in _SHAFT.findall(svg):  # no parser of XML: a title may hold what XML forbids
        yield arrow.decode(), path.decode()
