"""What a study of pairs shows, read from its results folder: frames, graph, figures, report. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Self
from weakref import finalize

from taskaffinity.errors import InputError, as_user_error, quoted
from taskaffinity.output_file import REPORT, check_output, writing_results
from taskaffinity.python_names import parameters_not_options
from taskaffinity.runs.results import Results
from taskaffinity.runs.rule import Rule

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from taskaffinity.analysis.affinity import AffinityMatrix
    from taskaffinity.analysis.figure_options import Order, PaletteName
    from taskaffinity.runs.external.scores import Scale


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
    test_set: str = ""
    """Name of the test set of all gains; empty for the split ``test``."""

    @classmethod
    @parameters_not_options()
    def from_scores(
        cls,
        scores: Any = None,
        *,
        predictions: Any = None,
        metric: str | Mapping[str, str] | None = None,
        negative: Mapping[str, str] | None = None,
        scale: Scale | None = None,
        facts: Any = None,
        smaller_is_better: str | Sequence[str] | None = None,
        rule: Rule | None = None,
        name: str = "scores",
    ) -> Self:
        """Test the gains of runs that were trained elsewhere, without a results folder and figures.

        Larger scores are better; ``smaller_is_better`` names targets of errors and losses.

        Parameters
        ----------
        scores, predictions, metric, negative, scale, facts, smaller_is_better, rule, name
            As in ``taskaffinity.verdicts``, which writes a results folder.

        Raises
        ------
        InputError
            If a row cannot be used, the tables contradict each other, or the rule needs predictions.

        Examples
        --------
        >>> import pandas as pd
        >>> rows = [("rte", source, s, 60 + s % 3 + 6 * bool(source)) for source in ("", "mnli") for s in range(5)]
        >>> frame = pd.DataFrame(rows, columns=["target", "source", "seed", "score"])
        >>> PairwiseResults.from_scores(frame).verdict.loc["mnli", "rte"]
        'improves'
        """
        from taskaffinity.runs.external.scoring import Scoring
        from taskaffinity.runs.external.study import write_external
        from taskaffinity.runs.external.tables import read_tables

        scoring = Scoring.of(metric, negative)
        tables = read_tables(scores, predictions, scoring, scale, smaller_is_better, facts)
        study = tables.study(rule, name)
        root = Path(mkdtemp(prefix="taskaffinity-"))
        write_external(study, tables.targets, root)
        found = cls(root, study)
        finalize(found, rmtree, root, ignore_errors=True)
        return found

    def to_tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the scores and the predictions of the runs, as ``taskaffinity.verdicts`` reads them.

        If a run of a target stores no predictions, or its counts do not follow from them, the rows have counts in the
        place of labels.

        Raises
        ------
        InputError
            If the baseline is not ``single``, the design is sequential, or a file of the results folder is broken.
        """
        from taskaffinity.analysis.tables.run_tables import run_tables

        with as_user_error():
            return run_tables(self.study, self.store)

    def to_facts(self) -> pd.DataFrame:
        """Return what is known of the tasks besides the runs, as ``taskaffinity.verdicts`` reads it with ``facts``.

        Metrics, negative classes, sizes, long rows, unknown tokens, leaks, and tasks that were not trained to their
        end.

        Raises
        ------
        InputError
            As for ``to_tables``.
        """
        from taskaffinity.analysis.tables.run_tables import facts_frame

        with as_user_error():
            return facts_frame(self.study, self.store)

    @cached_property
    def matrix(self) -> AffinityMatrix:
        """Gains, intervals and verdicts of all arrows."""
        from taskaffinity.analysis.estimates.of_matrix import with_estimates
        from taskaffinity.analysis.measure import measure

        with as_user_error():
            matrix = measure(self.study, self.store, self.rule, self.test_set)
            return matrix if self.test_set else with_estimates(matrix, self.root)

    def on(self, test_set: str) -> Self:
        """Return the same study, measured on a further test set (one of ``study.test_sets``).

        Raises
        ------
        InputError
            If the study has no such test set.
        """
        if test_set not in self.study.test_sets:
            there = ", ".join(self.study.test_sets) or "none"
            raise InputError(f"on: found {quoted(test_set)}; expected a further test set of the study: {there}")
        return replace(self, test_set=test_set)

    def to_frame(self) -> pd.DataFrame:
        """One row per arrow, with the columns of ``edges.csv``; all of them refer to the test set."""
        from taskaffinity.analysis.tables.frames import edges_frame

        return edges_frame(self.matrix)

    def test_set_arrows(self) -> pd.DataFrame:
        """One row per arrow and further test set, with the columns of ``test_sets.csv``; none without further ones."""
        from taskaffinity.analysis.measure import measure_further
        from taskaffinity.analysis.tables.frames import frame_of_test_sets

        with as_user_error():
            return frame_of_test_sets(measure_further(self.study, self.store, self.rule or self.study.rule))

    def group_arrows(self) -> pd.DataFrame:
        """One row per group arrow, with the columns of ``group_arrows.csv``.

        Raises
        ------
        InputError
            If the study has none.
        """
        from taskaffinity.analysis.group_arrows import group_arrows_frame, measure_group_arrows

        if not self.study.groups:
            raise InputError(f"{self.root}: its study has no group arrows; give groups to `taskaffinity pairwise`")
        with as_user_error():
            return group_arrows_frame(measure_group_arrows(self.study, self.store, self.rule))

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
            If the path is a folder or a file that is no report, no run is done, or a file of the results folder is
            broken.
        """
        from taskaffinity.analysis.outdated import made_anew
        from taskaffinity.analysis.publish import check_has_runs
        from taskaffinity.analysis.report import write_report

        page = Path(path) if path is not None else self.root / "report.html"
        if page.is_dir():
            raise InputError(f"report {page}: a folder; expected a file, such as {page / 'report.html'}")
        check_output(page, REPORT, "report", option="report")
        with as_user_error(), writing_results(page.parent):
            check_has_runs(self.study, self.store, self.root)
            write_report(self.study, self.store, page, self.rule)
            made_anew(page.parent, [page.name])
        return page

    def _labelled(self, values: Any) -> pd.DataFrame:
        import pandas as pd

        names = list(self.matrix.tasks)
        frame = pd.DataFrame(values, index=names, columns=names)
        return frame.rename_axis(index="source", columns="target")
