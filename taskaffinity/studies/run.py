"""Conduct a study: train what a results folder lacks of it, unless that would put an end to another one there.

What the command line's ``pairwise`` and ``full`` call, and what a script may. Nothing is printed here; what a study
found is read from the results folder by ``analysis``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from taskaffinity.analysis.affinity import margins_of
from taskaffinity.analysis.statistics.arms import read_arms
from taskaffinity.analysis.statistics.sequential import follow, wanted
from taskaffinity.analysis.statistics.verdicts import Rule
from taskaffinity.runs.cost_model import Pace
from taskaffinity.runs.paper_protocol import write_departures
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Design, Study, studies_in
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.run import Progress, Report, left, run
from taskaffinity.studies.compatibility import differences_in_words, losses
from taskaffinity.studies.define import cache_folder
from taskaffinity.tasks.task import BadInput, Suite
from taskaffinity.training.encoders import Encoder
from taskaffinity.training.execute import prepare
from taskaffinity.training.export.export import refuse_other_forms

PUBLISHED: Mapping[Design, str] = {"pairwise": "edges.csv", "full": "full.csv"}
"""What a results folder has where a study of a design was read from it."""


def conduct(
    study: Study,
    suite: Suite,
    encoder: Encoder,
    root: str | Path,
    *,
    resources: Resources | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
    keep_predictions: bool = True,
    keep_models: bool = False,
    replaces: bool = False,
    pace: Pace | None = None,
) -> Report:
    """Train what the results folder ``root`` lacks of a study.

    What was asked is written before the first run, so that a study that was interrupted can be read as far as it went.

    Parameters
    ----------
    keep_models : bool
        Whether each run keeps its tasks' models, for ``training.export``; runs that kept none are trained again.
    replaces : bool
        Whether the study may take the place of another one of its design in ``root``, whose runs stay.
    pace : Pace, optional
        By which runs are ordered and the time left is told before the first of them ends (``pace_of``). Default: by
        their examples.

    Raises
    ------
    BadInput
        As ``check``.

    Examples
    --------
    The four made-up tasks, cut to seconds. On real ones leave out ``recipe``, and ``resources`` unless Ray is not to
    run them.

    >>> from tempfile import mkdtemp
    >>> from dataclasses import replace
    >>> from taskaffinity import find_suite
    >>> from taskaffinity.studies.define import define
    >>> from taskaffinity.runs.spec import FROM_SCRATCH
    >>> few = replace(FROM_SCRATCH, num_train_epochs=1, max_train_examples=32, max_eval_examples=20)
    >>> suite = find_suite("clinical")
    >>> study, encoder = define(suite, recipe=few, seeds=(0,))
    >>> report = conduct(study, suite, encoder, Path(mkdtemp()), resources=Resources("local"))
    >>> report.planned, len(report.trained), report.failed
    (10, 10, {})
    """
    root = Path(root)
    store = RunStore(root)
    check(study, suite, encoder, root, keep_models=keep_models, replaces=replaces)
    plan = study.plan
    replace(study, keep_models=keep_models).write(root)
    write_departures(root, [other.protocol for other in studies_in(root)])

    def train(part: Plan) -> Report:
        return run(
            part,
            store,
            encoder_folder=encoder.folder,
            cache=cache_folder(),
            resources=resources or Resources(cpus_per_run=study.recipe.threads),
            cost=pace.seconds if pace else study.cost,
            is_seconds=pace is not None,
            watch=watch,
            keep_predictions=keep_predictions,
            keep_models=keep_models,
        )

    if not study.looks:
        return train(plan)
    return _race(study, store, train, lambda part: left(part, store, keep_models=keep_models))


def check(
    study: Study,
    suite: Suite,
    encoder: Encoder,
    root: Path,
    *,
    keep_models: bool = False,
    replaces: bool = False,
) -> None:
    """Refuse what cannot be trained, or not into ``root``. Nothing is written there; the encoded corpora are cached.

    Raises
    ------
    BadInput
        If the recipe does not fit the encoder, its models cannot be exported though they are to be kept, or a run's
        file of what it found is broken; or as ``refuse_to_mix``.
    """
    refuse_to_mix(study, root, replaces=replaces)
    if keep_models:
        refuse_other_forms(encoder.folder, "--keep-models")
    try:
        lacking = left(study.plan, RunStore(root), keep_models=keep_models)
    except ValueError as error:
        raise BadInput(str(error)) from error
    if lacking:
        for recipe in dict.fromkeys((study.recipe, *study.finetune.values())):
            prepare(suite.tasks, encoder, recipe, cache_folder())


def _race(
    study: Study, store: RunStore, train: Callable[[Plan], Report], lacking: Callable[[Plan], list[RunSpec]]
) -> Report:
    """Train up to the next look, look, and so on; a run that failed in this race is not tried again in it."""
    total = Report()
    rule = Rule(**study.rule)
    margins = margins_of(study, rule)
    while True:
        try:
            arms = read_arms(study, store)
        except ValueError as error:
            raise BadInput(str(error)) from error
        standing = follow(study, arms, rule, margins, lambda spec: spec in store or spec in total.failed)
        needed = wanted(study, standing)
        total.planned = len(needed)
        part = Plan.of(spec for spec in lacking(needed) if spec not in total.failed)
        if not part.specs:
            return total
        report = train(part)
        total.trained += report.trained
        total.found += report.found
        total.failed |= report.failed
        total.seconds += report.seconds
        total.workers = max(total.workers, report.workers)


def refuse_to_mix(study: Study, root: Path, *, replaces: bool = False) -> None:
    """Refuse a folder whose study this one would put an end to. One that only grows there (more tasks, seeds or arms,
    another rule) is welcome, and so is any where nothing was found yet and nothing is being trained.

    Raises
    ------
    BadInput
        If ``root`` holds a study of real data and this one is synthetic, or the other way round; or, unless this one
        ``replaces`` it, a study of the same design whose arrows are others, by data, encoder or way to train, or that
        has tasks, seeds or arms which this one lacks, or a race of other looks or by another rule.
    """
    try:
        there = studies_in(root)
    except ValueError as error:
        raise BadInput(str(error)) from error
    if any(other.synthetic != study.synthetic for other in there):
        kind = "real" if study.synthetic else "made-up"
        raise BadInput(f"{root}: holds a study of {kind} text, which this one would join; give another --results")
    for other in there:
        if other.design != study.design or replaces or not _is_begun(other, root):
            continue
        if what := differences_in_words(other, study):
            raise BadInput(
                f"{root}: holds a study with {what}; give another --results, or --replace to put this one in its place"
            )
        if other.looks and (other.looks, _rule_of(other, root)) != (study.looks, Rule(**study.rule)):
            raise BadInput(
                f"{root}: holds this race, run by another rule or other looks, which spent alpha and stopped pairs; "
                "leave --adaptive, --seeds, --max-seeds, --alpha, --margin, --correction and --estimand as they were, "
                "or give another --results, or --replace to put this one in its place"
            )
        if lost := losses(other, study):
            raise BadInput(
                f"{root}: its study would lose {', '.join(lost)}; ask for them too, or give another --results, or "
                "--replace to put this one in its place"
            )


def _rule_of(study: Study, root: Path) -> Rule:
    try:
        return Rule(**study.rule)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{root}: its study.json has a rule that is none: {error}; --replace leaves it out") from error


def _is_begun(study: Study, root: Path) -> bool:
    """Whether something was found of a study of ``root``, or a run of it is being trained."""
    store = RunStore(root)
    published = (root / PUBLISHED[study.design]).exists()
    return published or any(spec in store or store.is_held(spec) for spec in study.plan)
