"""Compare two studies of the same tasks, as the command ``taskaffinity compare`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from taskaffinity.errors import InputError
from taskaffinity.python_names import python_function
from taskaffinity.runs.rule import Correction, Estimand, Test
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study, has_study
from taskaffinity.studies.check_options import rule_options
from taskaffinity.studies.settings import rule_of_study

if TYPE_CHECKING:
    import pandas as pd

    from taskaffinity.analysis.comparison import Comparison


@dataclass(frozen=True, eq=False)
class ComparisonResults:
    """Changes between two studies of the same tasks."""

    first: Path
    """Results folder of the first study."""
    second: Path
    comparison: Comparison

    def to_frame(self) -> pd.DataFrame:
        """Return one row per arrow, in the first study's order.

        The columns are those of ``taskaffinity compare --format csv``.
        """
        from taskaffinity.analysis.comparison import comparison_frame

        return comparison_frame(self.comparison)

    @property
    def changed(self) -> list[tuple[str, str]]:
        """Source and target of the arrows whose verdicts differ."""
        names = self.comparison.first.tasks
        return [(names[source], names[target]) for source, target in self.comparison.changed]

    @cached_property
    def n_shared(self) -> int:
        """Number of finished runs that both folders have."""
        first, second = (
            {spec.run_id for spec in matrix.study.plan if spec in store and not spec.is_external}
            for matrix, store in (
                (self.comparison.first, RunStore(self.first)),
                (self.comparison.second, RunStore(self.second)),
            )
        )
        return len(first & second)


@python_function
def compare(
    first: str | Path,
    second: str | Path,
    *,
    alpha: float | None = None,
    margin: float | Mapping[str, float] | str | Sequence[str] | None = None,
    correction: Correction | None = None,
    estimand: Estimand | None = None,
    test: Test | None = None,
) -> ComparisonResults:
    """Compare the gains and verdicts of two studies of the same tasks, without torch and data.

    Parameters
    ----------
    first, second : path
        Results folders of ``pairwise``. Encoder and settings may differ.
    alpha, margin, correction, estimand, test
        The rule of the verdicts of both studies, as in ``taskaffinity graph``. Default: that of each study.

    Raises
    ------
    InputError
        If a folder holds no study of pairs, or the studies differ in their tasks, data or metrics.

    Examples
    --------
    In a checkout of this repository, a study and a copy of it:

    >>> from shutil import copytree
    >>> from tempfile import mkdtemp
    >>> copy = copytree("notebooks/example_results", mkdtemp(), dirs_exist_ok=True)
    >>> result = compare("notebooks/example_results", copy)
    >>> result.changed, float(result.to_frame().change.abs().max())
    ([], 0.0)
    """
    from taskaffinity.analysis.comparison import check_same_tasks, compare_studies
    from taskaffinity.analysis.measure import measure  # pandas and scipy: not for --help

    asked = rule_options(alpha=alpha, margin=margin, correction=correction, estimand=estimand, test=test)
    first, second = Path(first), Path(second)
    if first.resolve() == second.resolve():
        raise InputError(f"{first} and {second}: the same folder; expected two results folders")
    for folder in (first, second):
        if has_study(folder, "full") and not has_study(folder):
            raise InputError(f"{folder}: holds a study in stages and none of pairs; only studies of pairs are compared")
    try:
        studies = [Study.load(folder) for folder in (first, second)]
        check_same_tasks(*studies)
        matrices = [
            measure(study, RunStore(folder), rule_of_study(study, *asked))
            for study, folder in zip(studies, (first, second), strict=True)
        ]
        return ComparisonResults(first, second, compare_studies(*matrices))
    except (FileNotFoundError, ValueError) as error:
        raise InputError(str(error)) from error
