"""A search of training settings that is checked and ready to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from taskaffinity.runs.recipe_file import RecipeFile
from taskaffinity.schedule.resources import Resources
from taskaffinity.studies.defaults import default_recipe, is_tiny
from taskaffinity.studies.define import define_search, with_resources
from taskaffinity.studies.options import TuneOptions
from taskaffinity.studies.resources import resolve_resources
from taskaffinity.studies.settings import Settings, apply_settings
from taskaffinity.tasks.suite import Suite
from taskaffinity.training.encoders.load import Encoder
from taskaffinity.tuning.candidates import searched_settings
from taskaffinity.tuning.recipe import write_found
from taskaffinity.tuning.round import Ended
from taskaffinity.tuning.search import Search, SearchResult
from taskaffinity.tuning.tune import tune


@dataclass(frozen=True)
class PlannedSearch:
    """A search and the path of its recipe file."""

    search: Search
    suite: Suite
    encoder: Encoder
    resources: Resources
    settings: Settings
    """Settings of the recipe file and of the options."""
    given: Settings
    """Settings of the options only; they are not searched."""
    out: Path
    checkpoint_minutes: float

    def run(self, on_progress: Callable[[Ended], None] = lambda ended: None) -> SearchResult:
        """Train the trials that the folder ``tune`` beside the recipe file lacks.

        Raises
        ------
        InputError
            As ``search_recipe``.
        """
        folder = self.out.parent / "tune"
        return tune(
            self.search,
            self.encoder,
            folder,
            resources=self.resources,
            on_progress=on_progress,
            checkpoint_minutes=self.checkpoint_minutes,
        )

    def write_recipe(self, found: SearchResult) -> None:
        """Write the chosen recipe; write nothing if no candidate could be trained."""
        if found.recipe is None:
            return
        searched = searched_settings(self.given.all_stages)
        values = {name: getattr(found.recipe, name) for name in (*searched, *self.settings.all_stages)}
        write_found(self.out, found, self.suite, RecipeFile(values, dict(self.settings.finetune)), searched)


def plan_search(suite: Suite, options: TuneOptions, settings: tuple[Settings, Settings], out: Path) -> PlannedSearch:
    """Plan and check the search of these options; the tokenized tasks are cached.

    Raises
    ------
    InputError
    """
    merged, given = settings
    tiny = is_tiny(suite, options.encoder)
    resources = resolve_resources(
        options.executor, options.cpus_per_run, options.gpus_per_run, options.address, is_tiny=tiny
    )
    default = apply_settings(with_resources(default_recipe(suite, options.encoder), resources), merged.all_stages)
    search, encoder = define_search(
        suite,
        encoder=options.encoder,
        recipe=default,
        fixed=given.all_stages,
        samples=options.n_trials,
        seed=options.search_seed,
        finalists=options.finalists,
        confirm_seeds=options.confirm_seeds,
    )
    return PlannedSearch(search, suite, encoder, resources, merged, given, out, options.checkpoint_minutes)
