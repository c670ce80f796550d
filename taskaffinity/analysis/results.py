"""What a study shows, read from its results folder: frames, graph, figures, report. Needs no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict

from taskaffinity.errors import InputError, as_user_error, quoted, shown
from taskaffinity.runs.results import Results
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.stored.csv_files import read_csv_rows
from taskaffinity.runs.stored.json_files import Words
from taskaffinity.runs.study import FILES, Design

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from taskaffinity.analysis.affinity import AffinityMatrix
    from taskaffinity.analysis.figure_options import Order, PaletteName


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
        from taskaffinity.analysis.estimates.stored import with_estimates

        with as_user_error():
            return with_estimates(measure(self.study, self.store, self.rule), self.root)

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

    @property
    def advice(self) -> list[str]:
        """Lines on collapsed runs, undertrained baselines, the data, and test sets that are too small."""
        from taskaffinity.analysis.cautions.advice import describe_advice

        with as_user_error():
            return describe_advice(self.matrix)

    def to_networkx(self) -> nx.DiGraph[str]:
        """A directed graph: nodes are tasks, edges have gain, interval and verdict."""
        from taskaffinity.analysis.graph import affinity_graph

        return affinity_graph(self.matrix)

    def plot(self, figure: str = "graph", palette: PaletteName = "paper", order: Order = "suite") -> Axes | Figure:
        """Draw a figure and return it; nothing is written.

        Parameters
        ----------
        figure : {"graph", "heatmap", "forest", "targets", "seeds", "curves"}
        palette : {"paper", "colorblind", "mono"}
        order : {"suite", "clustered"}
            Order of the tasks in the heat map and the forest: the suite's, or similar tasks side by side.

        Raises
        ------
        InputError
            If there is no such figure, palette or order.
        """
        from taskaffinity.analysis.figure_options import FILES as FIGURES
        from taskaffinity.analysis.figure_options import ORDERS, PALETTE_NAMES, FigureOptions
        from taskaffinity.analysis.figures.gallery import draw_figure

        names = [name for name in FIGURES if name != "stages"]
        for given, legal in ((figure, names), (palette, PALETTE_NAMES), (order, ORDERS)):
            if given not in legal:
                raise InputError(f"plot: found {quoted(given)}; expected one of {', '.join(legal)}")
        return draw_figure(figure, self.matrix, self.store, FigureOptions(palette=palette, order=order))

    def report(self, path: str | Path | None = None) -> Path:
        """Write the study as one HTML page and return its path (default: ``report.html`` in the results folder).

        Raises
        ------
        InputError
            If the path is a folder, no run is done, or a file of the results folder is broken.
        """
        from taskaffinity.analysis.publish import check_has_runs
        from taskaffinity.analysis.report import write_report

        page = Path(path) if path is not None else self.root / "report.html"
        if page.is_dir():
            raise InputError(f"report {page}: a folder; expected a file, such as {page / 'report.html'}")
        with as_user_error():
            check_has_runs(self.study, self.store, self.root)
            write_report(self.study, self.store, page, self.rule)
        return page

    def _labelled(self, values: Any) -> pd.DataFrame:
        import pandas as pd

        names = list(self.matrix.tasks)
        frame = pd.DataFrame(values, index=names, columns=names)
        return frame.rename_axis(index="source", columns="target")


@dataclass(frozen=True, repr=False)
class StagesResults(Results):
    """A study of the whole set: every task single-task, in the multi-task model, and fine-tuned from it."""

    design: ClassVar[Design] = "full"
    failed: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Names of the runs that failed just now, with the reason of each."""

    def to_frame(self) -> pd.DataFrame:
        """One row per task and stage: score, gain over single-task training, and interval, in points."""
        from taskaffinity.analysis.paper.stages import stage_scores, stages_frame

        with as_user_error():
            return stages_frame(self.study, stage_scores(self.study, self.store))

    @property
    def advice(self) -> list[str]:
        """Lines on collapsed runs, undertrained single-task runs and the data."""
        from taskaffinity.analysis.cautions.advice import describe_stage_advice

        with as_user_error():
            return describe_stage_advice(self.study, self.store)


@dataclass(frozen=True, repr=False)
class TrainResults(Results):
    """One joint training of all tasks, with a model per seed."""

    design: ClassVar[Design] = "train"
    failed: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Names of the runs that failed just now, with the reason of each."""

    def to_frame(self) -> pd.DataFrame:
        """One row per task and stage, with the columns of ``train.csv``; scores are in points."""
        from taskaffinity.analysis.tables.trained import train_frame

        with as_user_error():
            return train_frame(self.study, self.store)

    @property
    def advice(self) -> list[str]:
        """Lines on collapsed runs and the data."""
        from taskaffinity.analysis.cautions.advice import describe_stage_advice

        with as_user_error():
            return describe_stage_advice(self.study, self.store)


@dataclass(frozen=True)
class EncoderResults:
    """Studies of one suite with several encoders."""

    root: Path
    studies: Sequence[StagesResults]

    @classmethod
    def load(cls, root: str | Path) -> EncoderResults:
        """Read the studies that ``full`` wrote with several encoders.

        Raises
        ------
        InputError
            If ``encoders.csv`` or one of the studies is missing or broken.
        """
        return cls(Path(root), [StagesResults.load(folder) for folder in encoder_study_folders(Path(root))])

    @property
    def failed(self) -> dict[str, str]:
        """Names of the runs that failed just now, with the reason of each."""
        return {name: reason for study in self.studies for name, reason in study.failed.items()}

    def to_frame(self) -> pd.DataFrame:
        """One row per encoder, task and stage, in points."""
        from taskaffinity.analysis.paper.encoders import encoder_scores, encoders_frame

        with as_user_error():
            return encoders_frame(encoder_scores([(one.study, one.store) for one in self.studies]))


def encoder_study_folders(folder: Path) -> list[Path]:
    """Return the results folder of each encoder, in the order of ``encoders.csv``.

    Without that file, it is the folder itself.

    Raises
    ------
    InputError
        If the file does not match the folders beside it.
    """
    path = folder / "encoders.csv"
    if not path.exists():
        return [folder]
    marks = dict.fromkeys(row.encoder.rpartition(" ")[2][:8] for row in read_csv_rows(path, _EncoderRow, _REPEAT))
    folders = []
    for mark in marks:
        found = sorted(folder.glob(f"*-{mark}/{FILES['full']}")) if re.fullmatch("[0-9a-f]{1,8}", mark) else []
        if len(found) != 1:
            fault = f"{len(found)} folders of encoder {shown(mark)} beside it; expected one"
            raise InputError(f"{path}: {fault}; {_REPEAT}")
        folders.append(found[0].parent)
    return folders or [folder]


_REPEAT = "run `taskaffinity full --encoders` again"


@dataclass(frozen=True)
class _EncoderRow:
    """What is read back of a row of ``encoders.csv``."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    encoder: Words
    """Its name, and the beginning of its fingerprint in hexadecimal digits."""
