"""``taskaffinity group RESULTS``: choose which tasks to train together, without torch or data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.console.json_output import print_json
from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.cli.options.groups import Alternatives, Draws, ForTask, Groups, Hours, Retrain, Risk
from taskaffinity.cli.options.run import Data, EncoderOption, ExecutorOption, Json, Quiet, SuiteFile
from taskaffinity.errors import InputError
from taskaffinity.studies.group import group
from taskaffinity.studies.retrain import retrain as train_again


def command(
    results: Annotated[
        Path, typer.Argument(help="Results folder of `taskaffinity pairwise` or `estimate`, finished or not.")
    ],
    groups: Groups = None,
    budget: Hours = None,
    risk: Risk = 0.05,
    for_task: ForTask = None,
    compare: Alternatives = None,
    draws: Draws = 200,
    retrain: Retrain = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    encoder: EncoderOption = None,
    executor: ExecutorOption = "ray",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose which tasks to train together when you can afford a few models.

    The predicted gain of a task in a group is the mean of its gains in pairs with the other tasks. If a pair is not
    measured, its estimate in estimates.csv is used and marked. Writes groups.csv and groups.png. Nothing is trained
    without --retrain.
    """
    if retrain is not None and for_task is not None:
        raise InputError("--retrain: trains groups; leave out --for")
    found = group(
        results, groups=groups, budget=budget, risk=risk, for_task=for_task, compare=compare or (), draws=draws
    )
    from taskaffinity.analysis.groups.results import GroupResults  # imported only after the options are checked
    from taskaffinity.cli.console.groups import group_content, print_groups, print_helpers, print_retrained

    again = None
    if retrain is not None and isinstance(found, GroupResults):
        options = {"suite": suite_file, "data": data, "encoder": encoder}
        with ConsoleListener(quiet=quiet) as listener:
            again = train_again(found, seeds=retrain, executor=executor, listener=listener, **options)
    if json:
        print_json(group_content(found) | ({"retrained": again.to_frame().to_dict(orient="records")} if again else {}))
    elif isinstance(found, GroupResults):
        print_groups(found)
        if again:
            print_retrained(found, again.tasks)
    else:
        print_helpers(found)
    matrix = found.chosen.matrix if isinstance(found, GroupResults) else found.matrix
    warn_if_synthetic(matrix.study.synthetic and again is None)  # printed before training
    if again and again.failed:
        raise typer.Exit(1)
