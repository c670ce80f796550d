"""Which figures a command draws, in which formats, colours and order. The module loads no library."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

PaletteName = Literal["paper", "colorblind", "mono"]
PALETTE_NAMES: tuple[PaletteName, ...] = get_args(PaletteName)

Order = Literal["suite", "clustered"]
ORDERS: tuple[Order, ...] = get_args(Order)
"""Order of the tasks in the heat map and the forest: the suite's, or similar tasks side by side."""

FORMATS = ("png", "svg", "pdf")

FILES = {
    "graph": "affinity",
    "heatmap": "heatmap",
    "forest": "forest",
    "targets": "targets",
    "seeds": "seeds",
    "curves": "curves",
    "stages": "stages",
}
"""File name of every figure, without suffix; ``taskaffinity full`` draws ``stages``, ``pairwise`` the others."""

ORDERED = ("heatmap", "forest")
"""Figures that ``order`` changes."""


@dataclass(frozen=True)
class FigureOptions:
    """The figures to draw, and how."""

    figures: tuple[str, ...] = ("graph", "heatmap", "forest")
    """Keys of ``FILES``."""
    formats: tuple[str, ...] = ("png", "svg")
    """Members of ``FORMATS``."""
    palette: PaletteName = "paper"
    order: Order = "suite"

    def files(self, figures: Collection[str] = tuple(FILES)) -> tuple[str, ...]:
        """File names of those of ``figures`` that are to be drawn."""
        return tuple(f"{FILES[name]}.{kind}" for name in self.figures if name in figures for kind in self.formats)


DEFAULT = FigureOptions()
"""What the training commands draw."""
