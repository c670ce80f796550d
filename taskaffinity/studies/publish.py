"""Write the tables and figures of trained studies to their results folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taskaffinity.analysis.joint_results import EncoderResults, StagesResults, TrainResults
from taskaffinity.analysis.paper.encoders import encoder_scores
from taskaffinity.analysis.publish import publish, publish_encoders, publish_stages
from taskaffinity.analysis.publish import publish_train as write_train
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.errors import as_user_error
from taskaffinity.schedule.progress import Report
from taskaffinity.studies.planned import PlannedStudy


def publish_pairwise(planned: PlannedStudy, report: Report) -> PairwiseResults:
    """Write the tables and figures of a pairwise study.

    Raises
    ------
    InputError
        If a file of the results folder is broken.
    """
    result = PairwiseResults(planned.root, planned.study, planned.study.rule, failed_runs(report))
    with as_user_error():
        # cached here, so that it is not computed again
        vars(result)["matrix"] = publish(planned.study, result.store, planned.root)
    return result


def publish_full(planned: PlannedStudy, report: Report) -> StagesResults:
    """Write the tables and the figure of a study in stages.

    Raises
    ------
    InputError
        If a file of the results folder is broken.
    """
    result = StagesResults(planned.root, planned.study, failed_runs(report))
    with as_user_error():
        publish_stages(planned.study, result.store, planned.root)
    return result


def publish_train(planned: PlannedStudy, report: Report) -> TrainResults:
    """Write the tables of one joint training.

    Raises
    ------
    InputError
        If a file of the results folder is broken.
    """
    result = TrainResults(planned.root, planned.study, failed_runs(report))
    with as_user_error():
        write_train(planned.study, result.store, planned.root)
    return result


def publish_encoder_table(studies: Sequence[StagesResults], root: Path) -> EncoderResults:
    """Write the table of several encoders into ``root``.

    Raises
    ------
    InputError
        If a file of a results folder is broken.
    """
    with as_user_error():
        publish_encoders(encoder_scores([(one.study, one.store) for one in studies]), root)
    return EncoderResults(root, studies)


def failed_runs(report: Report) -> dict[str, str]:
    """Return the reason of each failed run, by name."""
    return {spec.run_id: reason for spec, reason in report.failed.items()}
