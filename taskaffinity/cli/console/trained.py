"""Print the scores of one joint training."""

from __future__ import annotations

import shlex

from rich import box
from rich.console import Console
from rich.table import Table

from taskaffinity.analysis.joint_results import TrainResults
from taskaffinity.analysis.tables.trained import describe_train, train_table
from taskaffinity.cli.console.json_output import print_json
from taskaffinity.errors import as_user_error


def print_train(result: TrainResults, *, as_json: bool = False) -> None:
    """Print a row per task, what it shows, and the paths of the files.

    As JSON: ``{"results", "scores": [a row of train.csv], "failed": {run: reason}, "advice": [line]}``.

    Raises
    ------
    InputError
        If a file of the results folder is broken.
    """
    if as_json:
        scores = result.to_frame().to_dict(orient="records")
        content = {"results": str(result.root), "scores": scores, "failed": dict(result.failed)}
        print_json({**content, "advice": result.advice})
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    with as_user_error():
        rows = train_table(result.study, result.store)
        lines = [*describe_train(result.study, result.store), *result.advice]
    if rows:
        console.print(_table(rows))
    for line in lines:
        console.print(line)
    console.print(f"{result.root / 'train.csv'}, train_scores.csv beside it")
    if rows and all(result.store.has_models(spec) for spec in result.study.plan if spec in result.store):
        task = result.study.tasks[0].name
        console.print(
            f"the models: taskaffinity predict {shlex.quote(str(result.root))} FILE --task {task}, or export them"
        )


def _table(rows: list[dict[str, str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in rows[0]:
        table.add_column(name, justify="right" if name in ("test", "dev") else "left")
    for row in rows:
        table.add_row(*row.values())
    return table
