"""A figure as a part of an HTML page: an ``<svg>`` element without a file around it.

The page has words of its own around a picture, so its caption and stamp are taken off the sheet. Ids stay only where
the picture itself refers to them, with a name before each, so that several pictures of one page do not meet.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from taskaffinity.analysis.figures.layout import FONT, save_figure

_REFERENCE = re.compile(r"(?<=url\(#)[^)]+|(?<=^#).+")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Not allowed in XML, and no reason to fail where a title has one."""
_POINTS_A_REM = 12.0


def take_words(ax: Axes) -> str:
    """Remove a picture's caption and stamp; returns the caption, its line breaks undone."""
    words = ""
    for text in cast(list[Text], ax.findobj(Text)):
        if text.get_gid() == "caption":
            words = text.get_text().replace("-\n", "-").replace("\n", " ")
        if text.get_gid() in ("caption", "stamp"):
            text.remove()
    return words


def inline_svg(ax: Axes, name: str, *, title: str, description: str) -> str:
    """The figure of these axes as one element, the same text for the same figure.

    Parameters
    ----------
    name : str
        Of the picture in its page; goes before every id.
    title, description : str
        What readers hear who do not see it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.svg"
        save_figure(cast(Figure, ax.get_figure(root=True)), path, alt=title)
        drawn = ElementTree.fromstring(_CONTROL.sub(b" ", path.read_bytes()))
    looks = ";".join(
        re.findall(r"\*\{(.*?)\}", "".join(s.text or "" for s in drawn.iter() if _local(s.tag) == "style"))
    )
    used = {found for e in drawn.iter() for value in e.attrib.values() for found in _REFERENCE.findall(value)}
    root = _plain(drawn, name, used)
    width = float(root.attrib["viewBox"].split()[2])
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "style": f"max-width:{width / _POINTS_A_REM:.1f}rem;{looks}",
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-description",
    }
    for place, (tag, words) in enumerate((("title", title), ("desc", description))):
        spoken = ElementTree.Element(tag, id=f"{name}-{'title' if tag == 'title' else 'description'}")
        spoken.text = words
        root.insert(place, spoken)
    return ElementTree.tostring(root, encoding="unicode")


def _plain(element: ElementTree.Element, name: str, used: set[str]) -> ElementTree.Element:
    """A copy without name spaces, metadata and white space between elements."""
    copy = ElementTree.Element(_local(element.tag))
    for key, value in element.attrib.items():
        if _local(key) == "id":
            if value in used:
                copy.set("id", f"{name}-{value}")
        elif _local(key) != "space":
            value = _REFERENCE.sub(
                lambda found: f"{name}-{found.group()}" if found.group() in used else found.group(), value
            )
            copy.set(_local(key), value.replace(f"'{FONT}'", f"'{FONT}', Verdana, sans-serif"))
    copy.text = element.text if (element.text or "").strip() else None
    for child in element:
        if _local(child.tag) not in ("metadata", "style", "title"):
            copy.append(_plain(child, name, used))
            copy[-1].tail = child.tail if (child.tail or "").strip() else None
    return copy


def _local(name: str) -> str:
    return name.rpartition("}")[2]
