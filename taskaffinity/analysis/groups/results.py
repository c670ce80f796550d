"""Groups of tasks, and helpers of a task, as a Python session uses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taskaffinity.analysis.groups.chosen import ChosenGroups
from taskaffinity.analysis.tables.groups import groups_frame, helpers_frame
from taskaffinity.grouping.gains import GroupGains
from taskaffinity.grouping.helpers import Helper

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from taskaffinity.analysis.affinity import AffinityMatrix
    from taskaffinity.analysis.figure_options import PaletteName


@dataclass(frozen=True)
class GroupResults:
    """The groups of tasks that were chosen from a study of pairs."""

    root: Path
    """The results folder."""
    chosen: ChosenGroups

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The tasks of each model."""
        return [self.chosen.names(group) for group in self.chosen.grouping.groups]

    @property
    def serves(self) -> dict[str, tuple[str, ...]]:
        """Name of each task -> the tasks of the model that serves it."""
        return dict(zip(self.chosen.tasks, (self.groups[group] for group in self.chosen.grouping.serves), strict=True))

    def to_frame(self) -> pd.DataFrame:
        """One row per model and task, with the columns of ``groups.csv``."""
        return groups_frame(self.chosen)

    def plot(self, palette: PaletteName = "paper") -> Figure:
        """Draw one small graph per model."""
        from taskaffinity.analysis.figures.groups import draw_groups

        return draw_groups(self.chosen, palette)


@dataclass(frozen=True)
class HelperResults:
    """Helpers of one task, in the order of a forward selection."""

    root: Path
    matrix: AffinityMatrix
    gains: GroupGains
    target: int
    helpers: Sequence[Helper]
    risk: float | None

    @property
    def chosen(self) -> list[str]:
        """Names of the helpers that the selection takes."""
        return [self.matrix.tasks[step.source] for step in self.helpers if step.is_chosen]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per helper: its gain, and the predicted gain up to it, in points."""
        return helpers_frame(self.matrix, self.gains, self.target, self.helpers)
