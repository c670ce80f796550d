"""Conduct a study: say what is asked (``define``), train what is missing (``conduct``); or search the recipe that one
trains by (``define_search``, ``tune``).

What the command line's ``pairwise``, ``full`` and ``tune`` call, and what a script may. Nothing is printed here; what
a study found is read from the results folder by ``analysis``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from taskaffinity.analysis.affinity import margins_of
from taskaffinity.analysis.arms import read_arms
from taskaffinity.analysis.racing import follow, wanted
from taskaffinity.analysis.verdicts import Rule
from taskaffinity.defaults import DEFAULT_ENCODERS, default_finetune, default_recipe, is_tiny
from taskaffinity.resources import Resources
from taskaffinity.runs.differences import differences_in_words
from taskaffinity.runs.pace import Pace
from taskaffinity.runs.paper_protocol import write_departures
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.spec import Recipe, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import PLACEBO_SEEDS, Design, Match, ReadAfter, Start, StudiedTask, Study, studies_in
from taskaffinity.schedule import Progress, Report, left, run
from taskaffinity.tasks.catalog import vocabulary
from taskaffinity.tasks.task import BadInput, Suite
from taskaffinity.training.encoders import Encoder, find_encoder, tiny_encoder
from taskaffinity.training.execute import gpus, is_lack_of_memory, prepare, versions
from taskaffinity.training.loop import Diverged
from taskaffinity.training.timing import timed

PUBLISHED: Mapping[Design, str] = {"pairwise": "edges.csv", "full": "full.csv"}
"""What a results folder has where a study of a design was read from it."""


def define(
    suite: Suite,
    *,
    encoder: str | None = None,
    recipe: Recipe | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    seeds_single: Sequence[int] | None = None,
    match: Match = "updates",
    stage: ReadAfter = "refine",
    start: Start = "encoder",
    controls: bool = False,
    looks: Sequence[int] = (),
    full: bool = False,
    design: Design = "pairwise",
    finetune: Mapping[str, Recipe] | None = None,
    rule: Rule | None = None,
) -> tuple[Study, Encoder]:
    """A study of a suite, and where its encoder lies.

    Parameters
    ----------
    encoder : str, optional
        Folder or hub id of a transformers encoder. Default: the paper's for real data, a tiny one without weights for
        a planted suite.
    recipe : Recipe, optional
        Default: ``default_recipe``.
    seeds, seeds_single : sequence of int
        Of every pair and of every task alone; by default both have the same. The command line asks for more alone,
        ``range(seeds_alone(len(suite), n_seeds))`` of ``taskaffinity.runs.plan``, for all arrows are measured against
        these.
    match : str
        Whether a pair is compared with as many updates on the target, or with as many in all (``compute``).
    stage : str
        Where a pair's gain is read: as it was trained (``refine``), or after both arms were fine-tuned on the target
        (``finetune``).
    start : str
        What every task alone and every pair starts from: the ``encoder``, or the whole set's ``refinement``.
    controls : bool
        Whether every task has a placebo and a positive control.
    looks : sequence of int
        Of a race: seeds a pair at which its arrows are looked at, the last of them all ``seeds``; none for a fixed
        design.
    full : bool
        Whether the whole set is trained together too.
    design : str
        ``pairwise``: every task alone and every pair. ``full``: every task alone, the whole set, and from there every
        task fine-tuned.
    finetune : dict of task name to Recipe, optional
        Of the design ``full`` and of the stage ``finetune``. Default, also of tasks that are left out:
        ``default_finetune``.
    rule : Rule, optional
        When an arrow is coloured, and by which a race decides where to go on.

    Raises
    ------
    BadInput
        If the encoder cannot be had, or a file of the suite is broken; if stage or start do not go with another choice;
        if a seed is one of placebos or searches; if a recipe for fine-tuning is of no task of the suite, or has other
        test examples.

    Examples
    --------
    >>> from taskaffinity import find_suite
    >>> study, encoder = define(find_suite("clinical"), seeds=range(3), seeds_single=range(6))
    >>> len(study.plan), study.synthetic
    (42, True)
    """
    _refuse_to_combine(
        suite,
        stage,
        start,
        {
            "the design full": design == "full",
            "--adaptive": looks,
            "--controls": controls,
            "--match compute": match == "compute",
        },
    )
    if (last := max(*seeds, *(seeds_single or seeds))) >= PLACEBO_SEEDS:
        raise BadInput(f"--base-seed: seeds up to {last}; expected them below {PLACEBO_SEEDS}, where others' begin")
    recipe = recipe or default_recipe(suite, encoder)
    has_stages = design == "full" or stage == "finetune"
    _refuse_to_finetune(suite, recipe, finetune or {})
    found = encoder_of(suite, encoder)
    study = Study(
        suite=suite.name,
        tasks=_cards_of(suite),
        encoder=found.ref,
        recipe=recipe,
        seeds=tuple(seeds),
        seeds_single=tuple(seeds_single or seeds),
        match=match,
        stage=stage,
        start=start,
        controls=controls,
        looks=tuple(looks),
        full=full,
        design=design,
        finetune={**default_finetune(suite, encoder, recipe), **(finetune or {})} if has_stages else {},
        synthetic=suite.synthetic,
        protocol=recipe.protocol or "honest",
        rule=asdict(rule or Rule()),
        versions=versions(),
    )
    return study, found


def _cards_of(suite: Suite) -> tuple[StudiedTask, ...]:
    return tuple(
        StudiedTask(
            name=task.name,
            title=task.title,
            kind=task.kind,
            metric=task.metric_name,
            fingerprint=task.fingerprint,
            sizes={split: len(examples) for split, examples in task.examples.items()},
        )
        for task in suite
    )


def _refuse_to_combine(suite: Suite, stage: ReadAfter, start: Start, choices: Mapping[str, object]) -> None:
    asked = [f"--stage {stage}"] * (stage != "refine") + [f"--start {start}"] * (start != "encoder")
    others = [flag for flag, is_chosen in choices.items() if is_chosen]
    if asked and others:
        raise BadInput(f"{asked[0]}: not with {others[0]}; leave one of them out")
    if start == "refinement" and len(suite) < 3:
        raise BadInput(
            f"--start refinement: the whole set of {len(suite)} tasks is no more than a pair; expected 3 or more"
        )


def _refuse_to_finetune(suite: Suite, recipe: Recipe, finetune: Mapping[str, Recipe]) -> None:
    names = [task.name for task in suite]
    if unknown := [name for name in finetune if name not in names]:
        raise BadInput(f"fine-tuning of {unknown[0]}, which is no task of {suite.name}; there are {', '.join(names)}")
    for how in finetune.values():
        if (how.max_eval_examples, how.sample_seed) != (recipe.max_eval_examples, recipe.sample_seed):
            raise BadInput("fine-tuning has other test examples than the stages before it; give all the same")


def pace_of(study: Study, suite: Suite, encoder: Encoder, *, tries_bf16: bool = False) -> Pace | None:
    """How fast this machine trains the study's tasks, by a few steps on each; None if they cannot be tried here, for
    want of a GPU or of memory or because they diverge. Only the cache of encoded corpora is written.

    Parameters
    ----------
    tries_bf16 : bool
        Whether the same steps are tried in 16 bits too, where the recipe has 32.

    Raises
    ------
    BadInput
        If the recipe does not fit the encoder.
    """
    if study.recipe.device == "cuda" and not gpus():
        return None
    prepare(suite.tasks, encoder, study.recipe, cache_folder())
    together = RunSpec(tuple(sorted(study.refs)), study.encoder, study.seeds[0], study.recipe)
    places: dict[str, Any] = {"encoder_folder": encoder.folder, "cache": cache_folder(), "tries_bf16": tries_bf16}
    try:
        if study.recipe.device == "cpu":
            return timed(together, **places)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:  # its end gives the GPU's memory back
            return apart.submit(timed, together, **places).result()
    except Exception as error:
        if isinstance(error, Diverged) or is_lack_of_memory(error):  # the runs will tell, each its own reason
            return None
        raise


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
        If the recipe does not fit the encoder; or as ``refuse_to_mix``.
    """
    refuse_to_mix(study, root, replaces=replaces)
    if left(study.plan, RunStore(root), keep_models=keep_models):
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
        arms = read_arms(study, store)
        standing = follow(study, arms, rule, margins, lambda spec: spec in store or spec in total.failed)
        needed = wanted(study, standing)
        total.planned = len(needed)
        part = Plan.of(spec for spec in lacking(needed) if spec not in total.failed)
        if not part.specs:
            return total
        report = train(part)
        total.trained += report.trained
        total.failed |= report.failed
        total.seconds += report.seconds
        total.workers = max(total.workers, report.workers)


def refuse_to_mix(study: Study, root: Path, *, replaces: bool = False) -> None:
    """Refuse a folder whose study this one would put an end to. One that only grows there (more tasks, seeds or arms,
    another rule) is welcome, and so is any where nothing was found yet.

    Raises
    ------
    BadInput
        If ``root`` holds a study of real data and this one is synthetic, or the other way round; the same race by
        another rule; or, unless this one ``replaces`` it, a study of the same design whose arrows are others, by data,
        encoder or way to train.
    """
    try:
        there = studies_in(root)
    except ValueError as error:
        raise BadInput(str(error)) from error
    if any(other.synthetic != study.synthetic for other in there):
        kind = "real" if study.synthetic else "made-up"
        raise BadInput(f"{root}: holds a study of {kind} text, which this one would join; give another --results")
    if study.looks and any(o.rule != study.rule and replace(o, rule=study.rule) == study for o in there):
        raise BadInput(
            f"{root}: holds this race, run by another rule, and by its rule pairs were stopped; "
            "leave --alpha, --margin, --correction and --estimand as they were, or give another --results"
        )
    for other in there:
        if other.design == study.design and not replaces and (what := differences_in_words(other, study)):
            store = RunStore(root)
            if (root / PUBLISHED[other.design]).exists() or any(spec in store for spec in other.plan):
                raise BadInput(
                    f"{root}: holds a study with {what}; give another --results, "
                    "or --replace to put this one in its place"
                )


def encoder_of(suite: Suite, encoder: str | None) -> Encoder:
    """The encoder that was named, or the suite's own.

    Raises
    ------
    BadInput
        If it cannot be had.
    """
    if is_tiny(suite, encoder):
        return tiny_encoder(vocabulary(suite), cache_folder())
    if encoder is not None:
        return find_encoder(encoder)
    try:
        return find_encoder(DEFAULT_ENCODERS.get(suite.name, "bluebert-p"))
    except BadInput as error:
        said = str(error).removeprefix("--encoder ")
        raise BadInput(f"the default encoder of this suite (give --encoder FOLDER for another): {said}") from error


def placed(recipe: Recipe, resources: Resources) -> Recipe:
    """The recipe for where its runs will go: threads and device are part of what identifies a run."""
    return replace(recipe, threads=resources.cpus_per_run, device="cuda" if resources.gpus_per_run else "cpu")


def cache_folder() -> Path:
    """Where encoded corpora lie: ``TASKAFFINITY_CACHE``, else ``~/.cache/taskaffinity``."""
    if given := os.environ.get("TASKAFFINITY_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taskaffinity"
