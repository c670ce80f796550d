"""Plan estimates: of the study of the results folder, or of a new one."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from taskaffinity.errors import InputError
from taskaffinity.runs.study import Study, has_study
from taskaffinity.studies.check_options import check_pairwise_options
from taskaffinity.studies.compatibility import check_trained_here
from taskaffinity.studies.defaults import is_tiny
from taskaffinity.studies.define import encoder_of
from taskaffinity.studies.estimates.train import PlannedEstimate, design_probes
from taskaffinity.studies.folders import results_folder
from taskaffinity.studies.listener import Listener
from taskaffinity.studies.options import PairwiseOptions
from taskaffinity.studies.planned import PlannedStudy
from taskaffinity.studies.planning import plan_pairwise
from taskaffinity.studies.resources import resolve_resources
from taskaffinity.studies.settings import MEASURED
from taskaffinity.tasks.suite import Suite


def plan_estimate(
    suite: Suite, options: PairwiseOptions, listener: Listener, budget: float, *, dry_run: bool = False
) -> PlannedEstimate:
    """Plan the probes of the study of the results folder, or of a new pairwise study if it holds none.

    Parameters
    ----------
    budget : float
        As in ``design_probes``.

    Raises
    ------
    InputError
        As ``design_probes``; if the stored study is of other data or another encoder, or options are given that it has
        decided.
    """
    planned = _planned_study(suite, options, listener, dry_run=dry_run)
    given = {one.name: getattr(planned, one.name) for one in fields(planned)}
    return PlannedEstimate(**given, design=design_probes(planned.study, budget))


def _planned_study(
    suite: Suite, options: PairwiseOptions, listener: Listener, *, dry_run: bool = False
) -> PlannedStudy:
    """Read the study of the results folder, or plan one."""
    root = results_folder(options.output_dir, suite, options.suite_file)
    if not has_study(root):
        return plan_pairwise(suite, options, listener, dry_run=dry_run)
    try:
        study = Study.load(root)
    except ValueError as error:
        raise InputError(str(error)) from error
    check_trained_here([study], root)
    _check_options(study, options, root)
    encoder = encoder_of(suite, options.encoder)
    _check_same(study, suite, encoder.ref.fingerprint, root)
    resources = resolve_resources(
        options.executor,
        options.cpus_per_run,
        options.gpus_per_run,
        options.address,
        is_tiny=is_tiny(suite, options.encoder),
    )
    return PlannedStudy(study, suite, encoder, root, resources, replace(options, keep_models=study.keep_models))


def _check_options(study: Study, options: PairwiseOptions, root: Path) -> None:
    """Refuse an option that the stored study contradicts. A default value is no contradiction."""
    default, chosen = PairwiseOptions(), check_pairwise_options(options).all_stages
    asked = {
        f"--set {name}": (value, getattr(study.recipe, name)) for name, value in chosen.items() if value != MEASURED
    }
    if options.seeds != default.seeds:
        asked["--seeds"] = (options.seeds, len(study.seeds))
    if options.base_seed != default.base_seed:
        asked["--base-seed"] = (options.base_seed, study.seeds[0])
    for option, (given, stored) in asked.items():
        if given != stored:
            raise InputError(
                f"{option}: the study in {root} has {stored}, not {given}; give that, or another --results"
            )


def _check_same(study: Study, suite: Suite, encoder: str, root: Path) -> None:
    given = {task.name: task.fingerprint for task in suite}
    for name, fingerprint in study.refs:
        if name not in given:
            raise InputError(f"{root}: its study has the task {name}, which {suite.name} has not; give its suite")
        if given[name] != fingerprint:
            raise InputError(f"{root}: its study has other data of {name}; give the data that it was trained on")
    if encoder != study.encoder.fingerprint:
        raise InputError(f"{root}: its study has the encoder {study.encoder.name}; give the same --encoder")
