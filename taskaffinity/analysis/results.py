"""What a study shows, read from its results folder: frames, graph, figures, report. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskaffinity.errors import InputError, as_user_error, quoted
from taskaffinity.runs.results import Results
from taskaffinity.runs.rule import Rule

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from taskaffinity.analysis.affinity import AffinityMatrix
    from taskaffinity.analysis.figure_options import PaletteName


@dataclass(frozen=True, repr=False)
class PairwiseResults(Results):
    """A study of pairs. Arrays and frames are read ``[source, target]``; gains are in points.

    Examples
    --------
    In a checkout of this repository:

    >>> result = PairwiseResults.load("notebooks/example_results")
    >>> result.verdict.loc["shareclefe", "mednli"]
    'improves'
    >>> len(result.to_frame()), result.to_networkx().number_of_edges()
    (12, 12)
    """

    rule: Rule | None = None
    """Default: the study's own."""
    failed: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Names of the runs that failed just now, with the reason of each."""

    @cached_property
    def matrix(self) -> AffinityMatrix:
        """Gains, intervals and verdicts of all arrows."""
        from taskaffinity.analysis.affinity import measure

        with as_user_error():
            return measure(self.study, self.store, self.rule)

    def to_frame(self) -> pd.DataFrame:
        """One row per arrow, with the columns of ``edges.csv``."""
        from taskaffinity.analysis.tables.frames import edges_frame

        return edges_frame(self.matrix)

    @property
    def gain(self) -> pd.DataFrame:
        """Gains in points, ``[source, target]``; NaN on the diagonal."""
        return self._labelled(self.matrix.gain)

    @property
    def verdict(self) -> pd.DataFrame:
        """Verdicts, ``[source, target]``; empty on the diagonal."""
        return self._labelled(self.matrix.verdict)

    def to_networkx(self) -> nx.DiGraph[str]:
        """A directed graph: nodes are tasks, edges have gain, interval and verdict."""
        from taskaffinity.analysis.graph import affinity_graph

        return affinity_graph(self.matrix)

    def plot(self, figure: str = "graph", palette: PaletteName = "paper") -> Axes | Figure:
        """Draw a figure and return it; nothing is written.

        Parameters
        ----------
        figure : {"graph", "heatmap", "forest", "targets", "seeds", "curves"}
        palette : {"paper", "colorblind", "mono"}

        Raises
        ------
        InputError
            If there is no such figure or palette.
        """
        from taskaffinity.analysis.figure_options import FILES, PALETTE_NAMES, FigureOptions
        from taskaffinity.analysis.figures.gallery import draw_figure

        names = [name for name in FILES if name != "stages"]
        for given, legal in ((figure, names), (palette, PALETTE_NAMES)):
            if given not in legal:
                raise InputError(f"plot: found {quoted(given)}; expected one of {', '.join(legal)}")
        return draw_figure(figure, self.matrix, self.store, FigureOptions(palette=palette))

    def report(self, path: str | Path) -> Path:
        """Write the study as one HTML page and return its path."""
        from taskaffinity.analysis.report import write_report

        with as_user_error():
            write_report(self.study, self.store, Path(path))
        return Path(path)

    def _labelled(self, values: Any) -> pd.DataFrame:
        import pandas as pd

        names = list(self.matrix.tasks)
        frame = pd.DataFrame(values, index=names, columns=names)
        return frame.rename_axis(index="source", columns="target")


@dataclass(frozen=True, repr=False)
class StagesResults(Results):
    """A study of the whole set: every task single-task, in the multi-task model, and fine-tuned from it."""

    failed: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Names of the runs that failed just now, with the reason of each."""

    def to_frame(self) -> pd.DataFrame:
        """One row per task and stage: score, gain over single-task training, and interval, in points."""
        from taskaffinity.analysis.paper.stages import stage_scores, stages_frame

        with as_user_error():
            return stages_frame(self.study, stage_scores(self.study, self.store))


@dataclass(frozen=True)
class EncoderResults:
    """Studies of one suite with several encoders."""

    root: Path
    studies: Sequence[StagesResults]

    @property
    def failed(self) -> dict[str, str]:
        """Names of the runs that failed just now, with the reason of each."""
        return {name: reason for study in self.studies for name, reason in study.failed.items()}

    def to_frame(self) -> pd.DataFrame:
        """One row per encoder, task and stage, in points."""
        from taskaffinity.analysis.paper.encoders import encoder_scores, encoders_frame

        with as_user_error():
            return encoders_frame(encoder_scores([(one.study, one.store) for one in self.studies]))
