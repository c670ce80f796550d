"""Search the recipe of a suite: say what is asked (``define_search``), train what is missing (``tune``).

What the command line's ``tune`` calls, and what a script may.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from taskaffinity.defaults import default_recipe
from taskaffinity.definition import cache_folder, encoder_of
from taskaffinity.resources import Resources
from taskaffinity.runs.spec import Recipe
from taskaffinity.tasks.task import BadInput, Suite
from taskaffinity.training.encoders import Encoder
from taskaffinity.training.execute import prepare, versions
from taskaffinity.tuning.candidates import candidates
from taskaffinity.tuning.round import Ended
from taskaffinity.tuning.search import MOST_CONFIRM_SEEDS, Found, Search, search_recipe


def define_search(
    suite: Suite,
    *,
    encoder: str | None = None,
    recipe: Recipe | None = None,
    fixed: Collection[str] = (),
    samples: int = 12,
    seed: int = 0,
    finalists: int = 3,
    confirm_seeds: int = 2,
) -> tuple[Search, Encoder]:
    """A search of the recipe by which a suite's tasks are trained well alone, and where its encoder lies. The encoded
    corpora are cached.

    Parameters
    ----------
    encoder, recipe : optional
        As in ``define``; the recipe is the default that candidates are drawn around.
    fixed : collection of str
        Settings that are left as it has them.
    samples : int
        Recipes to try beside it.
    seed, finalists, confirm_seeds : int
        As in ``Search``.

    Raises
    ------
    BadInput
        If nothing is left to search, there are more than ``MOST_CONFIRM_SEEDS``, the encoder cannot be had or the
        recipe does not fit it, or a file of the suite is broken.
    """
    if confirm_seeds > MOST_CONFIRM_SEEDS:
        raise BadInput(f"--confirm-seeds {confirm_seeds}: above {MOST_CONFIRM_SEEDS}, where the next search's begin")
    default = recipe or default_recipe(suite, encoder)
    tried = candidates(default, samples, fixed=fixed, seed=seed)
    found = encoder_of(suite, encoder)
    prepare(suite.tasks, found, default, cache_folder())
    tasks = tuple(task.ref for task in suite)
    return Search(tasks, found.ref, tried, seed, finalists, confirm_seeds), found


def tune(
    search: Search,
    encoder: Encoder,
    folder: Path,
    *,
    resources: Resources | None = None,
    watch: Callable[[Ended], None] = lambda ended: None,
) -> Found:
    """Conduct a search; what ``folder``, which is made, holds of it is not trained again.

    Parameters
    ----------
    watch : callable
        Told of each trial that ends.

    Raises
    ------
    BadInput
        If the folder cannot be made; as ``search_recipe``.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from dataclasses import replace
    >>> from taskaffinity import find_suite
    >>> from taskaffinity.runs.spec import FROM_SCRATCH
    >>> few = replace(FROM_SCRATCH, num_train_epochs=1, max_train_examples=32, max_eval_examples=20)
    >>> search, encoder = define_search(find_suite("clinical"), recipe=few, samples=1, confirm_seeds=1)
    >>> found = tune(search, encoder, Path(mkdtemp()), resources=Resources("local"))
    >>> found.finalists, found.recipe in search.candidates
    ((0, 1), True)
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be made ({error.strerror}); trials are to be kept there") from error
    return search_recipe(
        search,
        folder,
        encoder_folder=encoder.folder,
        cache=cache_folder(),
        resources=resources or Resources(cpus_per_run=search.candidates[0].threads),
        versions=versions(),
        watch=watch,
    )
