"""Verdicts on runs that were trained elsewhere, as a Python function: the twin of ``taskaffinity verdicts``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskaffinity.errors import InputError, as_user_error, quoted, shown
from taskaffinity.output_file import check_results_folder
from taskaffinity.python_names import python_function
from taskaffinity.studies.folders import named_folder
from taskaffinity.studies.listener import Listener, LogListener, warn_once
from taskaffinity.tasks.task import A_NAME, is_name

if TYPE_CHECKING:
    from taskaffinity.analysis.results import PairwiseResults
    from taskaffinity.runs.external.scores import Scale
    from taskaffinity.runs.external.tables import Tables
    from taskaffinity.runs.rule import Rule


@python_function
def verdicts(
    scores: Any = None,
    *,
    predictions: Any = None,
    metric: str | Mapping[str, str] | Sequence[str] | None = None,
    negative: Mapping[str, str] | Sequence[str] | None = None,
    scale: Scale | None = None,
    facts: Any = None,
    smaller_is_better: str | Sequence[str] | None = None,
    name: str | None = None,
    rule: Rule | None = None,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> PairwiseResults:
    """Test the gains of runs that were trained elsewhere, and write the results folder of a study of pairs.

    If only scores are known of a target, its verdicts hold for new seeds on exactly this test set.

    Parameters
    ----------
    scores : path or DataFrame, optional
        CSV or parquet file, or data frame, with the columns ``target``, ``source`` (empty: single-task), ``seed`` and
        ``score`` (larger is better); ``test_set`` may name the test set, the first one of a target is its ``test``.
    predictions : path or DataFrame, optional
        Table with the columns ``target``, ``source``, ``seed``, ``id``, ``gold`` and ``predicted``, one row per test
        example of each run. ``document`` may name the group of an example, and ``test_set`` its test set.
    metric : str or mapping, optional
        Metric of the predictions, for all targets or by target: ``accuracy``, ``micro_f1``, ``macro_f1``, ``pearson``,
        ``multilabel_f1`` (classes joined by ``|``), ``span_f1`` or ``span_f1_conlleval`` (tags joined by spaces),
        ``answer_f1`` or ``exact_match`` (texts; several gold ones joined by ``|``).
    negative : mapping, optional
        Class that F1 does not score, by target.
    scale : {"fraction", "point"}, optional
        Unit of the scores. Default: fractions if no score is above 1, else points.
    facts : path or DataFrame, optional
        Table that ``PairwiseResults.to_facts`` returns of a study of this toolkit. No other runs need it.
    smaller_is_better : str or sequence of str, optional
        Targets whose scores are errors or losses. They are negated: a smaller error is a positive gain.
    name : str, optional
        Name of the study in captions. Default: that of the file, or ``scores``.
    rule : Rule, optional
        Level, margin, correction, estimand and test. Default estimand: test-set if some target has no predictions.
    output_dir : path, optional
        Results folder. Default: ``results/NAME``. Scores that were read into it before are replaced.
    overwrite : bool
        Whether tasks and seeds in the folder that the tables lack may be lost.
    listener : Listener, optional
        Receives messages. Default: the logger ``taskaffinity``.

    Raises
    ------
    InputError
        If a row cannot be used, tables contradict each other, the rule needs predictions, or the folder has other runs.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> import pandas as pd
    >>> rows = [("rte", "", s, 60.0 + s % 3) for s in range(5)] + [("rte", "mnli", s, 66.0 + s % 3) for s in range(5)]
    >>> frame = pd.DataFrame(rows, columns=["target", "source", "seed", "score"])
    >>> verdicts(frame, output_dir=mkdtemp()).verdict.loc["mnli", "rte"]
    'improves'
    """
    from taskaffinity.runs.external.scoring import Scoring
    from taskaffinity.runs.external.tables import read_tables

    check_options(name, scale)
    tables = read_tables(scores, predictions, Scoring.of(metric, negative), scale, smaller_is_better, facts)
    return publish_tables(tables, name, rule, output_dir, overwrite=overwrite, listener=listener, advises=True)


def publish_tables(
    tables: Tables,
    name: str | None = None,
    rule: Rule | None = None,
    output_dir: str | Path | None = None,
    *,
    overwrite: bool = False,
    listener: Listener | None = None,
    advises: bool = False,
) -> PairwiseResults:
    """Write the results folder of tables that were read, as ``verdicts`` describes it.

    With ``advises``, the listener receives the advice on collapsed runs and on the data. The command prints it.
    """
    from taskaffinity.analysis.outdated import describe_outdated, mark_rule
    from taskaffinity.analysis.publish import publish  # pandas and matplotlib: not for --help
    from taskaffinity.analysis.results import PairwiseResults
    from taskaffinity.runs.external.study import write_external
    from taskaffinity.runs.study import studies_in

    called = name or tables.name
    check_options(called)
    root = named_folder(output_dir, called)
    check_results_folder(root, tables.files)
    study = tables.study(rule, called)
    with as_user_error():
        before = [other.rule for other in studies_in(root)]
    write_external(study, tables.targets, root, overwrite=overwrite)
    if any(rule_before != study.rule for rule_before in before):
        mark_rule(root, study.design)
    listener = listener or LogListener()
    for line in tables.notices:
        listener.notice(line)
    result = PairwiseResults(root, study, study.rule)
    with as_user_error():
        vars(result)["matrix"] = publish(study, result.store, root)  # so it is not measured again
    warn_once(listener, [*(result.advice if advises else ()), *describe_outdated(root)], ())
    return result


def check_options(name: str | None = None, scale: str | None = None) -> None:
    """Raise ``InputError`` for a name that no study can have, or an unknown unit."""
    if scale not in (None, "fraction", "point"):
        raise InputError(f"--scale: found {shown(scale)}; expected fraction or point")
    if name is not None and not is_name(name):
        raise InputError(f"--name: found {quoted(name)}; expected {A_NAME}")
