"""Which pictures a results folder gets, in which files and colours. Plain words: reading them loads no library."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

PaletteName = Literal["paper", "cb", "mono"]
PALETTE_NAMES: tuple[PaletteName, ...] = get_args(PaletteName)

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
"""Every figure, and its files' name; ``stages`` is of ``taskaffinity full``, the others are of the pairs."""


@dataclass(frozen=True)
class FigureOptions:
    """What to draw."""

    figures: tuple[str, ...] = ("graph", "heatmap", "forest")
    """Keys of ``FILES``."""
    formats: tuple[str, ...] = ("png", "svg")
    """Of ``FORMATS``."""
    palette: PaletteName = "paper"

    def files(self, figures: Collection[str] = tuple(FILES)) -> tuple[str, ...]:
        """The names of the files of these figures, as far as they are asked for."""
        return tuple(f"{FILES[name]}.{kind}" for name in self.figures if name in figures for kind in self.formats)


DEFAULT = FigureOptions()
"""What the commands that train draw."""
