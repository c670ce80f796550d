"""Run a search of recipes, as the command ``tune`` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from taskaffinity.errors import InputError
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.schedule.resources import Resources
from taskaffinity.training.encoders.load import Encoder
from taskaffinity.training.execute import versions
from taskaffinity.tuning.round import Ended
from taskaffinity.tuning.search import Search, SearchResult, search_recipe


def tune(
    search: Search,
    encoder: Encoder,
    folder: Path,
    *,
    resources: Resources | None = None,
    on_progress: Callable[[Ended], None] = lambda ended: None,
    checkpoint_minutes: float = DEFAULT_MINUTES,
) -> SearchResult:
    """Run a search; finished trials in ``folder`` are not trained again.

    Parameters
    ----------
    on_progress : callable
        Receives each trial when it ends.
    checkpoint_minutes : float
        Shortest time between two checkpoints of a trial, in minutes; 0 for none.

    Raises
    ------
    InputError
        If the folder cannot be created, or as ``search_recipe``.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from dataclasses import replace
    >>> from taskaffinity import load_suite
    >>> from taskaffinity.runs.recipe import FROM_SCRATCH
    >>> from taskaffinity.studies.define import define_search
    >>> few = replace(FROM_SCRATCH, num_train_epochs=1, max_train_examples=32, max_eval_examples=20)
    >>> search, encoder = define_search(load_suite("clinical"), recipe=few, samples=1, confirm_seeds=1)
    >>> found = tune(search, encoder, Path(mkdtemp()), resources=Resources("local"))
    >>> found.finalists, found.recipe in search.candidates
    ((0, 1), True)
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be created ({error.strerror}); expected a folder for trials") from error
    return search_recipe(
        search,
        folder,
        encoder_folder=encoder.folder,
        cache=cache_folder(),
        resources=resources or Resources(cpus_per_run=search.candidates[0].threads),
        versions=versions(),
        on_progress=on_progress,
        checkpoint_minutes=checkpoint_minutes,
    )
