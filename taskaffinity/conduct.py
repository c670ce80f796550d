"""Conduct a pairwise study: say what is asked (``define``), train what is missing (``conduct``).

What the command line's ``pairwise`` calls, and what a script may. Nothing is printed here; what was found is read from
the results folder by ``analysis``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from taskaffinity.runs.spec import FROM_SCRATCH, REFINE, Recipe, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import StudiedTask, Study
from taskaffinity.schedule import Progress, Report, Resources, run
from taskaffinity.tasks.planted import VOCABULARY
from taskaffinity.tasks.task import BadInput, Suite
from taskaffinity.training.encoders import Encoder, find_encoder, tiny_encoder
from taskaffinity.training.execute import prepare, versions

DEFAULT_ENCODERS = {
    "clinical": "bionlp/bluebert_pubmed_mimic_uncased_L-12_H-768_A-12",
    "biomedical": "bionlp/bluebert_pubmed_uncased_L-12_H-768_A-12",
    "blue": "bionlp/bluebert_pubmed_uncased_L-12_H-768_A-12",
}
"""The paper's: BlueBERT (P+M) for clinical text, BlueBERT (P) for the others."""


def default_recipe(suite: Suite, encoder: str | None) -> Recipe:
    """The stand-in's own for its tiny encoder from random weights, else the paper's refinement."""
    return FROM_SCRATCH if suite.synthetic and encoder is None else REFINE


def define(
    suite: Suite,
    *,
    encoder: str | None = None,
    recipe: Recipe | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    full: bool = False,
) -> tuple[Study, Encoder]:
    """A study of a suite, and where its encoder lies.

    Parameters
    ----------
    encoder : str, optional
        Folder or hub id of a transformers encoder. Default: the paper's for real data, a tiny one without weights for
        a planted suite.
    recipe : Recipe, optional
        Default: ``default_recipe``.
    full : bool
        Whether the whole set is trained together too.

    Raises
    ------
    BadInput
        If the encoder cannot be had, or a file of the suite is broken.
    """
    if encoder is None and suite.synthetic:
        found = tiny_encoder(VOCABULARY, cache_folder())
    else:
        found = find_encoder(encoder or DEFAULT_ENCODERS[suite.name])
    cards = tuple(
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
    study = Study(
        suite=suite.name,
        tasks=cards,
        encoder=found.ref,
        recipe=recipe or default_recipe(suite, encoder),
        seeds=tuple(seeds),
        full=full,
        synthetic=suite.synthetic,
        versions=versions(),
    )
    return study, found


def conduct(
    study: Study,
    suite: Suite,
    encoder: Encoder,
    root: Path,
    *,
    resources: Resources | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
    keep_predictions: bool = True,
) -> Report:
    """Train what the results folder ``root`` lacks of a study.

    ``study.json`` is written before the first run, so that a study that was interrupted can be read as far as it went.

    Raises
    ------
    BadInput
        If the recipe does not fit the encoder, or ``root`` holds a study of real data and this one is synthetic, or
        the other way round.
    """
    store = RunStore(root)
    _refuse_to_mix(study, root)
    if any(spec not in store for spec in study.plan):
        prepare(suite.tasks, encoder, study.recipe, cache_folder())
    study.write(root)
    cap = study.recipe.max_train_examples
    sizes = {task.name: min(task.sizes["train"], cap or task.sizes["train"]) for task in study.tasks}

    def cost(spec: RunSpec) -> float:
        return sum(sizes[name] for name in spec.task_names)

    return run(
        study.plan,
        store,
        encoder_folder=encoder.folder,
        cache=cache_folder(),
        resources=resources or Resources(cpus_per_run=study.recipe.threads),
        cost=cost,
        watch=watch,
        keep_predictions=keep_predictions,
    )


def _refuse_to_mix(study: Study, root: Path) -> None:
    if (root / "study.json").is_file() and (other := Study.read(root)).synthetic != study.synthetic:
        kind = "made-up" if other.synthetic else "real"
        raise BadInput(f"{root}: holds a study of {kind} text, which this one would write over; give another --results")


def placed(recipe: Recipe, resources: Resources) -> Recipe:
    """The recipe for where its runs will go: threads and device are part of what identifies a run."""
    return replace(recipe, threads=resources.cpus_per_run, device="cuda" if resources.gpus_per_run else "cpu")


def cache_folder() -> Path:
    """Where encoded corpora lie: ``TASKAFFINITY_CACHE``, else ``~/.cache/taskaffinity``."""
    if given := os.environ.get("TASKAFFINITY_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taskaffinity"
