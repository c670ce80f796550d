"""A study that is checked and ready to train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule.progress import Progress, Report
from taskaffinity.schedule.resources import Resources, RunOptions
from taskaffinity.schedule.run import pending_runs
from taskaffinity.studies.compatibility import check_study
from taskaffinity.studies.folders import keep_suite_file
from taskaffinity.studies.forecast import describe_forecast, measured_cost, padding_notice
from taskaffinity.studies.gpu_share import settle_share, stored_share
from taskaffinity.studies.listener import BANNER, Listener
from taskaffinity.studies.options import SuiteOptions
from taskaffinity.studies.run import run_study
from taskaffinity.studies.start_up import measured_start_up
from taskaffinity.tasks.suite import Suite
from taskaffinity.tracking.tracker import RunTracker
from taskaffinity.training.encoders.load import Encoder


@dataclass(frozen=True)
class PlannedStudy:
    """A study with its results folder, encoder and resources."""

    study: Study
    suite: Suite
    encoder: Encoder
    root: Path
    """The results folder."""
    resources: Resources
    options: SuiteOptions
    cautions: tuple[str, ...] = ()
    """Lines on the limits of the study's data."""

    @property
    def plan(self) -> Plan:
        """Every run that the study may need."""
        return self.study.plan

    @property
    def pending(self) -> list[RunSpec]:
        """The runs that the results folder lacks."""
        return pending_runs(self.plan, RunStore(self.root), keep_models=self.options.keep_models)

    def cost(self) -> CostModel | None:
        """Measure the cost of runs on this machine by a few steps; None if no step can run."""
        return measured_cost(self.study, self.suite, self.encoder)

    def forecast(self) -> list[str]:
        """Describe time, work and disk space of the pending runs; no lines if none is pending."""
        pending = self.pending
        if not pending:
            return []
        cost, resources = self.cost(), self.resources
        if cost and resources.is_measured:
            resources = stored_share(self.study, self.root, resources, cost) or resources
        return describe_forecast(
            pending,
            cost,
            resources,
            keep_models=self.options.keep_models,
            keep_predictions=self.options.keep_predictions,
            start_up=measured_start_up() if cost else None,
            at_most=bool(self.study.interim_seeds),
        )

    def train(self, listener: Listener, report_to: Sequence[str] = ()) -> tuple[Report, RunTracker]:
        """Train the pending runs.

        Parameters
        ----------
        report_to : sequence of str
            Experiment trackers that receive every finished run.

        Returns
        -------
        Report
            The runs that this process trained, that another process finished, and that failed.
        RunTracker
            Call its ``end`` after publishing.
        """
        if self.suite.synthetic:
            listener.warn(BANNER)
        if self.pending:
            for line in padding_notice(self.encoder, self.study.recipe):
                listener.notice(line)
        tracker = RunTracker(report_to, self.study, RunStore(self.root), listener.warn)
        cost, resources = self.measured(listener)

        def on_progress(progress: Progress) -> None:
            listener.on_progress(progress)
            tracker.update(progress)

        with keep_suite_file(self.options.suite_file, self.root, self.study):
            report = run_study(
                self.study,
                self.suite,
                self.encoder,
                self.root,
                resources=resources,
                on_progress=on_progress,
                options=RunOptions(
                    self.options.keep_predictions,
                    self.options.keep_models,
                    self.options.overwrite,
                    self.options.share_with_group,
                    self.options.checkpoint_minutes,
                ),
                cost_model=cost,
            )
        return report, tracker

    def measured(self, listener: Listener) -> tuple[CostModel | None, Resources]:
        """Return the cost model, and the resources with the measured share of a GPU.

        Without ``--gpus-per-run auto`` nothing is measured, so that training starts sooner. The cost model is then
        None.

        Raises
        ------
        InputError
            As ``check_study``.
        """
        resources = self.resources
        if not resources.is_measured or len(self.pending) < 2:
            return None, resources
        keeps, replaces = self.options.keep_models, self.options.overwrite
        check_study(self.study, self.suite, self.encoder, self.root, keep_models=keeps, replaces=replaces)
        cost = self.cost()
        if cost and cost.gpu_share:
            resources = settle_share(self.study, self.encoder, self.root, resources, cost, listener.notice)
        else:
            listener.notice(f"gpus per run: {resources.gpus_per_run:g}; no run could be measured here")
        return cost, resources
