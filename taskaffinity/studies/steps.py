"""Plan and train: the two steps of a use case.

Invalid options are refused before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from taskaffinity.analysis.joint_results import EncoderResults, StagesResults, TrainResults
from taskaffinity.analysis.outdated import describe_outdated
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.errors import InputError
from taskaffinity.garbage_collection import without_collection
from taskaffinity.studies.check_options import (
    check_full_options,
    check_pairwise_options,
    check_train_options,
    check_tune_options,
)
from taskaffinity.studies.estimates.options import share_of
from taskaffinity.studies.folders import recipe_path, results_folder
from taskaffinity.studies.listener import BANNER, Listener
from taskaffinity.studies.options import FullOptions, PairwiseOptions, TrainOptions, TuneOptions
from taskaffinity.tasks.catalog import find_suite, load_suite
from taskaffinity.tasks.suite import Suite
from taskaffinity.tuning.recipe import describe_trial

if TYPE_CHECKING:
    from taskaffinity.analysis.estimates.results import EstimateResults
    from taskaffinity.studies.estimates.train import PlannedEstimate
    from taskaffinity.studies.planned import PlannedStudy
    from taskaffinity.studies.search import PlannedSearch
    from taskaffinity.tuning.search import SearchResult


def plan_pairwise(
    suite: str | Path | Suite,
    options: PairwiseOptions,
    listener: Listener,
    *,
    data: str | Path | None = None,
    dry_run: bool = False,
) -> PlannedStudy:
    """Plan and check the study of ``pairwise``.

    Raises
    ------
    InputError
        If an option, the data, the encoder or the results folder cannot be used.
    """
    check_pairwise_options(options)
    resolved, file = _resolved(suite, data, options.tasks, 2)
    options = replace(options, suite_file=options.suite_file or file)
    results_folder(options.output_dir, resolved, options.suite_file)
    with without_collection():
        from taskaffinity.studies import planning  # torch

    return planning.plan_pairwise(resolved, options, listener, dry_run=dry_run)


def train_pairwise(planned: PlannedStudy, listener: Listener, report_to: Sequence[str] = ()) -> PairwiseResults:
    """Train a planned pairwise study, and write its tables and figures."""
    report, tracker = planned.train(listener, report_to)
    listener.ended(report, planned.root)
    from taskaffinity.studies.publish import publish_pairwise  # pandas and matplotlib are loaded only after training

    result = publish_pairwise(planned, report)
    _warn_of_outdated(planned.root, listener)
    tracker.end()
    return result


def _warn_of_outdated(root: Path, listener: Listener) -> None:
    """Warn of files that an earlier study or earlier gains left."""
    for line in describe_outdated(root):
        listener.warn(line)


def train_full(
    planned: Sequence[PlannedStudy], options: FullOptions, listener: Listener, report_to: Sequence[str] = ()
) -> StagesResults | EncoderResults:
    """Train planned studies in stages, and write their tables and figures."""
    studies = []
    for number, one in enumerate(planned, start=1):
        if options.encoders is not None:
            listener.notice(f"encoder {number} of {len(planned)}: {one.study.encoder.name}, in {one.root}")
        report, tracker = one.train(listener, report_to)
        listener.ended(report, one.root)
        from taskaffinity.studies.publish import publish_encoder_table, publish_full  # as above

        studies.append(publish_full(one, report))
        _warn_of_outdated(one.root, listener)
        tracker.end()
    if options.encoders is None:
        return studies[0]
    return publish_encoder_table(studies, planned[0].root.parent)


def plan_full(
    suite: str | Path | Suite,
    options: FullOptions,
    listener: Listener,
    *,
    data: str | Path | None = None,
    dry_run: bool = False,
) -> list[PlannedStudy]:
    """Plan and check the studies of ``full``, one per encoder.

    Raises
    ------
    InputError
        As ``plan_pairwise``.
    """
    check_full_options(options)
    resolved, file = _resolved(suite, data, options.tasks, 2)
    options = replace(options, suite_file=options.suite_file or file)
    results_folder(options.output_dir, resolved, options.suite_file)
    with without_collection():
        from taskaffinity.studies import planning  # torch

    return planning.plan_full(resolved, options, listener, dry_run=dry_run)


def plan_train(
    suite: str | Path | Suite,
    options: TrainOptions,
    listener: Listener,
    *,
    data: str | Path | None = None,
    dry_run: bool = False,
) -> PlannedStudy:
    """Plan and check the joint training of ``train``; a task may lack a test part.

    Raises
    ------
    InputError
    """
    check_train_options(options)
    resolved, file = _resolved(suite, data, options.tasks, needs_test=False)
    options = replace(options, suite_file=options.suite_file or file)
    results_folder(options.output_dir, resolved, options.suite_file)
    with without_collection():
        from taskaffinity.studies import planning  # torch

    return planning.plan_train(resolved, options, listener, dry_run=dry_run)


def train_together(planned: PlannedStudy, listener: Listener, report_to: Sequence[str] = ()) -> TrainResults:
    """Train a planned joint training, and write its tables."""
    report, tracker = planned.train(listener, report_to)
    listener.ended(report, planned.root)
    from taskaffinity.studies.publish import publish_train  # as above

    result = publish_train(planned, report)
    _warn_of_outdated(planned.root, listener)
    tracker.end()
    return result


def plan_tune(suite: str | Path | Suite, options: TuneOptions, *, data: str | Path | None = None) -> PlannedSearch:
    """Plan and check the search of ``tune``.

    Raises
    ------
    InputError
        If an option, the data or the encoder cannot be used.
    """
    settings = check_tune_options(options)
    resolved, file = _resolved(suite, data, options.tasks)
    options = replace(options, suite_file=options.suite_file or file)
    out = recipe_path(options, results_folder(options.output_dir, resolved, options.suite_file))
    with without_collection():
        from taskaffinity.studies.search import plan_search  # torch

    return plan_search(resolved, options, settings, out)


def train_search(planned: PlannedSearch, listener: Listener) -> SearchResult:
    """Run a planned search, and write the recipe that it chose."""
    if planned.suite.synthetic:
        listener.warn(BANNER)
    result = planned.run(lambda ended: listener.notice(describe_trial(ended)))
    for path, reason in result.lost.items():
        listener.warn(f"failed: {path}: {reason}")
    if result.recipe is None:
        listener.warn("no recipe was chosen: all finalists failed")
    planned.write_recipe(result)
    return result


def plan_estimate(
    suite: str | Path | Suite,
    options: PairwiseOptions,
    listener: Listener,
    *,
    budget: str | float,
    data: str | Path | None = None,
    dry_run: bool = False,
) -> PlannedEstimate:
    """Plan the probes of the study in the results folder, or of a new one.

    Raises
    ------
    InputError
        As ``plan_pairwise``, or if the budget affords no probe.
    """
    check_pairwise_options(options)
    share = share_of(budget)
    resolved, file = _resolved(suite, data, options.tasks, 2)
    options = replace(options, suite_file=options.suite_file or file)
    results_folder(options.output_dir, resolved, options.suite_file)
    with without_collection():
        from taskaffinity.studies.estimates import plan  # torch
    return plan.plan_estimate(resolved, options, listener, share, dry_run=dry_run)


def train_estimates(planned: PlannedEstimate, listener: Listener, *, baselines: bool = False) -> EstimateResults:
    """Train the probes of a study, and write the estimates.

    With ``baselines``, other estimators are also computed.
    """
    from taskaffinity.studies.estimates import train

    listener.notice(train.describe_design(planned.study, planned.design))
    found = train.train_estimates(planned, listener)
    if baselines:
        from taskaffinity.studies.estimates import estimators

        estimators.write_scores(planned, listener.notice)
    return found


def _resolved(
    suite: str | Path | Suite,
    data: str | Path | None,
    tasks: str | Sequence[str] | None,
    least: int = 1,
    *,
    needs_test: bool = True,
) -> tuple[Suite, Path | None]:
    """Return the suite, or its named tasks, and its suite file or None.

    Raises
    ------
    InputError
        If there is no such suite or task; if there are fewer tasks than ``least``; if a task lacks a test part.
    """
    found, file = _whole(suite, data, needs_test=needs_test)
    if tasks is not None:
        found = found.only(tasks, least)
    if len(found) < least:
        raise InputError(f"suite {found.name}: found {len(found)} task; expected {least} or more")
    if needs_test and (without := [task.name for task in found if not task.has_test]):
        raise InputError(f"task {without[0]}: no test part; expected one: only `taskaffinity train` does without")
    return found, file


def _whole(suite: str | Path | Suite, data: str | Path | None, *, needs_test: bool) -> tuple[Suite, Path | None]:
    """Return the whole suite, and its suite file or None."""
    if not isinstance(suite, str | Path):
        return load_suite(suite, data), None
    if isinstance(suite, Path) or suite.endswith((".yaml", ".yml")):
        return find_suite(None, data, suite, needs_test=needs_test), Path(suite)
    return find_suite(suite, data), None
