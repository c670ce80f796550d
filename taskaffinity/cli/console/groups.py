"""Print the chosen groups, or the helpers of a task."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from taskaffinity.analysis.groups.results import GroupResults, HelperResults
from taskaffinity.analysis.groups.retrained import Retrained, describe_retrained, retrained_table
from taskaffinity.analysis.tables.groups import describe_groups, describe_helpers, groups_table, helpers_table
from taskaffinity.analysis.tables.helper_search import describe_search, helper_search_table
from taskaffinity.studies.search_helpers import SearchedHelpers


def print_groups(found: GroupResults) -> None:
    """Print the groups with predicted gains, lines on the choice, and the paths of the files."""
    _print(
        groups_table(found.chosen),
        [*describe_groups(found.chosen), f"{found.root / 'groups.csv'}, groups.png beside it"],
    )


def print_helpers(found: HelperResults) -> None:
    """Print the helpers of a task in the order of their selection."""
    table = helpers_table(found.matrix, found.gains, found.target, found.helpers, found.risk)
    lines = describe_helpers(found.matrix, found.gains, found.target, found.helpers, found.risk)
    _print(table, [*lines, *[found.matrix.estimates_ignored] * bool(found.matrix.estimates_ignored)])


def print_retrained(found: GroupResults, tasks: tuple[Retrained, ...]) -> None:
    """Print predicted and realised gains, and the path of the file."""
    lines = [*describe_retrained(tasks), str(found.root / "retrained.csv")]
    _print(retrained_table(found.chosen, tasks), lines)


def print_helper_search(found: SearchedHelpers) -> None:
    """Print the candidates of every step, the chosen set with its gain, and the path of the file."""
    _print(
        helper_search_table(found.search),
        [*describe_search(found.search), str(found.result.root / "helpers.csv")],
    )


def group_content(found: GroupResults | HelperResults) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    rows = found.to_frame().to_dict(orient="records")
    if isinstance(found, HelperResults):
        return {
            "results": str(found.root),
            "target": found.matrix.tasks[found.target],
            "helpers": rows,
            "estimates_ignored": found.matrix.estimates_ignored,
        }
    chosen, model = found.chosen, found.chosen.predictor.model
    others = {
        name: {
            "groups": [list(chosen.names(group)) for group in other.groups],
            "gain": sum(one.gain for one in chosen.predictor.of(other)) / len(chosen.tasks),
            "pair_mean": float(other.values(chosen.gains.gain).mean()),
            "bound": float(other.values(chosen.gains.worth).mean()),
            "estimated_tasks": sum(chosen.estimated_in(other)),
            "hours": float(chosen.hours(other).sum()),
        }
        for name, other in (("chosen", chosen.grouping), *chosen.alternatives.items())
    }
    return {
        "results": str(found.root),
        "method": chosen.grouping.method,
        "groups": rows,
        "exponent": model.exponent,
        "model_error": model.error,
        "choices": others,
        "regret": chosen.shares.regret if chosen.shares else None,
        "unknown_gains": int(chosen.gains.unknown.sum()),
        "estimated_gains": int(chosen.gains.estimated.sum()),
        "estimates_ignored": chosen.matrix.estimates_ignored,
    }


def _print(table: Table, lines: list[str]) -> None:
    needed = Console(width=1000).measure(table).maximum  # no cell is cut, however narrow the terminal
    console = Console(highlight=False, soft_wrap=True, markup=False, width=max(needed, Console().width))
    console.print(table)
    for line in lines:
        console.print(line)
