"""``taskaffinity group RESULTS``: choose which tasks to train together, without torch and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from taskaffinity.cli.console.json_output import print_json
from taskaffinity.cli.console.listener import ConsoleListener
from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.cli.options.numbers import decimal, whole
from taskaffinity.cli.options.run import Data, EncoderOption, ExecutorOption, Json, Quiet, SuiteFile
from taskaffinity.errors import InputError, quoted
from taskaffinity.runs.limits import MOST_SEEDS
from taskaffinity.studies.group import LEAST_RISK, MOST_DRAWS, MOST_GROUPS, MOST_HOURS, MOST_RISK, group
from taskaffinity.studies.retrain import retrain as train_again
from taskaffinity.tasks.numbers import finite_number


def _risk(given: Any) -> float | None:
    """Read ``--risk``: a probability, or none."""
    if str(given) == "none":
        return None
    number = finite_number(str(given))
    if number is None or not LEAST_RISK <= number <= MOST_RISK:
        raise typer.BadParameter(
            f"found {quoted(str(given))}; expected none or a number from {LEAST_RISK:g} to {MOST_RISK:g}"
        )
    return number


def command(
    results: Annotated[
        Path, typer.Argument(help="Results folder of `taskaffinity pairwise` or `estimate`, finished or not.")
    ],
    groups: Annotated[int | None, whole(1, MOST_GROUPS, help="Maximum number of models.")] = None,
    budget: Annotated[
        float | None,
        decimal(0, MOST_HOURS, help="Maximum training hours of all models. Give this or --groups."),
    ] = None,
    risk: Annotated[
        Any,
        typer.Option(
            parser=_risk,
            metavar="<float|none>",
            help="Probability that a gain lies below the bound used for the choice; none: use the gain itself.",
        ),
    ] = 0.05,
    for_task: Annotated[
        str | None, typer.Option("--for", help="Order the helpers of this one task instead.", metavar="TASK")
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            help="Also value and price other choices: all-in-one, single-task, pairs; separate several with commas."
        ),
    ] = None,
    draws: Annotated[int, whole(0, MOST_DRAWS, help="Number of draws that measure how stable the choice is.")] = 200,
    retrain: Annotated[
        int | None,
        whole(1, MOST_SEEDS, help="Train the chosen models with N fresh seeds; compare with the prediction."),
    ] = None,
    suite_file: SuiteFile = None,
    data: Data = None,
    encoder: EncoderOption = None,
    executor: ExecutorOption = "ray",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose which tasks to train together when you can afford a few models.

    The predicted gain of a task in a group is the mean of its gains in pairs with the other tasks. Where a pair is not
    measured, an estimate of estimates.csv stands for its gain, and is marked. Writes groups.csv and groups.png. Nothing
    is trained without --retrain.
    """
    if retrain is not None and for_task is not None:
        raise InputError("--retrain: trains groups; leave out --for")
    found = group(
        results, groups=groups, budget=budget, risk=risk, for_task=for_task, compare=compare or (), draws=draws
    )
    from taskaffinity.analysis.groups.results import GroupResults  # after the options are checked
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
    warn_if_synthetic(matrix.study.synthetic and again is None)  # said before training
    if again and again.failed:
        raise typer.Exit(1)
