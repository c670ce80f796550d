"""Verdicts on runs that were trained elsewhere, as a Python function: the twin of ``taskaffinity verdicts``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskaffinity.errors import InputError, as_user_error, quoted, shown
from taskaffinity.studies.listener import Listener, LogListener
from taskaffinity.studies.python_names import python_function
from taskaffinity.tasks.task import A_NAME, is_name

if TYPE_CHECKING:
    from taskaffinity.analysis.results import PairwiseResults
    from taskaffinity.runs.external.scores import Scale
    from taskaffinity.runs.rule import Rule


@python_function
def verdicts(
    scores: Any,
    *,
    scale: Scale | None = None,
    name: str | None = None,
    rule: Rule | None = None,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> PairwiseResults:
    """Test the gains of runs that were trained elsewhere, and write the results folder of a study of pairs.

    Only scores are known, so verdicts and intervals hold for new seeds on exactly this test set.

    Parameters
    ----------
    scores : path or DataFrame
        CSV or parquet file, or data frame, with the columns ``target``, ``source`` (empty: single-task), ``seed`` and
        ``score``. ``test_set`` may name the test set, if it is one.
    scale : {"fraction", "point"}, optional
        Unit of the scores. Default: fractions if no score is above 1, else points.
    name : str, optional
        Name of the study in captions. Default: that of the file, or ``scores``.
    rule : Rule, optional
        Level, margin, correction and test. The estimand is test-set.
    output_dir : path, optional
        Results folder. Default: ``results/NAME``. Scores that were read into it before are replaced.
    overwrite : bool
        Whether tasks and seeds in the folder that the scores lack may be lost.
    listener : Listener, optional
        Receives messages. Default: the logger ``taskaffinity``.

    Returns
    -------
    PairwiseResults
        As ``pairwise`` returns it.

    Raises
    ------
    InputError
        If a row cannot be used, or the folder holds runs that were trained there.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> import pandas as pd
    >>> rows = [("rte", "", s, 60.0 + s % 3) for s in range(5)] + [("rte", "mnli", s, 66.0 + s % 3) for s in range(5)]
    >>> frame = pd.DataFrame(rows, columns=["target", "source", "seed", "score"])
    >>> verdicts(frame, output_dir=mkdtemp()).verdict.loc["mnli", "rte"]
    'improves'
    """
    return write_verdicts(
        scores, scale=scale, name=name, rule=rule, output_dir=output_dir, overwrite=overwrite, listener=listener
    )


def write_verdicts(
    scores: Any,
    *,
    scale: Scale | None = None,
    name: str | None = None,
    rule: Rule | None = None,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> PairwiseResults:
    """Do what ``verdicts`` does; its messages name the options of the command line."""
    from taskaffinity.analysis.publish import publish  # pandas and matplotlib: not for --help
    from taskaffinity.analysis.results import PairwiseResults
    from taskaffinity.runs.external.scores import read_scores
    from taskaffinity.runs.external.study import study_of, targets_of, write_external
    from taskaffinity.runs.rule import Rule

    called = name or (Path(scores).stem if isinstance(scores, str | Path) else "scores")
    _check(called, scale)
    root = _folder(output_dir, called)
    found = read_scores(scores, scale)
    study = study_of(found, rule or Rule(), called)
    write_external(study, targets_of(found), root, overwrite=overwrite)
    (listener or LogListener()).notice(found.describe_scale())
    result = PairwiseResults(root, study, replace(study.rule))
    with as_user_error():
        vars(result)["matrix"] = publish(study, result.store, root)  # so it is not measured again
    return result


def _folder(given: str | Path | None, name: str) -> Path:
    root = Path(given) if given is not None else Path("results") / name
    if root.exists() and not root.is_dir():
        raise InputError(f"--results {root}: a file; expected a folder, or a name that does not exist")
    return root


def _check(name: str, scale: str | None) -> None:
    if scale not in (None, "fraction", "point"):
        raise InputError(f"--scale: found {shown(scale)}; expected fraction or point")
    if not is_name(name):
        raise InputError(f"--name: found {quoted(name)}; expected {A_NAME}")
