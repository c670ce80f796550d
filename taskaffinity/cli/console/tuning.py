"""Print candidates, budget, progress and results of ``taskaffinity tune``."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from taskaffinity.analysis.style import plural
from taskaffinity.cli.console.json_output import print_json
from taskaffinity.runs.recipe import Recipe
from taskaffinity.tuning.candidates import searched_settings
from taskaffinity.tuning.recipe import describe_search, describe_trial

if TYPE_CHECKING:
    from taskaffinity.tuning.round import Ended
    from taskaffinity.tuning.search import Search, SearchResult


COLLAPSED = " collapsed"
"""Suffix of the score of a trial that predicts one class, no mention or one value in a task."""


def print_search(search: Search, fixed: Collection[str], *, as_json: bool = False) -> None:
    """Print the default recipe, what each candidate changes, and the largest cost.

    As JSON: ``{"tasks": [name], "default": {setting: value}, "candidates": [{setting: value}], "confirm_seeds",
    "finalists", "most_epochs"}``; a candidate has only the settings that differ from the default.
    """
    default, *drawn = search.candidates
    candidates = [_values(recipe, _changes(default, recipe)) for recipe in drawn]
    if as_json:
        plan = {
            "tasks": [name for name, _ in search.tasks],
            "default": _values(default, searched_settings(fixed)),
            "candidates": candidates,
            "confirm_seeds": search.confirm_seeds,
            "finalists": min(len(drawn), search.finalists),
            "most_epochs": search.most_epochs,
        }
        print_json(plan)
        return
    print(f"default: {_settings(_values(default, searched_settings(fixed)))}")
    for number, values in enumerate(candidates, start=1):
        print(f"{number:7}: {_settings(values)}")
    print(describe_budget(search))


def describe_budget(search: Search) -> str:
    """Describe the largest number of epochs that the search trains."""
    n_drawn, n_tasks = len(search.candidates) - 1, len(search.tasks)
    again = min(n_drawn, search.finalists)
    return (
        f"The default and {plural(n_drawn, 'candidate')} with one seed, then the best {again} and the default with "
        f"{search.confirm_seeds} more: at most {search.most_epochs} epochs of each of {n_tasks} tasks"
    )


def print_ended(ended: Ended) -> None:
    """Print one line of progress on stderr."""
    print(describe_trial(ended), file=sys.stderr, flush=True)


def print_found(found: SearchResult) -> None:
    """Print the table of all candidates, the chosen recipe and the cost of the search."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    table = _table(found)
    needed = Console(width=1000).measure(table).maximum  # no cell is cut, however narrow the terminal
    Console(highlight=False, markup=False, width=max(needed, console.width)).print(table)
    for line in describe_search(found):
        console.print(line)


def _table(found: SearchResult) -> Table:
    search = found.search
    names = [name for name, _ in search.tasks]
    again = plural(search.confirm_seeds, "fresh seed")
    table = Table(
        title=f"Single-task dev scores in points: mean over tasks with one seed, then with {again}",
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        show_edge=False,
    )
    table.add_column("candidate")
    for heading in ("one seed", again, *names):
        table.add_column(heading, justify="right")
    table.add_column("differs from the default in")
    for number, (recipe, tried) in enumerate(zip(search.candidates, _tried(found), strict=True)):
        scores = found.confirmed.get(number)
        ending = COLLAPSED if number in found.collapsed else ""
        cells = [f"{fmean(scores.values()):.1f}{ending}", *(f"{scores[name]:.1f}" for name in names)] if scores else []
        if number in found.finalists and not scores:
            cells = ["failed"]
        cells += [""] * (1 + len(names) - len(cells))
        mark = "*" if number == found.chosen else " "
        label = str(number) if number else "default"
        differs = _settings(_values(recipe, _changes(search.candidates[0], recipe)))
        table.add_row(f"{mark} {label}", tried, *cells, differs)
    return table


def _tried(found: SearchResult) -> list[str]:
    """Describe how each candidate's first trial ended."""
    texts = []
    for number, (standing, record) in enumerate(zip(found.first.standings(), found.first.records, strict=True)):
        if standing.stopped:  # checked first, because on Ray it may have continued and failed
            texts.append(f"stopped at {standing.stopped}/{found.search.candidates[number].num_train_epochs}")
        elif number in found.first.lost:
            texts.append("failed")
        elif record.failure is not None:
            texts.append("diverged")
        else:
            texts.append(f"{record.means[-1]:.1f}{COLLAPSED if record.collapsed else ''}")
    return texts


def _changes(default: Recipe, recipe: Recipe) -> list[str]:
    return [name for name in searched_settings() if getattr(recipe, name) != getattr(default, name)]


def _values(recipe: Recipe, names: Collection[str]) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in names}


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {'none' if value is None else f'{value:g}'}" for name, value in values.items())
