"""Search a recipe for a suite: try candidates on dev, confirm the best, choose one.

The best of many noisy scores overstates its recipe. So the finalists and the default are trained again with fresh
seeds, and only these scores count. The default is a finalist, so the chosen recipe is at least as good on these seeds.
A candidate that did not learn a task ranks after those that did. Test splits are not read.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, TaskRef
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.schedule.resources import Resources
from taskaffinity.tuning.local import Train, in_this_process
from taskaffinity.tuning.on_ray import on_ray
from taskaffinity.tuning.round import Ended, Round
from taskaffinity.tuning.trials import Record, Scores, TrialFolder, trials_of

SEEDS = 2_000_000
"""First seed of searches; no study or placebo uses these seeds."""
_SEEDS_A_SEARCH = 1_000
NO_BETTER = 0.1
"""Up to this share of the distance from a collapsed trial to the best score, a trial has not learned the task either.

This is 10 points of F1 above 0, 5 points of accuracy above 50, and half a point above 95. With a majority class of 95%,
no trial can be 5 points better.
"""
_BEST = 100.0
"""Best score of every metric, in points."""


@dataclass(frozen=True)
class Search:
    """A search for a recipe."""

    tasks: tuple[TaskRef, ...]
    encoder: EncoderRef
    candidates: tuple[Recipe, ...]
    """Recipes to try, the default first."""
    seed: int = 0
    """Seed of the search; the training seeds follow from it."""
    finalists: int = 3
    """Number of candidates that are confirmed, in addition to the default."""
    confirm_seeds: int = 2

    @property
    def first_seed(self) -> int:
        """The training seed of the first round."""
        return SEEDS + _SEEDS_A_SEARCH * self.seed

    @property
    def fresh_seeds(self) -> tuple[int, ...]:
        """The training seeds of the confirmation."""
        return tuple(range(self.first_seed + 1, self.first_seed + 1 + self.confirm_seeds))

    @property
    def most_epochs(self) -> int:
        """Largest number of epochs of each task.

        Then no candidate is stopped, and the longest ones are confirmed.
        """
        lengths = [recipe.num_train_epochs for recipe in self.candidates]
        again = lengths[0] + sum(sorted(lengths[1:])[::-1][: self.finalists])
        return sum(lengths) + self.confirm_seeds * again


@dataclass(frozen=True)
class SearchResult:
    """Result of a search."""

    search: Search
    first: Round
    """The first round, with every candidate."""
    finalists: tuple[int, ...]
    """Numbers of the finalists, the default first."""
    confirmed: Mapping[int, Scores]
    """Dev scores of each finalist by task, in points, mean over the fresh seeds; failed finalists are missing."""
    chosen: int | None
    """Number of the finalist with the best mean; one of ``not_learned`` only if all are. None if all failed."""
    epochs_now: int
    """As ``Round.epochs_now``, of both rounds."""
    lost: Mapping[Path, str]
    """Reasons of trials that failed for another reason than their recipe, by the file with the traceback."""
    seconds: float
    collapsed: tuple[int, ...] = ()
    """Numbers of the finalists with a fresh seed that collapsed on a task."""

    @property
    def recipe(self) -> Recipe | None:
        """The chosen recipe; None if all finalists failed."""
        return None if self.chosen is None else self.search.candidates[self.chosen]


def search_recipe(
    search: Search,
    folder: Path,
    *,
    encoder_folder: Path,
    cache: Path,
    resources: Resources,
    versions: Mapping[str, str],
    on_progress: Callable[[Ended], None] = lambda ended: None,
    checkpoint_minutes: float = DEFAULT_MINUTES,
) -> SearchResult:
    """Run a search; finished trials in ``folder`` are not trained again.

    Parameters
    ----------
    cache : Path
        Folder of the encoded tasks (``training.execute.prepare``).
    versions : dict
        Versions of the software, stored with every trial.
    on_progress : callable
        Receives each trial when it ends.
    checkpoint_minutes : float
        Shortest time between two checkpoints of a trial, in minutes; 0 for none.

    Raises
    ------
    InputError
        If Ray is not available, a trial does not fit on any node, or a file of the folder is broken.
    """
    began = time.monotonic()
    trials, common = TrialFolder(folder), {"versions": versions, "on_progress": on_progress}
    trainer = _trainer(resources, encoder_folder, cache, folder, checkpoint_minutes)
    with ExitStack() as stack:
        entered: list[Train] = []

        def train_all(round_: Round) -> Round:
            while numbers := round_.pending():
                if not entered:  # a finished search starts nothing
                    entered.append(stack.enter_context(trainer))
                entered[0](round_, numbers)
            return round_

        what = (search.tasks, search.encoder)
        first = train_all(
            Round(trials_of(*what, search.candidates, [search.first_seed]), trials, stops_early=True, **common)  # type: ignore[arg-type]
        )
        finalists = finalists_of(first.means(), search.finalists, not_learned(first.compared()))
        recipes = [search.candidates[number] for number in finalists]
        again = train_all(Round(trials_of(*what, recipes, search.fresh_seeds), trials, stops_early=False, **common))  # type: ignore[arg-type]
    confirmed = _confirmed(again, finalists, search.confirm_seeds)
    seeds_of = {number: _trials_of(place, search.confirm_seeds) for place, number in enumerate(finalists)}
    lost = {trials.error_path(one.trials[n]): reason for one in (first, again) for n, reason in one.lost.items()}
    if not lost:
        trials.remove_checkpoints([*first.trials, *again.trials])
    failing = not_learned(again.records)
    rank = {
        number: (failing.isdisjoint(seeds_of[number]), fmean(scores.values())) for number, scores in confirmed.items()
    }
    return SearchResult(
        search=search,
        first=first,
        finalists=finalists,
        confirmed=confirmed,
        chosen=max(rank, key=lambda number: rank[number], default=None),  # the first of equals: the default
        epochs_now=first.epochs_now + again.epochs_now,
        lost=lost,
        seconds=time.monotonic() - began,
        collapsed=tuple(n for n in finalists if any(again.records[trial].collapsed for trial in seeds_of[n])),
    )


def finalists_of(means: Sequence[float | None], most: int, failing: Collection[int] = ()) -> tuple[int, ...]:
    """Return the numbers of the default and of at most ``most`` best other trials.

    Means are in points; a trial that was stopped or failed has the mean None.

    Trials of ``failing`` rank after all others.
    """
    others = [
        (number not in failing, mean, -number) for number, mean in enumerate(means) if number and mean is not None
    ]
    return (0, *(-number for *_, number in sorted(others, reverse=True)[:most]))


def not_learned(records: Sequence[Record]) -> set[int]:
    """Return the numbers of the trials that collapsed on a task or hardly did better.

    The limit is ``NO_BETTER`` of the distance from a collapsed trial to 100 points.

    A model that predicts at random has not learned the task either, although its predictions differ.
    """
    last = [record.scores[-1] if record.scores else {} for record in records]
    bar: dict[str, float] = {}
    for record, scores in zip(records, last, strict=True):
        bar |= {task: max(scores[task], bar.get(task, -math.inf)) for task in record.collapsed}
    return {
        number
        for number, scores in enumerate(last)
        if any(scores[task] <= bar[task] + NO_BETTER * (_BEST - bar[task]) for task in bar if task in scores)
    }


def _confirmed(again: Round, finalists: Sequence[int], n_seeds: int) -> dict[int, Scores]:
    """Return each finalist's mean score per task over the seeds.

    Finalists that failed with a seed are left out.
    """
    ended = again.means()
    found: dict[int, Scores] = {}
    for place, number in enumerate(finalists):
        of_seeds = _trials_of(place, n_seeds)
        if all(ended[trial] is not None for trial in of_seeds):
            last = [again.records[trial].scores[-1] for trial in of_seeds]
            found[number] = {task: fmean(scores[task] for scores in last) for task in last[0]}
    return found


def _trials_of(place: int, n_seeds: int) -> range:
    """Return the numbers of a finalist's trials in the confirmation."""
    return range(place * n_seeds, (place + 1) * n_seeds)


def _trainer(
    resources: Resources, encoder_folder: Path, cache: Path, folder: Path, checkpoint_minutes: float
) -> AbstractContextManager[Train]:
    if resources.executor == "ray":
        return on_ray(resources, encoder_folder, cache, folder, checkpoint_minutes)
    return in_this_process(encoder_folder, cache, checkpoint_minutes)
