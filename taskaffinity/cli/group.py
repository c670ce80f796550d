"""``taskaffinity group RESULTS``: choose which tasks to train together, without torch or data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taskaffinity.analysis.outdated import describe_outdated
from taskaffinity.cli.console.json_output import print_json
from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.cli.options.groups import (
    Alternatives,
    Draws,
    ForTask,
    Groups,
    Helpers,
    Hours,
    Retrain,
    Risk,
    SuiteAgain,
)
from taskaffinity.cli.options.run import Data, EncoderOption, ExecutorOption, Json, Quiet
from taskaffinity.errors import InputError
from taskaffinity.python_names import command_function
from taskaffinity.studies.group import group
from taskaffinity.studies.retrain import RetrainResults
from taskaffinity.studies.retrain import retrain as train_again
from taskaffinity.studies.search_helpers import DEFAULT_HELPERS, SearchedHelpers, search_helpers

if TYPE_CHECKING:
    from taskaffinity.analysis.groups.results import GroupResults, HelperResults


def command(
    results: Annotated[
        Path, typer.Argument(help="Results folder of `taskaffinity pairwise` or `estimate`, finished or not.")
    ],
    groups: Groups = None,
    budget: Hours = None,
    risk: Risk = 0.05,
    for_task: ForTask = None,
    compare: Alternatives = None,
    draws: Draws = None,
    retrain: Retrain = None,
    helpers: Helpers = None,
    suite_file: SuiteAgain = None,
    data: Data = None,
    encoder: EncoderOption = None,
    executor: ExecutorOption = "ray",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose which tasks to train together when you can afford a few models.

    The choice counts the mean of the gains of a task in pairs with the other tasks of its group. If a pair is not
    measured, its estimate in estimates.csv is used and marked. If the study trained all tasks together (pairwise
    --full), predicted gains follow them and have intervals. Writes groups.csv and groups.png. Nothing is trained
    without --retrain.
    """
    if helpers is not None and (retrain is None or for_task is None):
        raise InputError("--helpers: the limit of a search on trained sets; give --for and --retrain too")
    training = {
        "suite": suite_file,
        "data": data,
        "encoder": encoder,
        "executor": executor if executor != "ray" else None,
    }
    if retrain is None and (given := [name for name, value in training.items() if value is not None]):
        raise InputError(f"--{given[0]}: for training, and nothing is trained; give --retrain too")
    if retrain is not None:
        from taskaffinity.analysis.results import PairwiseResults
        from taskaffinity.studies.further_runs import check_design

        check_design(PairwiseResults.load(results).study)  # before groups.csv is written
    found = command_function(group)(
        results, groups=groups, budget=budget, risk=risk, for_task=for_task, compare=compare or (), draws=draws
    )
    from taskaffinity.analysis.groups.results import HelperResults  # imported only after the options are checked

    again: RetrainResults | SearchedHelpers | None = None
    if retrain is not None:
        options = {"suite": suite_file, "data": data, "encoder": encoder}
        with ConsoleListener(quiet=quiet) as listener:
            if isinstance(found, HelperResults):
                limit = DEFAULT_HELPERS if helpers is None else helpers
                again = command_function(search_helpers)(
                    found, seeds=retrain, helpers=limit, executor=executor, listener=listener, **options
                )
            else:
                again = command_function(train_again)(
                    found, seeds=retrain, executor=executor, listener=listener, **options
                )
    _print(found, again, json=json)
    for line in describe_outdated(results):
        print(line, file=sys.stderr)
    matrix = found.matrix if isinstance(found, HelperResults) else found.chosen.matrix
    warn_if_synthetic(matrix.study.synthetic and again is None)  # printed before training
    if again and again.failed:
        raise typer.Exit(1)


def _print(found: GroupResults | HelperResults, again: RetrainResults | SearchedHelpers | None, *, json: bool) -> None:
    """Print the result, as JSON or as tables."""
    from taskaffinity.analysis.groups.results import HelperResults
    from taskaffinity.cli.console.groups import (
        group_content,
        print_groups,
        print_helper_search,
        print_helpers,
        print_retrained,
    )

    if json:
        name = "searched" if isinstance(again, SearchedHelpers) else "retrained"
        print_json(group_content(found) | ({name: again.to_frame().to_dict(orient="records")} if again else {}))
    elif isinstance(again, SearchedHelpers):
        print_helper_search(again)
    elif isinstance(found, HelperResults):
        print_helpers(found)
    else:
        print_groups(found)
        if again:
            print_retrained(found, again.tasks)
