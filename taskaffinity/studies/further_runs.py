"""Train further runs of a study's tasks, as ordinary runs of its results folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from taskaffinity.errors import InputError, as_user_error, quoted
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.runs.trained_groups import setting_without_groups
from taskaffinity.schedule.progress import Report
from taskaffinity.schedule.resources import Executor, Resources, usable_cpus
from taskaffinity.schedule.run import pending_runs, run
from taskaffinity.studies.listener import BANNER, Listener
from taskaffinity.tasks.catalog import find_suite, load_suite
from taskaffinity.tasks.suite import Suite

if TYPE_CHECKING:
    from taskaffinity.training.encoders.load import Encoder


@dataclass
class FurtherRuns:
    """Trains runs that the results folder of a study lacks, on the study's data and with its encoder."""

    study: Study
    root: Path
    receiver: Listener
    suite: str | Path | Suite | None = None
    """The suite of the study. Default: the domain of that name."""
    data: str | Path | None = None
    encoder: str | Path | None = None
    executor: Executor = "ray"
    total: Report = field(default_factory=Report)
    """Of all runs that were trained here."""

    def __post_init__(self) -> None:
        check_design(self.study)
        with as_user_error():
            if Study.load(self.root) != self.study:
                raise InputError(f"retrain: {self.root} now holds another study; choose the groups or helpers again")
        if self.executor not in get_args(Executor):
            raise InputError(f"--executor: found {quoted(self.executor)}; expected {' or '.join(get_args(Executor))}")
        self.store = RunStore(self.root)
        self._planned = set[RunSpec]()
        if self.study.synthetic:
            self.receiver.warn(BANNER)

    def train(self, plan: Plan) -> None:
        """Train the runs of a plan that are missing; failed ones are in ``total``.

        Raises
        ------
        InputError
            If the data or the encoder are not those of the study, or this machine cannot train its runs.
        """
        with as_user_error():
            pending = pending_runs(plan, self.store)
        self._planned.update(plan)
        self.total.planned = len(self._planned)
        if not pending:
            return
        encoder, resources = self._resolved
        report = run(
            plan,
            self.store,
            encoder_folder=encoder.folder,
            cache=cache_folder(),
            resources=resources,
            cost=self.study.cost,
            on_progress=self.receiver.on_progress,
        )
        self.total.trained += report.trained
        self.total.found += report.found
        self.total.failed |= report.failed
        self.total.seconds += report.seconds

    def ended(self) -> None:
        """Report all runs, if any was trained or failed."""
        if self.total.trained or self.total.found or self.total.failed:
            self.receiver.ended(self.total, self.root)

    @property
    def failed(self) -> dict[str, str]:
        """Names of the runs that failed here -> reason."""
        return {spec.run_id: reason for spec, reason in self.total.failed.items()}

    @cached_property
    def _resolved(self) -> tuple[Encoder, Resources]:
        """The encoder and the resources of a run; the data are tokenized."""
        from taskaffinity.studies.resources import resolve_resources
        from taskaffinity.training.execute import prepare

        recipe = self.study.recipe
        _check_machine(recipe, self.executor)
        suite = _suite(self.study, self.suite, self.data)
        encoder = _encoder(self.study, suite, self.encoder)
        gpus = None if recipe.device == "cuda" else 0
        resources = resolve_resources(self.executor, recipe.threads, gpus, None, is_tiny=False)
        prepare(suite.only([name for name, _ in self.study.refs]).tasks, encoder, recipe, cache_folder())
        return encoder, resources


def check_design(study: Study) -> None:
    """Check that the study compares its pairs with single-task runs of the same recipe."""
    if study.is_external:
        raise InputError("retrain: the runs were trained elsewhere, so nothing is trained here")
    if other := setting_without_groups(study):
        name, value, usual = other
        raise InputError(f"retrain: the study has {name} {value}; only groups of studies with {usual} are trained")


def check_count(option: str, value: object, least: int, most: int) -> None:
    """Raise ``InputError`` unless a value is a whole number in [least, most]."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"--{option}: found {quoted(str(value))}; expected a whole number from {least} to {most}")


def _check_machine(recipe: Recipe, executor: Executor) -> None:
    """Raise ``InputError`` if this machine lacks the device or the threads of the study's runs.

    Both are part of a run's identity.
    """
    from taskaffinity.training.execute import gpus

    if recipe.device == "cuda" and not gpus():
        raise InputError("retrain: the study was trained on a GPU, and this machine has none that torch can use")
    if executor == "ray" and recipe.threads > (cores := usable_cpus()):
        raise InputError(
            f"retrain: runs of the study have {recipe.threads} threads, and this command may use {cores} cores; give "
            "--executor local"
        )


def _suite(study: Study, suite: str | Path | Suite | None, data: str | Path | None) -> Suite:
    """Return the suite of the study, checked against its fingerprints."""
    from taskaffinity.studies.defaults import scored_by_protocol

    if suite is None:
        try:
            found = find_suite(study.suite, data)
        except InputError as error:
            raise InputError(
                f"retrain: {error}; a study of your own tasks needs its suite file: give --suite"
            ) from error
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
