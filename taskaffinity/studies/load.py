"""Read the study of a results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from taskaffinity.analysis.joint_results import EncoderResults, StagesResults, TrainResults
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.errors import InputError
from taskaffinity.python_names import python_function
from taskaffinity.runs.rule import Correction, Estimand, Test
from taskaffinity.runs.study import has_study
from taskaffinity.studies.check_options import rule_options
from taskaffinity.studies.settings import rule_of_study


@python_function
def load(
    results: str | Path,
    *,
    alpha: float | None = None,
    margin: float | Mapping[str, float] | str | Sequence[str] | None = None,
    correction: Correction | None = None,
    estimand: Estimand | None = None,
    test: Test | None = None,
) -> PairwiseResults | StagesResults | EncoderResults | TrainResults:
    """Read the study of a results folder; of several designs in one folder, the pairs, then the stages.

    Parameters
    ----------
    alpha, margin, correction, estimand, test
        The rule of the verdicts of pairs, as in ``taskaffinity graph``. Default: the study's. Not for other designs.

    Returns
    -------
    PairwiseResults, StagesResults, TrainResults, or EncoderResults for the folder of ``full(encoders=...)``

    Raises
    ------
    InputError
        If the folder holds no study or a broken one, if an option is out of range, or if it cannot be used.

    Examples
    --------
    In a checkout of this repository:

    >>> load("notebooks/example_results").gain.round(1).loc["shareclefe", "mednli"]
    np.float64(15.3)
    >>> load("notebooks/example_results", margin=0.1).verdict.loc["mednli", "shareclefe"]
    'inconclusive'
    """
    asked = rule_options(alpha=alpha, margin=margin, correction=correction, estimand=estimand, test=test)
    root = Path(results)
    if not has_study(root):
        if any(one is not None for one in asked) and _is_joint(root):
            raise InputError(
                f"{root}: holds no study of pairs; only verdicts of pairs have a rule: leave its options out"
            )
        if has_study(root, "full"):
            return StagesResults.load(root)
        if (root / "encoders.csv").is_file():
            return EncoderResults.load(root)
        if has_study(root, "train"):
            return TrainResults.load(root)
    pairs = PairwiseResults.load(root)
    return replace(pairs, rule=rule_of_study(pairs.study, *asked))


def _is_joint(root: Path) -> bool:
    """Return whether a folder holds a study in stages, one of several encoders, or a joint training."""
    return has_study(root, "full") or has_study(root, "train") or (root / "encoders.csv").is_file()
