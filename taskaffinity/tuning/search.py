"""Search a recipe for a suite: try candidates on dev, train the best few again with fresh seeds, choose among those.

The best of many noisy scores is better than its recipe. So the scores that a candidate was picked for are not the ones
it is chosen by: the best few and the default are trained again with other seeds, and only these count. As the default
is among them, what is chosen is at least as good there. Test splits are not read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, TaskRef
from taskaffinity.schedule.resources import Resources
from taskaffinity.tuning.local import Train, in_this_process
from taskaffinity.tuning.on_ray import on_ray
from taskaffinity.tuning.round import Ended, Round
from taskaffinity.tuning.trials import Scores, TrialFolder, trials_of

SEEDS = 2_000_000
"""Where the seeds of searches begin: no study trains with them, nor does a placebo."""
_SEEDS_A_SEARCH = 1_000
MOST_CONFIRM_SEEDS = _SEEDS_A_SEARCH - 1


@dataclass(frozen=True)
class Search:
    """What is asked."""

    tasks: tuple[TaskRef, ...]
    encoder: EncoderRef
    candidates: tuple[Recipe, ...]
    """The default first."""
    seed: int = 0
    """Of the search: every candidate is tried with one training seed that follows from it."""
    finalists: int = 3
    """So many candidates are trained again, and the default with them."""
    confirm_seeds: int = 2

    @property
    def first_seed(self) -> int:
        """Of the trials."""
        return SEEDS + _SEEDS_A_SEARCH * self.seed

    @property
    def fresh_seeds(self) -> tuple[int, ...]:
        """Of the confirmation."""
        return tuple(range(self.first_seed + 1, self.first_seed + 1 + self.confirm_seeds))

    @property
    def most_epochs(self) -> int:
        """That it can take, of every task, if no candidate is stopped and the longest are confirmed."""
        lengths = [recipe.num_train_epochs for recipe in self.candidates]
        again = lengths[0] + sum(sorted(lengths[1:])[::-1][: self.finalists])
        return sum(lengths) + self.confirm_seeds * again


@dataclass(frozen=True)
class Found:
    """What a search found."""

    search: Search
    first: Round
    """Every candidate once."""
    finalists: tuple[int, ...]
    """Their numbers, the default's first."""
    confirmed: Mapping[int, Scores]
    """Dev score of each finalist by task, in points, mean over the fresh seeds; without those that failed."""
    chosen: int | None
    """The finalist of the best mean; None if all failed."""
    epochs_now: int
    """Trained by this command, of every task."""
    lost: Mapping[Path, str]
    """Why trials failed, for no fault of their recipe; by the file that says more."""
    seconds: float

    @property
    def recipe(self) -> Recipe | None:
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
) -> Found:
    """Conduct a search; what ``folder`` holds of it is not trained again.

    Parameters
    ----------
    cache : Path
        Where ``training.execute.prepare`` put the encoded tasks.
    versions : dict
        Kept with every trial.
    on_progress : callable
        Told of each trial that ends.

    Raises
    ------
    InputError
        If Ray cannot be had, a trial fits none of its nodes, or a file of the folder is broken.
    """
    began = time.monotonic()
    trials, told = TrialFolder(folder), {"versions": versions, "on_progress": on_progress}
    trainer = _trainer(resources, encoder_folder, cache, folder)
    with ExitStack() as stack:
        entered: list[Train] = []

        def train_all(round_: Round) -> Round:
            while numbers := round_.pending():
                if not entered:  # nothing is started for a search that is done
                    entered.append(stack.enter_context(trainer))
                entered[0](round_, numbers)
            return round_

        what = (search.tasks, search.encoder)
        first = train_all(
            Round(trials_of(*what, search.candidates, [search.first_seed]), trials, halving=True, **told)  # type: ignore[arg-type]
        )
        finalists = finalists_of(first.means(), search.finalists)
        recipes = [search.candidates[number] for number in finalists]
        again = train_all(Round(trials_of(*what, recipes, search.fresh_seeds), trials, halving=False, **told))  # type: ignore[arg-type]
    confirmed = _confirmed(again, finalists, search.confirm_seeds)
    means = {number: fmean(scores.values()) for number, scores in confirmed.items()}
    return Found(
        search=search,
        first=first,
        finalists=finalists,
        confirmed=confirmed,
        chosen=max(means, key=lambda number: means[number], default=None),  # of equals the first: the default
        epochs_now=first.epochs_now + again.epochs_now,
        lost={
            trials.error_path(round_.trials[number]): reason
            for round_ in (first, again)
            for number, reason in round_.lost.items()
        },
        seconds=time.monotonic() - began,
    )


def finalists_of(means: Sequence[float | None], most: int) -> tuple[int, ...]:
    """The default, and the best of the others by their score, at most so many; None was stopped or failed."""
    others = [(mean, -number) for number, mean in enumerate(means) if number and mean is not None]
    return (0, *(-number for _, number in sorted(others, reverse=True)[:most]))


def _confirmed(again: Round, finalists: Sequence[int], n_seeds: int) -> dict[int, Scores]:
    """Mean over seeds of every task's score; a finalist that failed with a seed is left out."""
    ended = again.means()
    found: dict[int, Scores] = {}
    for place, number in enumerate(finalists):
        of_seeds = range(place * n_seeds, (place + 1) * n_seeds)
        if all(ended[trial] is not None for trial in of_seeds):
            last = [again.records[trial].scores[-1] for trial in of_seeds]
            found[number] = {task: fmean(scores[task] for scores in last) for task in last[0]}
    return found


def _trainer(resources: Resources, encoder_folder: Path, cache: Path, folder: Path) -> AbstractContextManager[Train]:
    if resources.executor == "ray":
        return on_ray(resources, encoder_folder, cache, folder)
    return in_this_process(encoder_folder, cache)
