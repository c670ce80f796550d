"""Estimate the gains of a study from probes: train what is missing, and write ``estimates.csv``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from taskaffinity.analysis.estimates.design_file import ESTIMATES, write_design
from taskaffinity.analysis.estimates.gather import Gathered, cost_of
from taskaffinity.analysis.estimates.results import EstimateResults
from taskaffinity.analysis.outdated import content_of, describe_outdated, made_anew, mark_estimates
from taskaffinity.analysis.publish import publish
from taskaffinity.analysis.tables.frames import as_csv
from taskaffinity.atomic import exclusive, write_atomic
from taskaffinity.errors import InputError, as_user_error
from taskaffinity.output_file import writing_results
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.probes import Costs, ProbeDesign, design_of, least_budget, longest_probes
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule.progress import Report
from taskaffinity.schedule.resources import RunOptions
from taskaffinity.schedule.run import pending_runs, run
from taskaffinity.studies.compatibility import check_compatible, check_study
from taskaffinity.studies.folders import keep_suite_file
from taskaffinity.studies.forecast import describe_forecast
from taskaffinity.studies.listener import BANNER, Listener
from taskaffinity.studies.planned import PlannedStudy
from taskaffinity.studies.replacement import mark_replaced
from taskaffinity.training.execute import prepare
from taskaffinity.training.export.export import check_exportable


@dataclass(frozen=True, kw_only=True)
class PlannedEstimate(PlannedStudy):
    """A study whose gains are estimated, with the design of its probes."""

    design: ProbeDesign

    @cached_property
    def gathered(self) -> Gathered:
        """The probes that the results folder calls for now."""
        return Gathered(self.study, RunStore(self.root), self.design)

    @property
    def plan(self) -> Plan:
        """The single-task runs, and the probes of those that are done; a probe follows from the score of its run."""
        return Plan.of([*self.gathered.singles.values(), *self.gathered.probes, *self.gathered.baselines.values()])

    @property
    def pending(self) -> list[RunSpec]:
        """The runs that the results folder lacks, and single-task runs whose model it lacks.

        Probes continue these models, and the other estimators read them.
        """
        return pending_runs(self.plan, RunStore(self.root), keep_models=True)

    def forecast(self) -> list[str]:
        """Describe the probes, and time, work and disk space of the pending single-task runs."""
        singles = [spec for spec in self.pending if spec.probe is None]
        lines = [describe_design(self.study, self.design)]
        if singles:
            cost, keeps = self.cost(), self.options.keep_predictions
            lines += describe_forecast(singles, cost, self.resources, keep_models=True, keep_predictions=keeps)
        return lines


def design_probes(study: Study, budget: float) -> ProbeDesign:
    """Choose the length and the number of the probes.

    Parameters
    ----------
    budget : float
        Cost of the probes, as a share of the training of all pairs with all seeds.

    Raises
    ------
    InputError
        If the study cannot be probed, or the budget affords no probe.
    """
    if len(study.tasks) < 2:
        raise InputError("estimate: one task; expected two or more")
    others = [("--protocol paper", study.protocol == "paper"), ("--init-from multitask", study.init_from != "encoder")]
    others += [("--evaluate-after finetune", study.evaluate_after != "joint"), ("full", study.design == "full")]
    for option, is_so in others:
        if is_so:
            raise InputError(f"estimate: not for a study with {option}; probes continue plain single-task runs")
    design = design_of(study, budget)
    if design is None:
        least, n_arrows = least_budget(study), len(study.tasks) * (len(study.tasks) - 1)
        way_out = (
            f"expected {100 * least:.3g}% or more"
            if least <= 1
            else "training all pairs of this study costs less than that: use `taskaffinity pairwise`"
        )
        raise InputError(f"--budget {100 * budget:g}%: affords no probe of all {n_arrows} arrows; {way_out}")
    return design


def describe_design(study: Study, design: ProbeDesign) -> str:
    """What the probes will do, and what they cost."""
    rounds, most = longest_probes(study, design)
    again = f", in up to {rounds} rounds until the source is learned" * (rounds > 1)
    at_most = f" (at most {100 * most:.2g}% in all rounds)" * (rounds > 1)
    return (
        f"probes: {design.repeats} per arrow, each {design.steps} updates of the target and as many of the source"
        f"{again}; {100 * design.share:.2g}% of the cost of all pairs{at_most} "
        f"({len(study.seeds)} seeds)"
    )


def train_estimates(planned: PlannedEstimate, listener: Listener) -> EstimateResults:
    """Train the single-task runs and the probes that the results folder lacks, and write ``estimates.csv``.

    The tables and figures of the study are written again; the figures show the estimates of pairs that were not
    measured. Every run is stored, so the same command continues an interrupted one.

    Raises
    ------
    InputError
        As ``check_study``; if models of the encoder cannot be stored.
    """
    study, root, store = planned.study, planned.root, RunStore(planned.root)
    check_exportable(planned.encoder.folder, "estimate")
    check_study(study, planned.suite, planned.encoder, root)
    for recipe in study.recipes:
        prepare(planned.suite.tasks, planned.encoder, recipe, cache_folder())
    if planned.suite.synthetic:
        listener.warn(BANNER)
    stored = replace(study, keep_models=planned.options.keep_models)
    with writing_results(root), exclusive(root):
        check_compatible(study, root)
        mark_replaced(study, root)
        stored.write(root)
        write_design(root, planned.design, study)
    planned = replace(planned, resources=planned.measured(listener)[1])
    probes = Gathered(study, store, planned.design)
    with keep_suite_file(planned.options.suite_file, root, stored):
        reports = [_train(planned, store, probes.singles.values(), listener, keep_models=True)]
        reports.append(_train(planned, store, probes.probes, listener))
        reports.append(_train(planned, store, probes.baselines.values(), listener))
    failed = {spec.run_id: reason for report in reports for spec, reason in report.failed.items()}
    estimated = EstimateResults.of(study, root, planned.design, failed)
    before, content = content_of(root / ESTIMATES), as_csv(estimated.to_frame()).encode()
    write_atomic(root / ESTIMATES, content)
    made_anew(root, [ESTIMATES])
    mark_estimates(root, before, content)
    with as_user_error():
        publish(study, store, root)
    for line in describe_outdated(root):
        listener.warn(line)
    return estimated


def _train(
    planned: PlannedStudy, store: RunStore, specs: Iterable[RunSpec], listener: Listener, *, keep_models: bool = False
) -> Report:
    given, costs = planned.options, Costs(planned.study)
    options = RunOptions(
        given.keep_predictions, keep_models, given.overwrite, given.share_with_group, given.checkpoint_minutes
    )
    return run(
        Plan.of(specs),
        store,
        encoder_folder=planned.encoder.folder,
        cache=cache_folder(),
        resources=planned.resources,
        options=options,
        cost=lambda spec: cost_of(spec, costs),
        on_progress=listener.on_progress,
    )
