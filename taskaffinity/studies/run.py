"""Train the pending runs of a study.

This module prints nothing. ``analysis`` reads the results folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from taskaffinity.atomic import exclusive
from taskaffinity.errors import InputError
from taskaffinity.output_file import writing_results
from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.paper_protocol import write_departures
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study, studies_in
from taskaffinity.schedule.progress import Progress, Report
from taskaffinity.schedule.resources import DEFAULT_OPTIONS, Resources, RunOptions
from taskaffinity.schedule.run import pending_runs, run
from taskaffinity.studies.compatibility import check_compatible, check_study
from taskaffinity.studies.replacement import mark_replaced
from taskaffinity.tasks.suite import Suite
from taskaffinity.training.encoders.load import Encoder


def run_study(
    study: Study,
    suite: Suite,
    encoder: Encoder,
    root: str | Path,
    *,
    resources: Resources | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    options: RunOptions = DEFAULT_OPTIONS,
    cost_model: CostModel | None = None,
) -> Report:
    """Train the runs of a study that the results folder ``root`` lacks.

    The study is written before the first run, so that an interrupted study can be read.

    Parameters
    ----------
    cost_model : CostModel, optional
        Costs of runs (``measured_cost``), for their order and the time left before the first run ends. Default: their
        number of examples.

    Raises
    ------
    InputError
        As ``check_study`` and ``check_finished``.

    Examples
    --------
    Train the four synthetic tasks for a few seconds. For real tasks leave out ``recipe``; leave out ``resources`` to
    train on Ray.

    >>> from tempfile import mkdtemp
    >>> from dataclasses import replace
    >>> from taskaffinity import load_suite
    >>> from taskaffinity.studies.define import define
    >>> from taskaffinity.runs.recipe import FROM_SCRATCH
    >>> small = replace(FROM_SCRATCH, num_train_epochs=1, max_train_examples=32, max_eval_examples=20)
    >>> suite = load_suite("clinical")
    >>> study, encoder = define(suite, recipe=small, seeds=(0,))
    >>> report = run_study(study, suite, encoder, Path(mkdtemp()), resources=Resources("local"))
    >>> report.planned, len(report.trained), report.failed
    (10, 10, {})
    """
    root = Path(root)
    store = RunStore(root)
    check_study(study, suite, encoder, root, keep_models=options.keep_models, replaces=options.overwrite)
    check_finished(plan := study.plan, store)
    with writing_results(root), exclusive(root):
        check_compatible(study, root, replaces=options.overwrite)  # another process may have written a study meanwhile
        mark_replaced(study, root)
        replace(study, keep_models=options.keep_models).write(root)
        write_departures(root, studies_in(root))

    def train(part: Plan) -> Report:
        return run(
            part,
            store,
            encoder_folder=encoder.folder,
            cache=cache_folder(),
            resources=resources or Resources(cpus_per_run=study.recipe.threads),
            options=options,
            cost=cost_model or study.cost,
            on_progress=on_progress,
        )

    if not study.interim_seeds:
        return train(plan)
    from taskaffinity.studies.sequential import run_sequential  # loads scipy

    return run_sequential(study, store, train, lambda part: pending_runs(part, store, keep_models=options.keep_models))


def check_finished(plan: Plan, store: RunStore) -> None:
    """Read every finished run, so that damage is reported before hours of training.

    Raises
    ------
    InputError
        One line with the first damaged run, the number of the others, and the way out. Nothing is deleted.
    """
    faults = []
    for spec in plan:
        try:
            store.get(spec)
        except InputError as error:
            faults.append(str(error))
    if faults:
        more = f" (and {len(faults) - 1} more damaged)" if len(faults) > 1 else ""
        raise InputError(f"{faults[0]}{more}")
