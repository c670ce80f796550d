"""Describe the recipe that a search chose, and write its recipe file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from taskaffinity.analysis.style import plural
from taskaffinity.runs.recipe_file import RecipeFile, write_recipe
from taskaffinity.schedule.progress import duration
from taskaffinity.tasks.suite import Suite

if TYPE_CHECKING:
    from taskaffinity.tuning.round import Ended
    from taskaffinity.tuning.search import SearchResult


def write_found(out: Path, found: SearchResult, suite: Suite, said: RecipeFile, searched: Collection[str]) -> None:
    """Write the recipe file, with comments on how it was chosen."""
    assert found.recipe is not None
    default = found.search.candidates[0]
    notes = {
        name: f"default: {'none' if (value := getattr(default, name)) is None else value}"
        if name in searched
        else "given, not searched"
        for name in said.settings
    }
    what = (
        f"the suite {suite.name}{' (synthetic text)' if suite.synthetic else ''}, encoder {found.search.encoder.name}"
    )
    about = [
        f"Found by `taskaffinity tune` for {what}; search seed {found.search.seed}.",
        *describe_search(found)[:2],
        "A study uses it with --recipe. Settings that are not listed keep their defaults; --set overrides them.",
    ]
    write_recipe(out, said, about, notes)


def describe_search(found: SearchResult) -> list[str]:
    """Return lines on the chosen recipe, how it was chosen, and the cost."""
    if found.chosen is None:
        return ["No candidate could be trained to its end: no recipe is written."]
    best = fmean(found.confirmed[found.chosen].values())
    default = fmean(found.confirmed[0].values()) if 0 in found.confirmed else None
    is_best = all(fmean(scores.values()) <= best for scores in found.confirmed.values())
    learned = "" if is_best else " that learned every task"
    if found.chosen == 0:
        chosen = f"Chosen: the default, {best:.1f} points; no candidate{learned} was better."
    elif default is None:
        chosen = f"Chosen: candidate {found.chosen}, {best:.1f} points; the default could not be trained."
    else:
        gained = f"{best - default:+.1f} on the default's {default:.1f}"
        chosen = f"Chosen: candidate {found.chosen}, {best:.1f} points, {gained}."
    seeds = plural(found.search.confirm_seeds, "seed")
    how = f"By the mean over tasks and {seeds} that had no part in picking the finalists, on dev; test was not used."
    if default is not None:
        how += f" The default is a finalist{', so that none can be chosen that is worse there' if is_best else ''}."
    if found.collapsed:
        named = ", ".join("the default" if number == 0 else f"candidate {number}" for number in found.collapsed)
        how += f" Collapsed with one of these seeds: {named}; candidates that learned every task rank before them."
    n_reused = len(found.first.reused)
    reused = f", {plural(n_reused, 'trial')} of the first round found finished" if n_reused else ""
    most = "at most " if found.search.candidates[0].early_stopping_patience is not None else ""
    epochs = plural(found.epochs_now, "epoch")
    spent = f"{most}{epochs} of each task trained now{reused}, in {duration(found.seconds)}."
    return [chosen, how, spent]


def describe_trial(ended: Ended) -> str:
    """Return one line: how many trials ended, and this trial's dev score or failure."""
    record = ended.record
    if record.failure is not None:
        how = record.failure
    elif ended.lost is not None:
        how = f"failed: {ended.lost}"
    else:
        n_epochs = len(record.scores)
        stopped = ", stopped" if n_epochs < ended.epochs else ""
        how = f"{record.means[-1]:.1f} points on dev after {n_epochs} of {ended.epochs} epochs{stopped}"
        how += f", collapsed on {', '.join(record.collapsed)}" if record.collapsed else ""
    return f"{ended.done} of {ended.of} trials done: {how}"
