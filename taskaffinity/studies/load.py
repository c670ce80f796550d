"""Read the study of a results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from taskaffinity.analysis.joint_results import EncoderResults, StagesResults, TrainResults
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.python_names import python_function
from taskaffinity.runs.rule import Correction, Estimand, Test
from taskaffinity.runs.study import FILES
from taskaffinity.studies.options import PairwiseOptions, make_options
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
        The rule of the verdicts of pairs, as in ``taskaffinity graph``. Default: the study's.

    Returns
    -------
    PairwiseResults, StagesResults, TrainResults, or EncoderResults for the folder of ``full(encoders=...)``

    Raises
    ------
    InputError
        If the folder holds no study or a broken one, or if an option is out of range.

    Examples
    --------
    In a checkout of this repository:

    >>> load("notebooks/example_results").gain.round(1).loc["shareclefe", "mednli"]
    np.float64(15.3)
    >>> load("notebooks/example_results", margin=0.1).verdict.loc["mednli", "shareclefe"]
    'inconclusive'
    """
    root = Path(results)
    if not (root / FILES["pairwise"]).is_file():
        if (root / FILES["full"]).is_file():
            return StagesResults.load(root)
        if (root / "encoders.csv").is_file():
            return EncoderResults.load(root)
        if (root / FILES["train"]).is_file():
            return TrainResults.load(root)
    pairs = PairwiseResults.load(root)
    given = {"alpha": alpha, "margin": margin, "correction": correction, "estimand": estimand, "test": test}
    options = make_options(PairwiseOptions, given)
    asked = (options.alpha, options.margin, options.correction, options.estimand, options.test)
    return replace(pairs, rule=rule_of_study(pairs.study, *asked))
