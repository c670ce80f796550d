"""``taskaffinity compare A B``: print what changed between two studies, without torch and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from taskaffinity.cli.console.json_output import print_json
from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.cli.options.run import Json
from taskaffinity.errors import InputError
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import FILES, Study


def command(
    first: Annotated[Path, typer.Argument(help="Results folder of `taskaffinity pairwise`.", metavar="RESULTS")],
    second: Annotated[
        Path,
        typer.Argument(
            help="Results folder of another study of the same tasks; encoder and settings may differ.",
            metavar="RESULTS_2",
        ),
    ],
    format_: Annotated[Literal["text", "csv"], typer.Option("--format", help="Output format.")] = "text",
    json: Json = False,
) -> None:
    """Print which verdicts changed between two studies, and by how much each gain changed."""
    from taskaffinity.analysis.affinity import measure  # pandas and scipy: not for --help
    from taskaffinity.analysis.comparison import check_same_tasks, compare_studies, comparison_frame
    from taskaffinity.analysis.tables.comparison import comparison_table, describe_comparison
    from taskaffinity.analysis.tables.frames import as_csv

    if first.resolve() == second.resolve():
        raise InputError(f"{first} and {second}: the same folder; expected two results folders")
    for folder in (first, second):
        if (folder / FILES["full"]).is_file() and not (folder / FILES["pairwise"]).is_file():
            raise InputError(f"{folder}: holds a study in stages and none of pairs; only studies of pairs are compared")
    try:
        studies = [Study.load(folder) for folder in (first, second)]
        check_same_tasks(*studies)
        matrices = [measure(study, RunStore(folder)) for study, folder in zip(studies, (first, second), strict=True)]
        comparison = compare_studies(*matrices)
    except (FileNotFoundError, ValueError) as error:
        raise InputError(str(error)) from error
    if json:
        frame = comparison_frame(comparison)
        print_json({"first": str(first), "second": str(second), "arrows": frame.to_dict(orient="records")})
    elif format_ == "csv":
        print(as_csv(comparison_frame(comparison)), end="")
    else:
        table = comparison_table(comparison)
        needed = Console(width=1000).measure(table).maximum  # no cell is cut, however narrow the terminal
        console = Console(highlight=False, soft_wrap=True, markup=False, width=max(needed, Console().width))
        console.print(table)
        stores = [RunStore(folder) for folder in (first, second)]
        done = [
            {spec.run_id for spec in study.plan if spec in store} for study, store in zip(studies, stores, strict=True)
        ]
        words = describe_comparison(comparison, n_shared=len(done[0] & done[1]))
        for line in (f"first: {first}, second: {second}", *words):
            console.print(line)
    warn_if_synthetic(studies[0].synthetic)
