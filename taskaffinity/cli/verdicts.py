"""``taskaffinity verdicts SCORES``: verdicts on runs that were trained elsewhere, without torch and data."""

from __future__ import annotations

from taskaffinity.cli.console.json_output import print_json
from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.console.results import print_pairwise
from taskaffinity.cli.options.external import (
    FactsFile,
    MetricOption,
    Negative,
    OverwriteTables,
    PredictionsFile,
    ScaleOption,
    ScoresFile,
    SmallerIsBetter,
    StudyName,
)
from taskaffinity.cli.options.rule import Alpha, CorrectionOption, EstimandOption, Margin, TestOption
from taskaffinity.cli.options.run import Json, Quiet, Results
from taskaffinity.runs.rule import Rule
from taskaffinity.studies.settings import make_rule
from taskaffinity.studies.verdicts import check_options, publish_tables


def command(
    scores: ScoresFile = None,
    predictions: PredictionsFile = None,
    metric: MetricOption = None,
    negative: Negative = None,
    scale: ScaleOption = None,
    facts: FactsFile = None,
    smaller_is_better: SmallerIsBetter = None,
    name: StudyName = None,
    alpha: Alpha = None,
    margin: Margin = None,
    correction: CorrectionOption = None,
    estimand: EstimandOption = None,
    test: TestOption = None,
    results: Results = None,
    overwrite: OverwriteTables = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Test the gains of runs that you trained elsewhere, from their scores or their predictions.

    One row is one run of a target: trained with a source, or single-task if the source is empty. Larger scores are
    better (for errors and losses: --smaller-is-better). With scores alone,
    verdicts hold for new seeds on exactly this test set, because nothing is known about its examples; with predictions
    they hold for other test sets, too. Nothing is trained.
    """
    from taskaffinity.runs.external.scoring import Scoring
    from taskaffinity.runs.external.tables import read_tables  # numpy and pyarrow: not for --help

    check_options(name, scale)
    scoring = Scoring.of(metric, negative)
    tables = read_tables(scores, predictions, scoring, scale, smaller_is_better, facts)
    rule = make_rule(alpha, margin, correction, estimand, test, default=Rule(estimand=tables.estimand))
    with ConsoleListener(quiet=quiet) as listener:
        found = publish_tables(tables, name, rule, results, overwrite=overwrite, listener=listener)
    if json:
        arrows, on_test_sets = (
            frame.to_dict(orient="records") for frame in (found.to_frame(), found.test_set_arrows())
        )
        content = {"results": str(found.root), "estimand": found.study.rule.estimand, "arrows": arrows}
        print_json({**content, "test_sets": on_test_sets, "advice": found.advice})
    else:
        print_pairwise(found)
