"""Train the groups that ``group`` chose with fresh seeds, as ordinary runs of their results folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from taskaffinity.errors import InputError, as_user_error
from taskaffinity.python_names import python_function
from taskaffinity.schedule.resources import Executor
from taskaffinity.studies.listener import BANNER, Listener, LogListener
from taskaffinity.tasks.catalog import find_suite, load_suite
from taskaffinity.tasks.suite import Suite

if TYPE_CHECKING:
    import pandas as pd

    from taskaffinity.analysis.groups.results import GroupResults
    from taskaffinity.analysis.groups.retrained import Retrained
    from taskaffinity.runs.study import Study
    from taskaffinity.training.encoders.load import Encoder


@dataclass(frozen=True)
class RetrainResults:
    """Predicted and realised gains of the chosen groups."""

    result: GroupResults
    tasks: tuple[Retrained, ...]
    """Every task that a group of two or more serves."""
    failed: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Names of the runs that failed in this call -> reason."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row per task, with the columns of ``retrained.csv``."""
        from taskaffinity.analysis.groups.retrained import retrained_frame

        return retrained_frame(self.result.chosen, self.tasks)


@python_function
def retrain(
    result: GroupResults,
    *,
    seeds: int = 3,
    suite: str | Path | Suite | None = None,
    data: str | Path | None = None,
    encoder: str | Path | None = None,
    executor: Executor = "ray",
    listener: Listener | None = None,
) -> RetrainResults:
    """Train the chosen groups and their single tasks with fresh seeds.

    The study has not used these seeds. The runs are stored in its results folder, so the same call again trains
    nothing. Writes ``retrained.csv``.

    Parameters
    ----------
    result : GroupResults
        From ``group``.
    seeds : int
        Number of fresh seeds of every model.
    suite : str, Path or Suite, optional
        The suite of the study. Default: the domain of that name. A study of your own suite file needs the file.
    data, encoder : optional
        As given to ``pairwise``.

    Raises
    ------
    InputError
        If the data or the encoder are not those of the study, or the study has another baseline or stage.
    """
    from taskaffinity.analysis.groups.retrained import retrain_plan, retrained
    from taskaffinity.analysis.publish import publish_retrained
    from taskaffinity.runs.files import cache_folder
    from taskaffinity.runs.store import RunStore
    from taskaffinity.schedule.run import pending_runs, run

    receiver = listener or LogListener()
    study, store = result.chosen.matrix.study, RunStore(result.root)
    _check_design(study)
    if study.synthetic:
        receiver.warn(BANNER)
    plan = retrain_plan(result.chosen, seeds)
    with as_user_error():
        pending = pending_runs(plan, store)
    failed: dict[str, str] = {}
    if pending:
        from taskaffinity.studies.resources import resolve_resources
        from taskaffinity.training.execute import prepare

        found = _suite(study, suite, data)
        resolved = _encoder(study, found, encoder)
        gpus = None if study.recipe.device == "cuda" else 0
        resources = resolve_resources(executor, study.recipe.threads, gpus, None, is_tiny=False)
        prepare(found.only([name for name, _ in study.refs]).tasks, resolved, study.recipe, cache_folder())
        report = run(
            plan,
            store,
            encoder_folder=resolved.folder,
            cache=cache_folder(),
            resources=resources,
            cost=study.cost,
            on_progress=receiver.on_progress,
        )
        receiver.ended(report, result.root)
        failed = {spec.run_id: reason for spec, reason in report.failed.items()}
    with as_user_error():
        tasks = retrained(result.chosen, store, seeds)
        publish_retrained(result.chosen, tasks, result.root)
    return RetrainResults(result, tasks, failed)


def _check_design(study: Study) -> None:
    """Check that the study compares its pairs with single-task runs of the same recipe."""
    if study.is_external:
        raise InputError("retrain: the runs were trained elsewhere, so nothing is trained here")
    for name, value, usual in (
        ("baseline", study.baseline, "single"),
        ("evaluate_after", study.evaluate_after, "joint"),
        ("init_from", study.init_from, "encoder"),
    ):
        if value != usual:
            raise InputError(f"retrain: the study has {name} {value}; only groups of studies with {usual} are trained")


def _suite(study: Study, suite: str | Path | Suite | None, data: str | Path | None) -> Suite:
    """Return the suite of the study, checked against its fingerprints."""
    from taskaffinity.studies.defaults import scored_by_protocol

    if suite is None:
        try:
            found = find_suite(study.suite, data)
        except InputError as error:
            raise InputError(f"retrain: {error}; a study of your own tasks needs its suite file: give suite") from error
    else:
        found = load_suite(suite, data)
    found = scored_by_protocol(found, study.protocol)
    refs = {task.ref for task in found}
    if missing := [name for name, mark in study.refs if (name, mark) not in refs]:
        raise InputError(f"retrain: {', '.join(missing[:3])}: the data are not those of the study; give the same data")
    return found


def _encoder(study: Study, suite: Suite, encoder: str | Path | None) -> Encoder:
    """Return the encoder of the study, checked against its fingerprint."""
    from taskaffinity.studies.define import encoder_of

    found = encoder_of(suite, None if encoder is None else str(encoder))
    if found.ref != study.encoder:
        raise InputError(
            f"retrain: found the encoder {found.ref.name}; expected {study.encoder.name}, the encoder of the study"
        )
    return found
